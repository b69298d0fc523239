"""Notes in the ledger, now and then, what the dispatcher is at: for reports."""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from img2imgd.dispatch.faults import Faults
from img2imgd.dispatch.running import RunningJob
from img2imgd.dispatch.starting import Starting
from img2imgd.errors import EnvironmentFault
from img2imgd.ledger import Activity, Doing, JobActivity, Ledger
from img2imgd.pool.supervision import WorkerPool

_SPAN = 60.0  # seconds that a pace is told of
_GRAIN = 1.0  # seconds between what a pace remembers
_BESIDE = 10.0  # seconds without a step, while others take theirs, after which a job only waits
_SLOW_READING = 1.0  # seconds after which the reading of a picture is worth telling
_SOON, _LATER = 0.5, 2.0  # seconds between notes: of what changed, and of paces alone
_MOST = 200  # held jobs that a note names


class Pace:
    """How many steps a job took lately; times are monotonic seconds."""

    def __init__(self) -> None:
        self._frames: dict[int, int] = {}
        self._taken = 0
        self._known: deque[tuple[float, int]] = deque()
        self.last: float | None = None

    def step(self, index: int, step: int, now: float) -> None:
        """Frame ``index`` has taken its first ``step`` steps; a frame painted again counts anew."""
        before = self._frames.get(index, 0)
        self._taken += step - before if step > before else step
        self._frames[index] = step
        self.last = now
        if not self._known or now - self._known[-1][0] >= _GRAIN:
            self._known.append((now, self._taken))

    def over(self, now: float) -> tuple[int, float]:
        """(steps, seconds) of the last minute, or since the first step."""
        while len(self._known) > 1 and now - self._known[1][0] >= _SPAN:
            self._known.popleft()
        if not self._known:
            return 0, 0.0
        since, taken = self._known[0]
        return self._taken - taken, now - since


@dataclass(frozen=True)
class Standing:
    """A running job: what holds it, what the worker has of it, when it last took a step."""

    job: str
    held: str
    painted: bool
    in_worker: bool
    last_step: float | None


def doing(jobs: Iterable[Standing]) -> dict[str, Doing]:
    """What is done with each running job, in order of their start.

    Those that share the worker's calls are told by their steps. Before anybody took one, the first
    is the one that is painted.
    """
    known = list(jobs)
    steps = [one.last_step for one in known if one.last_step is not None and one.in_worker]
    newest = max(steps, default=None)
    found: dict[str, Doing] = {}
    for one in known:
        if one.held:
            found[one.job] = "waiting"
        elif one.painted:
            found[one.job] = "assembling"
        elif not one.in_worker:
            found[one.job] = "waiting"
        elif newest is None:
            found[one.job] = "waiting" if "painting" in found.values() else "painting"
        else:
            took_part = one.last_step is not None and newest - one.last_step <= _BESIDE
            found[one.job] = "painting" if took_part else "waiting"
    return found


class Telling:
    """Keeps the ledger's note of what is done; ``running`` is the dispatcher's own table."""

    def __init__(
        self,
        ledger: Ledger,
        faults: Faults,
        running: Mapping[str, RunningJob],
        pool: WorkerPool,
        starting: Starting,
    ) -> None:
        self._ledger = ledger
        self._faults = faults
        self._running = running
        self._pool = pool
        self._starting = starting
        self._paces: dict[str, Pace] = {}
        self._reading_since: dict[str, float] = {}
        self._told: Activity | None = None
        self._told_at = self._looked_at = -math.inf
        self._told_model: tuple[str, str] | None = None

    def step(self, job: str, index: int, step: int, now: float) -> None:
        """A frame has got on."""
        self._paces.setdefault(job, Pace()).step(index, step, now)

    def tell(self, now: float) -> None:
        """Note what is done, if that has changed; a disk that does not take it is no fault here."""
        if now - self._looked_at < _SOON:
            return
        self._looked_at = now
        self._tell_model()
        activity, told = self._activity(now), self._told
        only_paces = told is not None and _without_paces(activity) == _without_paces(told)
        if activity == told or (only_paces and now - self._told_at < _LATER):
            return
        self._told_at = now
        with contextlib.suppress(EnvironmentFault):
            self._ledger.set_activity(activity)
            self._told = activity

    def _tell_model(self) -> None:
        """Note which model is loaded; none once its worker was let go or has died."""
        info = self._pool.loaded
        model = ("", "") if info is None else (info.name, f"{info.device} {info.dtype}")
        if model != self._told_model:
            with contextlib.suppress(EnvironmentFault):
                self._ledger.set_facts(model=model[0], device=model[1])
                self._told_model = model

    def _activity(self, now: float) -> Activity:
        self._paces = {job: pace for job, pace in self._paces.items() if job in self._running}
        jobs = self._reading(now) | self._at_work(now)
        reasons = self._faults.reasons()
        held = {job: why for job, why in reasons.jobs.items() if job not in self._running}
        return Activity(
            loading=self._pool.loading or "",
            jobs=jobs,
            models=reasons.models,
            inboxes=reasons.inboxes,
            held=dict(list(held.items())[:_MOST]),
        )

    def _at_work(self, now: float) -> dict[str, JobActivity]:
        done = doing(map(self._standing, self._running.values()))
        told: dict[str, JobActivity] = {}
        for job, what in done.items():
            pace = self._paces.get(job)
            steps, seconds = pace.over(now) if pace and what == "painting" else (0, 0.0)
            told[job] = JobActivity(what, self._faults.why(job), steps, round(seconds, 1))
        return told

    def _standing(self, job: RunningJob) -> Standing:
        pace = self._paces.get(job.id)
        return Standing(
            job.id, self._faults.why(job.id), job.painted, bool(job.in_engine),
            pace.last if pace else None,
        )  # fmt: skip

    def _reading(self, now: float) -> dict[str, JobActivity]:
        """Queued jobs whose pictures take long to read."""
        reading = self._starting.reading
        self._reading_since = {job: self._reading_since.get(job, now) for job in reading}
        return {
            job: JobActivity("reading")
            for job, since in self._reading_since.items()
            if now - since >= _SLOW_READING
        }


def _without_paces(activity: Activity) -> tuple[object, ...]:
    jobs = {job: (one.doing, one.why) for job, one in activity.jobs.items()}
    return activity.loading, jobs, activity.models, activity.inboxes, activity.held
