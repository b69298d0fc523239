"""The dispatcher: takes jobs from the ledger, feeds the worker, publishes, archives.

One ``step`` waits for the worker's events at most a moment, handles them, and admits more. Nothing
here is the truth: a dispatcher that starts anew goes on from the ledger and the staging folders.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Literal

from img2imgd import metrics
from img2imgd.config import Config
from img2imgd.dispatch.archive import Archive
from img2imgd.dispatch.archiving import Archiving
from img2imgd.dispatch.cancelling import Cancelling
from img2imgd.dispatch.crashes import Crashes
from img2imgd.dispatch.edge import Edge
from img2imgd.dispatch.events import Events
from img2imgd.dispatch.faults import Faults, fault_in_words
from img2imgd.dispatch.feeding import Feeding
from img2imgd.dispatch.finishing import Finishing
from img2imgd.dispatch.latest import Latest
from img2imgd.dispatch.models import model_spec
from img2imgd.dispatch.publishing import Publishing
from img2imgd.dispatch.renewal import Renewal
from img2imgd.dispatch.resting import Resting
from img2imgd.dispatch.running import RunningJob
from img2imgd.dispatch.starting import Starting, check_files
from img2imgd.dispatch.superseding import Superseding
from img2imgd.dispatch.telling import Telling
from img2imgd.dispatch.turns import Turns
from img2imgd.errors import EnvironmentFault, PictureError
from img2imgd.job import JobState
from img2imgd.ledger import JobRow, Ledger, OrderRow
from img2imgd.pool.reading import ReaderProcess
from img2imgd.pool.supervision import WorkerPool

log = logging.getLogger(__name__)


class Dispatch:
    """Serves the ledger's queue with one worker.

    ``retry_ordered`` is called when that has been asked for: the inboxes do it.
    """

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        pool: WorkerPool,
        reader: ReaderProcess,
        retry_ordered: Callable[[], None] = lambda: None,
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._pool = pool
        self._archive = Archive(config, ledger)
        self._starting = Starting(config, ledger, reader, pool.wake)
        self._latest = Latest(config.outbox, ledger, _inboxes(config, "latest"))
        self._publishing = Publishing(config.outbox, ledger, pool, self._archive, self._latest)
        self._running: dict[str, RunningJob] = {}
        self._faults = Faults(ledger)
        self._archiving = Archiving(ledger, self._archive, self._faults)
        self._crashes = Crashes(
            ledger, self._faults, self._running, self._archive, config.limits.max_attempts
        )
        self._turns = Turns(ledger, self._running, pool, config.models.keys())
        self._telling = Telling(ledger, self._faults, self._running, pool, self._starting)
        self._events = Events(
            ledger, self._faults, self._crashes, self._turns, self._running, self._telling
        )
        self._cancelling = Cancelling(config.outbox, ledger, pool, self._starting, self._running)
        self._superseding = Superseding(ledger, pool, self._running, _inboxes(config, "live"))
        self._resting = Resting(
            config.engine.idle_unload, ledger, pool, reader,
            self._starting, self._events, self._running,
        )  # fmt: skip
        self._edge = Edge(ledger, pool, self._archive, self._faults, self._starting, self._running)
        self._feeding = Feeding(pool, self._turns, self._faults, self._edge)
        self._finishing = Finishing(
            config.outbox, ledger, self._publishing, self._faults, self._edge, self._running
        )
        self._renewal = Renewal(pool, self._starting, self._faults, self._edge, self._running)
        self._retry_ordered = retry_ordered
        self._last_retry: OrderRow | None = None
        self._recovered = False

    def reconfigure(self, config: Config) -> None:
        """Serve by another config from the next step on; what runs is painted as it was begun."""
        self._config = config
        self._starting.reconfigure(config)
        self._latest.inboxes = _inboxes(config, "latest")
        self._superseding.inboxes = _inboxes(config, "live")
        self._turns.models = config.models.keys()
        self._crashes.max_attempts = config.limits.max_attempts
        self._resting.idle_unload = config.engine.idle_unload
        self._pool.reconfigure(
            config.engine.backend,
            offline=config.offline,
            stall_timeout=config.engine.stall_timeout,
        )

    @property
    def blocked_since(self) -> float | None:
        """Since when (monotonic) the environment has not allowed any work, None if it does."""
        works = any(not self._faults.has_met(job.id) for job in self._in_worker())
        blocked = self._faults.general or not works or self._pool.stuck
        return self._faults.since if blocked else None

    @property
    def loading(self) -> bool:
        """True while a model is being loaded, which may mean downloaded."""
        return self._pool.loading is not None

    @property
    def painting(self) -> bool:
        """True while the worker has frames."""
        return bool(self._pool.admitted)

    def recover(self) -> None:
        """Take up what an earlier process left: once at start."""
        for row in self._ledger.jobs_in(JobState.RUNNING):
            self._crashes.daemon_died(row)
        self._finishing.recover()
        self._recovered = True

    def step(self, timeout: float) -> None:
        """Handle the worker's events (waiting up to ``timeout`` seconds), then move jobs on."""
        more = self._archiving.take_more() | self._cancelling.take_more()
        self._events.add(self._pool.poll(0 if more else timeout))
        now = time.monotonic()
        try:
            if not self._recovered:
                self.recover()
            self._events.handle(now)
            self._hold_while_stuck(now)
            self._cancelling.step()
            self._superseding.step()
            self._look_for_retries()
            paused = self._resting.pause(now)
            self._archiving.step(now)
            self._finishing.step(now)
            self._archiving.step(now)
            if not paused:
                self._start_jobs(now)
                self._feeding.feed(now)
        except (EnvironmentFault, OSError) as error:
            if not (what := fault_in_words(error)):
                raise
            self._faults.report(what, now)
        self._telling.tell(now)
        self._resting.rest(now)

    def stop(self, grace: float) -> None:
        """Stop the worker; running jobs go on from their staged frames at the next start."""
        self._starting.stop()
        self._pool.stop(grace)
        for job in self._running.values():
            if job.in_worker:  # else it may be in the outbox already, which is found out at start
                self._ledger.set_state(job.id, JobState.QUEUED)
        self._running.clear()

    # Jobs

    def _start_jobs(self, now: float) -> None:
        """Start queued jobs whose turn it is, while there is room for their frames.

        Their pictures are read meanwhile: a job is started in the step after that.
        """
        self._starting.collect()
        faults = self._faults
        if self._pool.loading is not None or faults.holding(now):
            return
        if self._renewal.due(self._config) and not self._renewal.renew(self._config):
            return
        if not self._turns.has_room(faults.has_met):
            return
        held = faults.held_models(now), faults.held_inboxes(now), faults.held_jobs(now)
        queued = self._turns.queued(held)
        self._starting.keep({row.id for row in queued}, self._pool.loaded)
        model = self._turns.model(queued, self._pool.loaded, now)
        for job in self._turns.to_queue_again():
            self._edge.queue_again(job)
        for row in queued:
            if faults.holding(now):
                return
            if row.spec.home in faults.held_inboxes(now):
                continue  # an older job of its inbox has just found it away
            if self._turns.may_start(row, faults.has_met):
                self._edge.guard(row, now, lambda row=row: self._start(row, model, now))
            if self._pool.loading is not None:
                return

    def _start(self, row: JobRow, model: str | None, now: float) -> None:
        """Start one job, or have its picture read, or its ``model`` loaded, if that is its own."""
        if self._publishing.was_begun(row):
            self._finishing.resume(row)
            return
        wanted = row.spec.asked.model
        if wanted not in self._config.models:
            reason = f"The config has no model {wanted} any more."
            self._edge.fail(row, f"{reason}\nName another in the sidecar.")
            return
        if wanted != model:
            return  # its turn comes
        try:
            if (loaded := self._pool.loaded) is None or loaded.name != wanted:
                check_files(row)  # where they are away or gone, nothing gives way to it
                self._load(wanted, now)
                return
            if not self._starting.prepare(row, loaded):
                return
            job = self._starting.begin(row)
        except PictureError as error:
            self._edge.fail(row, str(error))
            return
        self._faults.clear_inbox(row.spec.home)
        self._faults.clear_job(row.id)
        if job is None:
            return
        self._running[row.id] = job
        if row.started_at is None:
            metrics.STAGES.observe(max(time.time() - row.claimed_at, 0.0), "queue")
        log.info("job %s started, frames to paint: %d", row.id, len(job.to_paint))

    def _load(self, model: str, now: float) -> None:
        """Have a model loaded once the worker has nothing more to do."""
        if self._turns.drained and not self._starting.under_way:
            self._turns.loading(now)
            spec = model_spec(self._config, model)
            self._renewal.loading(self._config, spec)
            self._pool.load(spec)

    # Upkeep

    def _look_for_retries(self) -> None:
        latest = self._ledger.latest_order("retry")
        if latest not in (None, self._last_retry):
            self._retry_ordered()
        self._last_retry = latest

    def _hold_while_stuck(self, now: float) -> None:
        """Nothing is started while a worker that was killed still holds its device."""
        if self._pool.stuck and not self._faults.holding(now):
            self._faults.report(
                f"The worker (process {self._pool.pid}) hangs and cannot be ended: its device or a "
                "disk does not answer. Where that does not pass, restart the machine.",
                now,
            )

    def _in_worker(self) -> list[RunningJob]:
        return [job for job in self._running.values() if job.in_worker]


def _inboxes(config: Config, key: Literal["live", "latest"]) -> frozenset[str]:
    """The paths of the inboxes that have a key switched on."""
    return frozenset(str(inbox.path) for inbox in config.inboxes if getattr(inbox, key))
