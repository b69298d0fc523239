"""Jobs that run and jobs that wait: what is done with each now, how far it is, and why it waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from img2imgd.errors import shown
from img2imgd.job import FrameState, JobState, plan_frames
from img2imgd.ledger import Activity, FrameRow, JobActivity, JobRow, Progress
from img2imgd.status.cards import Names, Phase, Queued, Running, card_values, iso

_LEAST_STEPS, _LEAST_SECONDS = 3, 2.0  # below which a pace is chance
_MOST_PLANS = 64  # jobs whose frames with the same pixels are remembered
_STOPPED = "img2imgd does not run; it goes on at the next start"
_PAUSED = "painting is paused"
_ORDER: tuple[Phase, ...] = (
    "painting", "loading", "reading", "assembling", "publishing", "waiting",
)  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """What holds for all jobs: whether the daemon runs, is paused, waits; and what it is at."""

    running: bool
    paused: bool
    waits_for: str
    activity: Activity

    def taken_up(self, queue: Sequence[JobRow]) -> list[JobRow]:
        """Queued jobs that are at work already: their picture is read, or their model loaded."""
        if not self.running:
            return []
        begun = [row for row in queue if row.id in self.activity.jobs]
        if not begun and self.activity.loading:
            begun = [row for row in queue if _model(row) == self.activity.loading][:1]
        return begun

    def rank(self, row: JobRow) -> int:
        """Where a job at work stands in a list of those."""
        return _ORDER.index(self.phase(row))

    def phase(self, row: JobRow) -> Phase:
        """What is done with a job at work."""
        if not self.running:
            return "waiting"
        noted = self.activity.jobs.get(row.id)
        if row.state in (JobState.QUEUED, JobState.CLAIMING):
            return "reading" if noted else "loading"
        if row.state is JobState.PUBLISHING:
            return "waiting" if noted and noted.why else "publishing"
        return noted.doing if noted else "waiting"

    def why_running(self, row: JobRow) -> str:
        """What keeps a job at work from getting on; empty where nothing does, or others do."""
        if not self.running:
            return _STOPPED
        noted = self.activity.jobs.get(row.id)
        if noted and noted.why:
            return shown(noted.why)
        return shown(self.waits_for) if self.phase(row) == "waiting" and self.blocked else ""

    @property
    def blocked(self) -> bool:
        """True where the daemon waits, and no job is noted as doing anything."""
        return bool(self.waits_for) and not any(
            one.doing != "waiting" for one in self.activity.jobs.values()
        )

    def why_queued(self, row: JobRow) -> str:
        """Why a queued job does not start; empty where its turn has not come, or nothing runs."""
        if not self.running:
            return ""
        if row.state is JobState.CLAIMING:
            return "is being taken from the inbox"
        held = (
            self.activity.held.get(row.id)
            or self.activity.inboxes.get(row.spec.home)
            or self.activity.models.get(_model(row))
        )
        if held:
            return shown(held)
        if self.paused:
            return _PAUSED
        if self.blocked:
            return shown(self.waits_for)
        return "runs alone: the worker died with it" if row.suspect else ""


def running_of(
    row: JobRow,
    names: Names,
    standing: Standing,
    frames: Callable[[str], list[FrameRow]],
    progress: Progress | None,
) -> Running:
    """A job at work; ``frames`` gives those of a job, and is asked where some share pixels."""
    done = progress or Progress(0, 0, 0, 0, 0)
    painted_by = _painted_by(row)
    if len(set(painted_by)) < len(painted_by):
        done = without_copies(painted_by, frames(row.id))
    in_ledger = row.state in (JobState.RUNNING, JobState.PUBLISHING) and standing.running
    steps_done = done.steps_done if in_ledger else done.staged_steps
    phase = standing.phase(row)
    noted = standing.activity.jobs.get(row.id)
    left = seconds_left(done.steps - steps_done, noted) if phase == "painting" else None
    return Running(
        **card_values(row, names),
        phase=phase,
        why=standing.why_running(row),
        started_at=None if row.started_at is None else iso(row.started_at),
        frames_done=done.frames_done,
        steps=done.steps,
        steps_done=steps_done,
        seconds_left=left,
        attempts=row.attempts,
    )


def queue_of(
    rows: Sequence[JobRow], names: Names, standing: Standing, frames: Mapping[str, Progress]
) -> tuple[Queued, ...]:
    """The jobs that wait, in their order."""
    return tuple(
        Queued(
            **card_values(row, names),
            position=position,
            why=standing.why_queued(row),
            frames_done=frames[row.id].frames_done if row.id in frames else 0,
            attempts=row.attempts,
        )
        for position, row in enumerate(rows, 1)
    )


def seconds_left(steps: int, noted: JobActivity | None) -> float | None:
    """How long ``steps`` more take at the pace of the last minute; None while that is chance."""
    if noted is None or noted.steps < _LEAST_STEPS or noted.seconds < _LEAST_SECONDS:
        return None
    return round(max(steps, 0) * noted.seconds / noted.steps, 1)


def without_copies(painted_by: Sequence[int], rows: Sequence[FrameRow]) -> Progress:
    """Progress in which frames that another is painted for have no steps of their own."""
    by_index = {row.index: row for row in rows}
    frames = frames_done = steps = staged = done = 0
    for index, painted in enumerate(painted_by):
        row = by_index.get(painted)
        if row is None:
            continue
        is_done = row.state is not FrameState.WAITING
        frames += 1
        frames_done += is_done
        if index == painted:
            steps += row.steps
            staged += row.steps if is_done else 0
            done += row.steps if is_done else min(row.step, row.steps)
    return Progress(frames, frames_done, steps, staged, done)


_plans: dict[str, tuple[int, ...]] = {}  # by job, whose request never changes


def _painted_by(row: JobRow) -> tuple[int, ...]:
    """For each frame, that with the same pixels; empty where the request can have no copies."""
    request = row.spec.request
    if request is None or not {"strength", "steps"} & request.sweep.keys():
        return ()
    if row.id not in _plans:
        if len(_plans) >= _MOST_PLANS:
            _plans.clear()
        _plans[row.id] = tuple(frame.painted_by for frame in plan_frames(request))
    return _plans[row.id]


def _model(row: JobRow) -> str:
    return row.spec.request.model if row.spec.request else ""
