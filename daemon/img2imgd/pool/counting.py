"""Counts what a worker does, by what it is told and what it says. For one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

from img2imgd import metrics
from img2imgd.engine.protocol import FrameRefused, StepDone
from img2imgd.pool.deaths import Death
from img2imgd.pool.messages import (
    Admit,
    Assemble,
    AssemblyFailed,
    AssemblyStaged,
    Cancel,
    FrameStaged,
    JobGivenUp,
    Load,
    ModelFailed,
    ModelLoaded,
    Order,
    WorkerEvent,
    WorkerFault,
)

_LOAD = "load"


class Counting:
    """Counts for :mod:`img2imgd.metrics`; ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: dict[Hashable, float] = {}
        self._steps: dict[tuple[str, int], int] = {}

    def started(self) -> None:
        """A worker process was started."""
        metrics.WORKER_STARTS.add()

    def died(self, cause: Death) -> None:
        """It ended unasked."""
        metrics.WORKER_DEATHS.add(cause.value)

    def forget(self) -> None:
        """What it was told is nothing any more."""
        self._began.clear()
        self._steps.clear()

    def told(self, order: Order) -> None:
        """The worker is told to do something."""
        match order:
            case Load():
                self._began[_LOAD] = self._clock()
            case Admit(task):
                self._began[task.job, task.index] = self._clock()
                self._steps[task.job, task.index] = 0
            case Assemble(job, assembly):
                self._began[job, assembly.target] = self._clock()
            case Cancel(job):
                self._forget_job(job)
            case _:
                pass

    def heard(self, event: WorkerEvent) -> None:
        """The worker says something."""
        match event:
            case StepDone():
                self._step(event)
            case FrameStaged(job, index):
                metrics.FRAMES.add("painted")
                self._end("paint", job, index)
            case FrameRefused(job, index):
                metrics.FRAMES.add("refused")
                self._end("", job, index)
            case WorkerFault(job, index):
                self._end("", job, index)
            case AssemblyStaged(job, target):
                self._end("assemble", job, target)
            case AssemblyFailed(job, target):
                self._end("", job, target)
            case ModelLoaded():
                self._end("load")
            case ModelFailed():
                self._began.pop(_LOAD, None)
            case JobGivenUp(job):
                self._forget_job(job)
            case _:
                pass

    def _step(self, event: StepDone) -> None:
        """Of a frame's steps the newest is heard now and then: those between count as like it."""
        frame = event.job, event.index
        if frame not in self._steps:
            return
        steps = max(event.step - self._steps[frame], 0)
        self._steps[frame] = event.step
        metrics.STEPS.add(by=steps)
        metrics.CALLS.observe(event.together, times=steps / event.together)

    def _end(self, stage: str, *what: Hashable) -> None:
        self._steps.pop(what, None)  # pyright: ignore[reportCallIssue, reportArgumentType]
        began = self._began.pop(what or _LOAD, None)
        if began is not None and stage:
            metrics.STAGES.observe(self._clock() - began, stage)

    def _forget_job(self, job: str) -> None:
        self._began = {w: t for w, t in self._began.items() if not (_is_of(w, job))}
        self._steps = {frame: step for frame, step in self._steps.items() if frame[0] != job}


def _is_of(what: Hashable, job: str) -> bool:
    return isinstance(what, tuple) and what[:1] == (job,)
