"""The dispatcher: takes jobs from the ledger, feeds the worker, publishes, archives.

One ``step`` waits for the worker's events at most a moment, handles them, and admits more. Nothing
here is the truth: a dispatcher that starts anew goes on from the ledger and the staging folders.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from img2imgd.config import Config
from img2imgd.dispatch.archive import Archive
from img2imgd.dispatch.faults import Faults
from img2imgd.dispatch.models import model_spec
from img2imgd.dispatch.publishing import Publishing
from img2imgd.dispatch.running import RunningJob
from img2imgd.dispatch.starting import Starting
from img2imgd.durable import ENVIRONMENT_ERRNOS
from img2imgd.engine.protocol import FrameRefused, ModelInfo, StepDone
from img2imgd.errors import EnvironmentFault, PictureError
from img2imgd.job import FrameState, JobState
from img2imgd.ledger import JobRow, Ledger
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
from img2imgd.pool.reading import ReaderProcess
from img2imgd.pool.supervision import WorkerPool

log = logging.getLogger(__name__)

T = TypeVar("T")
JobEvent = (
    StepDone | FrameStaged | FrameRefused | AssemblyStaged | AssemblyFailed | JobGivenUp
    | WorkerFault
)  # fmt: skip

WINDOW = 16  # frames admitted to the worker at a time, over all jobs
_PROGRESS_SECONDS = 0.25  # steps reach the ledger this often


class Dispatch:
    """Serves the ledger's queue with one worker."""

    def __init__(
        self, config: Config, ledger: Ledger, pool: WorkerPool, reader: ReaderProcess
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._pool = pool
        self._reader = reader
        self._archive = Archive(config, ledger)
        self._starting = Starting(config, ledger, reader)
        self._publishing = Publishing(ledger, pool, self._archive)
        self._running: dict[str, RunningJob] = {}
        self._loading: str | None = None
        self._faults = Faults(ledger)
        self._steps: dict[tuple[str, int], int] = {}
        self._steps_written = 0.0
        self._idle_since: float | None = None
        self._unfinished: set[str] = set()
        self._unhandled: deque[PoolEvent] = deque()
        self._recovered = False

    @property
    def idle(self) -> bool:
        """True when nothing runs and nothing waits to be archived."""
        return not self._running and self._recovered

    @property
    def blocked_since(self) -> float | None:
        """Since when (monotonic) the environment has not allowed any work, None if it does."""
        blocked = self._faults.general or not self._running
        return self._faults.since if blocked else None

    @property
    def loading(self) -> bool:
        """True while a model is being loaded, which may mean downloaded."""
        return self._loading is not None

    @property
    def painting(self) -> bool:
        """True while the worker has frames."""
        return bool(self._pool.admitted)

    def recover(self) -> None:
        """Take up what an earlier process left: once at start."""
        for row in self._ledger.jobs_in(JobState.RUNNING):
            self._ledger.set_state(row.id, JobState.QUEUED)
        for row in self._ledger.jobs_in(JobState.PUBLISHING):
            self._guarded(row, lambda row=row: self._resume(row))
        self._recovered = True

    def step(self, timeout: float) -> None:
        """Handle the worker's events (waiting up to ``timeout`` seconds), then move jobs on."""
        self._unhandled.extend(self._pool.poll(timeout))
        now = time.monotonic()
        try:
            if not self._recovered:
                self.recover()
            self._handle_events(now)
            self._write_steps(now)
            self._finish_ended()
            for job in list(self._running.values()):
                if job.painted and job.assembling is None and not self._faults.holding(now):
                    self._guarded(job.row, lambda job=job: self._advance(job))
            self._finish_ended()
            self._start_jobs(now)
            self._admit(now)
        except EnvironmentFault as fault:
            self._faults.report(str(fault), now)
        except OSError as error:
            if error.errno not in ENVIRONMENT_ERRNOS:
                raise
            self._faults.report(f"{error.filename or 'disk'}: {error.strerror}", now)
        self._rest(now)

    def stop(self, grace: float) -> None:
        """Stop the worker; running jobs go on from their staged frames at the next start."""
        self._pool.stop(grace)
        for job in self._running.values():
            if job.in_worker:  # else it may be in the outbox already, which is found out at start
                self._ledger.set_state(job.id, JobState.QUEUED)
        self._running.clear()

    # Events

    def _handle_events(self, now: float) -> None:
        while self._unhandled:
            event = self._unhandled.popleft()
            try:
                self._handle(event, now)
            except EnvironmentFault:
                self._unhandled.appendleft(event)  # the ledger's disk is full: it comes again
                raise

    def _handle(self, event: PoolEvent, now: float) -> None:
        if isinstance(event, ModelLoaded):
            self._model_loaded(event.info)
        elif isinstance(event, ModelFailed):
            self._loading = None
            self._faults.report_model(event.name, f"{event.reason} {event.advice}".strip(), now)
        elif isinstance(event, WorkerDied):
            self._worker_died(event, now)
        elif (job := self._running.get(event.job)) is not None:
            self._job_event(job, event, now)

    def _job_event(self, job: RunningJob, event: JobEvent, now: float) -> None:
        if isinstance(event, StepDone):
            self._steps[event.job, event.index] = event.step
        elif isinstance(event, FrameStaged):
            job.in_engine.discard(event.index)
            self._steps.pop((event.job, event.index), None)
            self._ledger.set_frame(job.id, event.index, FrameState.STAGED)
            self._ledger.clear_attempts(job.id)
            self._faults.succeeded()
        elif isinstance(event, FrameRefused):
            job.in_engine.discard(event.index)
            job.refused[event.index] = event.reason
            self._ledger.set_frame(job.id, event.index, FrameState.FAILED, event.reason)
            log.warning("job %s frame %d refused: %s", job.id, event.index, event.reason)
        elif isinstance(event, WorkerFault):
            self._faults.report(event.message, now)
            job.in_engine.discard(event.index)
            job.to_paint.insert(0, event.index)
        elif isinstance(event, AssemblyStaged):
            job.assembling = None
            if event.note:
                job.notes.append(event.note)
        elif isinstance(event, AssemblyFailed):
            job.assembling = None
            if event.environment:
                self._faults.report(event.reason, now)
            else:
                job.give_up(event.target, event.reason)

    def _model_loaded(self, info: ModelInfo) -> None:
        self._loading = None
        self._faults.clear_model(info.name)
        self._ledger.set_facts(model=info.name, device=f"{info.device} {info.dtype}")

    def _worker_died(self, event: WorkerDied, now: float) -> None:
        """Jobs that were in the worker are suspects; one that was there alone is to blame."""
        self._loading = None
        if event.loading is not None:
            self._faults.report_model(
                event.loading, f"the worker died loading it ({event.exit})", now
            )
        inside = sorted({job for job, _ in (*event.frames, *event.assembling)})
        log.error("the worker died (%s) with %s in it", event.exit, inside or "nothing")
        for job in [job for job in self._running.values() if job.in_worker]:
            if job.assembling is not None:
                job.lose_assembly(event.exit)
            elif inside == [job.id]:
                self._count_crash(job, event.exit)
            else:
                self._queue_again(job, suspect=job.id in inside)

    def _queue_again(self, job: RunningJob, *, suspect: bool) -> None:
        with self._ledger.transaction():
            if suspect:
                self._ledger.set_suspect(job.id, True)
            self._ledger.set_state(job.id, JobState.QUEUED)
        del self._running[job.id]

    def _count_crash(self, job: RunningJob, how: str) -> None:
        attempts = self._ledger.count_attempt(job.id)
        if attempts < self._config.limits.max_attempts:
            self._queue_again(job, suspect=True)
            return
        reason = (
            f"The worker died {attempts} times while it painted this picture alone ({how}).\n"
            "Try another size or model; the log of img2imgd says more."
        )
        self._end(job.row, JobState.FAILED, reason)

    # Jobs

    def _start_jobs(self, now: float) -> None:
        """Start queued jobs, oldest first, while the window has room for their frames."""
        if self._faults.holding(now) or self._loading is not None:
            return
        held = [name for name in self._config.models if self._faults.holding_model(name, now)]
        for row in self._ledger.queued(WINDOW, without_models=held):
            if self._frames_open() >= WINDOW:
                return
            alone = row.suspect or any(job.row.suspect for job in self._running.values())
            if alone and self._running:
                return
            if self._guarded(row, lambda row=row: self._start(row)) is False:
                return

    def _guarded(self, row: JobRow, act: Callable[[], T]) -> T | None:
        """The edge around one job: what goes wrong inside it fails it and no other."""
        try:
            return act()
        except EnvironmentFault:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in ENVIRONMENT_ERRNOS:
                raise
            log.exception("job %s failed by a fault of img2imgd itself", row.id)
            self._end(row, JobState.FAILED, f"img2imgd itself failed on it: {error!r}")
            return None

    def _start(self, row: JobRow) -> bool:
        """Start one job; False when no further one may be started before something happens."""
        request = row.spec.asked
        if request.model not in self._config.models:
            reason = f"The config has no model {request.model} any more."
            self._end(row, JobState.FAILED, f"{reason}\nName another in the sidecar.")
            return True
        loaded = self._pool.loaded
        if loaded is None or loaded.name != request.model:
            if not self._running:
                self._loading = request.model
                self._pool.load(model_spec(self._config, request.model))
            return False
        try:
            job = self._starting.begin(row, loaded)
        except PictureError as error:
            self._end(row, JobState.FAILED, str(error))
            return True
        if job is None:
            return True
        self._running[row.id] = job
        log.info("job %s started, frames to paint: %d", row.id, len(job.to_paint))
        return True

    def _admit(self, now: float) -> None:
        """Give the worker frames of the running jobs, oldest job first."""
        if self._faults.holding(now):
            return
        room = WINDOW - len(self._pool.admitted)
        for job in list(self._running.values()):
            while room > 0 and job.to_paint:
                if not self._guarded(job.row, lambda job=job: self._admit_first(job)):
                    break
                room -= 1

    def _admit_first(self, job: RunningJob) -> bool:
        index = job.to_paint[0]
        task, files = job.task(index), job.files(index)
        job.to_paint.pop(0)
        job.in_engine.add(index)
        self._pool.admit(task, *files)
        return True

    def _advance(self, job: RunningJob) -> None:
        if self._publishing.advance(job):
            self._running.pop(job.id, None)
            self._faults.succeeded()

    def _resume(self, row: JobRow) -> None:
        frames = self._ledger.frames(row.id)
        self._publishing.publish(RunningJob.resume(row, self._config.outbox, frames))

    def _end(self, row: JobRow, state: JobState, reason: str) -> None:
        self._pool.cancel(row.id)
        self._archive.end(row, state, reason)
        self._running.pop(row.id, None)

    def _finish_ended(self) -> None:
        """Archive what was refused at claim, and what a fault kept from being archived."""
        for row in self._ledger.unarchived():
            if row.id in self._unfinished:
                continue
            try:
                self._archive.finish(row)
            except EnvironmentFault:
                raise
            except Exception as error:
                if isinstance(error, OSError) and error.errno in ENVIRONMENT_ERRNOS:
                    raise
                log.exception("job %s: its inputs stay in the spool until the next start", row.id)
                self._unfinished.add(row.id)
            self._faults.succeeded()

    # Upkeep

    @property
    def _idle_unload(self) -> float:
        seconds = self._config.engine.idle_unload
        return math.inf if seconds is None else seconds

    def _frames_open(self) -> int:
        return sum(len(job.to_paint) + len(job.in_engine) for job in self._running.values())

    def _write_steps(self, now: float) -> None:
        if self._steps and now - self._steps_written >= _PROGRESS_SECONDS:
            self._ledger.set_steps(self._steps)
            self._steps.clear()
            self._steps_written = now

    def _rest(self, now: float) -> None:
        """Let the worker go after ``idle_unload``: that frees the device's memory whole."""
        if self._running or self._loading or not self._pool.running:
            self._idle_since = None
            return
        if self._idle_since is None:
            self._idle_since = now
        elif now - self._idle_since >= self._idle_unload:
            log.info("idle for %.0f s: the worker is let go", now - self._idle_since)
            self._pool.stop(5)
            self._reader.close()
            self._idle_since = None
