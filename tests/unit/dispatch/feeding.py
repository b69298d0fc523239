"""Jobs that pass from the queue through the window to a simulated worker, UNet call by call."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from img2imgd.dispatch.admission import Standing
from img2imgd.engine.policy import BatchPolicy, Candidate

NextJob = Callable[[Sequence[Standing], int], str | None]
MayStart = Callable[[int, Sequence[Standing], int], bool]

WINDOW = 64
LAG = 2  # calls that a frame is in the worker before it is ready, and again after it is painted


@dataclass
class Job:
    """A job that comes before a certain call; each of its frames needs so many."""

    name: str
    came: int
    frames: int
    passes: int
    given: int = 0
    painted: int = 0
    ended: int | None = None

    @property
    def calls(self) -> int:
        assert self.ended is not None, f"{self.name} never ended"
        return self.ended - self.came


@dataclass
class Worker:
    """A worker whose calls hold ``cap`` frames, and a dispatcher that feeds it."""

    cap: int
    next_job: NextJob
    may_start: MayStart
    window: int = WINDOW
    calls: int = 0
    steps: int = 0
    most_running: int = 0
    queued: list[Job] = field(default_factory=list[Job])
    running: list[Job] = field(default_factory=list[Job])
    coming: deque[tuple[int, Candidate]] = field(default_factory=deque[tuple[int, Candidate]])
    ready: dict[tuple[str, int], Candidate] = field(
        default_factory=dict[tuple[str, int], Candidate]
    )
    going: deque[tuple[int, Job]] = field(default_factory=deque[tuple[int, Job]])
    policy: BatchPolicy = field(default_factory=BatchPolicy)

    def standings(self) -> list[Standing]:
        return [
            Standing(job.name, job.frames - job.given, job.given - job.painted, job.frames)
            for job in self.running
        ]

    def serve(self, jobs: Sequence[Job], until: int = 1_000_000) -> None:
        """Go on until everything is painted, or so many calls have passed."""
        coming = deque(sorted(jobs, key=lambda job: job.came))
        while (coming or self.queued or self.running) and self.calls < until:
            while coming and coming[0].came <= self.calls:
                self.queued.append(coming.popleft())
            self._finish()
            self._start()
            self._admit()
            self._call()

    def _start(self) -> None:
        refused = set[int]()
        for job in list(self.queued):
            if job.frames in refused:
                continue
            if not self.may_start(job.frames, self.standings(), self.window):
                refused.add(job.frames)
            else:
                self.queued.remove(job)
                self.running.append(job)
        self.most_running = max(self.most_running, len(self.running))

    def _admit(self) -> None:
        jobs = {job.name: job for job in self.running}
        while (name := self.next_job(self.standings(), self.window)) is not None:
            job = jobs[name]
            frame = Candidate((name, job.given), "A", 2, job.passes, job.frames)
            self.coming.append((self.calls + LAG, frame))
            job.given += 1
        assert sum(one.in_engine for one in self.standings()) <= self.window

    def _call(self) -> None:
        while self.coming and self.coming[0][0] <= self.calls:
            frame = self.coming.popleft()[1]
            self.ready[frame.frame] = frame
        jobs = {job.name: job for job in self.running}
        ready = list(self.ready.values())
        for name in self.policy.choose(ready, lambda _: 2 * self.cap, lambda _: 2 * self.cap):
            one = self.ready[name]
            self.steps += 1
            if one.passes > 1:
                left = one.passes - 1
                self.ready[name] = Candidate(one.frame, one.key, one.rows, left, one.job_frames)
            else:
                del self.ready[name]
                self.going.append((self.calls + LAG, jobs[one.job]))
        self.calls += 1

    def _finish(self) -> None:
        while self.going and self.going[0][0] <= self.calls:
            job = self.going.popleft()[1]
            job.painted += 1
            if job.painted == job.frames:
                job.ended = self.calls
                self.running.remove(job)


def first_in_first_out(running: Sequence[Standing], window: int) -> str | None:
    """Fills the window with the oldest job."""
    free = window - sum(one.in_engine for one in running)
    return next((one.job for one in running if one.to_paint and free), None)


def shortest_first(running: Sequence[Standing], window: int) -> str | None:
    """Fills the window with the shortest job."""
    return first_in_first_out(sorted(running, key=lambda one: one.frames), window)


def while_there_is_room(frames: int, running: Sequence[Standing], window: int) -> bool:
    """Starts jobs while those that run do not fill the window."""
    return sum(one.open for one in running) < window
