"""What the worker says, carried over to its jobs and to the ledger."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Mapping

from img2imgd.dispatch.crashes import Crashes
from img2imgd.dispatch.faults import Faults, fault_in_words
from img2imgd.dispatch.running import RunningJob
from img2imgd.dispatch.telling import Telling
from img2imgd.dispatch.turns import Turns
from img2imgd.engine.protocol import FrameRefused, StepDone
from img2imgd.errors import EnvironmentFault
from img2imgd.job import FrameState
from img2imgd.ledger import Ledger
from img2imgd.pool.messages import (
    AssemblyFailed,
    AssemblyStaged,
    FrameStaged,
    JobGivenUp,
    ModelFailed,
    ModelLoaded,
    PoolEvent,
    WorkerDied,
    WorkerFault,
)

log = logging.getLogger(__name__)

JobEvent = (
    StepDone | FrameStaged | FrameRefused | AssemblyStaged | AssemblyFailed | JobGivenUp
    | WorkerFault
)  # fmt: skip

_PROGRESS_SECONDS = 0.25  # steps reach the ledger this often


class Events:
    """Handles the worker's events, each until the ledger has taken it. ``running``: by job id."""

    def __init__(
        self,
        ledger: Ledger,
        faults: Faults,
        crashes: Crashes,
        turns: Turns,
        running: Mapping[str, RunningJob],
        telling: Telling,
    ) -> None:
        self._ledger = ledger
        self._faults = faults
        self._crashes = crashes
        self._turns = turns
        self._running = running
        self._telling = telling
        self._unhandled: deque[PoolEvent] = deque()
        self._steps: dict[tuple[str, int], int] = {}
        self._steps_written = 0.0

    def add(self, events: Iterable[PoolEvent]) -> None:
        """Take events in, to be handled in their order."""
        self._unhandled.extend(events)

    def handle(self, now: float) -> None:
        """Handle all that came."""
        while self._unhandled:
            event = self._unhandled.popleft()
            try:
                self._handle(event, now)
            except (EnvironmentFault, OSError) as error:
                if fault_in_words(error):  # the ledger's disk is full, say: it comes again
                    self._unhandled.appendleft(event)
                raise
        if self._steps and now - self._steps_written >= _PROGRESS_SECONDS:
            self._ledger.set_steps(self._steps)
            self._steps.clear()
            self._steps_written = now

    def _handle(self, event: PoolEvent, now: float) -> None:
        if isinstance(event, ModelLoaded):
            self._faults.clear_model(event.info.name, now)
            self._crashes.model_loaded()
        elif isinstance(event, ModelFailed):
            self._faults.report_model(event.name, f"{event.reason} {event.advice}".strip(), now)
            self._turns.load_failed(event.name, now)
        elif isinstance(event, WorkerDied):
            self._crashes.worker_died(event, now)
            if event.loading is not None:
                self._turns.load_failed(event.loading, now)
        elif (job := self._running.get(event.job)) is not None:
            self._job_event(job, event, now)

    def _job_event(self, job: RunningJob, event: JobEvent, now: float) -> None:
        if isinstance(event, StepDone):
            self._steps[event.job, event.index] = event.step
            self._telling.step(event.job, event.index, event.step, now)
            job.steps_taken[event.index] = event.step
        elif isinstance(event, FrameStaged):
            job.in_engine.discard(event.index)
            self._steps.pop((event.job, event.index), None)
            self._ledger.set_frame(job.id, event.index, FrameState.STAGED)
            self._crashes.got_on(job)
            self._faults.painted()
            if event.note and event.note not in job.notes:
                job.notes.append(event.note)
        elif isinstance(event, FrameRefused):
            job.in_engine.discard(event.index)
            job.refused[event.index] = event.reason
            self._ledger.set_frame(job.id, event.index, FrameState.FAILED, event.reason)
            self._crashes.lived(job)
            log.warning("job %s frame %d refused: %s", job.id, event.index, event.reason)
        elif isinstance(event, WorkerFault):
            if job.has_picture:
                self._faults.report(event.message, now)
            else:  # it is prepared again, which is nothing to the others
                self._faults.report_job(job.id, event.message, now)
            job.in_engine.discard(event.index)
            job.steps_taken.pop(event.index, None)
            if not job.cancelled:
                job.to_paint.insert(0, event.index)
        elif isinstance(event, AssemblyStaged):
            job.assembling = None
            self._faults.painted()
            if event.note:
                job.notes.append(event.note)
        elif isinstance(event, AssemblyFailed):
            job.assembling = None
            if event.environment:
                self._faults.report(event.reason, now)
            else:
                job.give_up(event.target, event.reason)
        elif job.giving_up:  # JobGivenUp: nothing more of it comes
            job.in_engine.clear()
            job.giving_up = False
