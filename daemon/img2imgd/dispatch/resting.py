"""When the worker is let go: after it was idle for long, and at once while a person has paused."""

from __future__ import annotations

import logging
from datetime import datetime

from img2imgd.dispatch.events import Events
from img2imgd.dispatch.running import RunningJob
from img2imgd.dispatch.starting import Starting
from img2imgd.job import JobState
from img2imgd.ledger import Ledger
from img2imgd.pool.reading import ReaderProcess
from img2imgd.pool.supervision import WorkerPool

log = logging.getLogger(__name__)

_IDLE_GRACE = 5.0  # seconds that a worker with nothing to do has to go
_STEP_GRACE = 10.0  # and one that has to end its step, and to write what it has painted


class Resting:
    """Ends the worker, which frees the device's memory whole.

    ``running`` is the dispatcher's own table of jobs, by id; ``idle_unload`` is in seconds, None
    for never.
    """

    def __init__(
        self,
        idle_unload: float | None,
        ledger: Ledger,
        pool: WorkerPool,
        reader: ReaderProcess,
        starting: Starting,
        events: Events,
        running: dict[str, RunningJob],
    ) -> None:
        self.idle_unload = idle_unload
        self._ledger = ledger
        self._pool = pool
        self._reader = reader
        self._starting = starting
        self._events = events
        self._running = running
        self._idle_since: float | None = None
        self._paused = False

    def pause(self, now: float) -> bool:
        """True while nothing is to be painted; what is under way then ends at its step.

        Jobs are queued again, each in its old place and with its staged frames. One that is being
        cancelled is brought to its end all the same: its animation and sheet need no device.

        Raises:
            EnvironmentFault: the ledger cannot be written now; the worker is gone all the same.
        """
        since = self._ledger.paused_since
        if (since is not None) != self._paused:
            self._paused = since is not None
            self._tell(since)
        if since is None:
            return False
        waiting = [job for job in self._running.values() if job.in_worker and not job.cancelled]
        cancelled = [job for job in self._running.values() if job.cancelled]
        needed = not waiting and any(job.at_work for job in cancelled)
        if self._pool.running and not needed and not self._pool.stuck:
            self._stop_worker(now)
        if waiting:
            with self._ledger.transaction():
                for job in waiting:
                    self._ledger.set_state(job.id, JobState.QUEUED)
        for job in waiting:
            job.in_engine.clear()
            job.assembling = None
            self._starting.remember(job)
            del self._running[job.id]
        self._starting.collect()
        self._starting.keep((), None)
        return True

    def rest(self, now: float) -> None:
        """Let the worker go once it has had nothing to do for ``idle_unload``."""
        works = (
            any(job.in_worker for job in self._running.values())
            or self._starting.under_way
            or self._pool.loading
        )
        if works or self.idle_unload is None or not self._pool.running:
            self._idle_since = None
            return
        if self._idle_since is None:
            self._idle_since = now
        elif now - self._idle_since >= self.idle_unload:
            log.info("idle for %.0f s: the worker is let go", now - self._idle_since)
            self._pool.stop(_IDLE_GRACE)
            self._reader.close()
            self._idle_since = None

    def _stop_worker(self, now: float) -> None:
        """End the worker after its step, and take over what it has still said."""
        self._pool.stop(_STEP_GRACE)
        self._events.add(self._pool.poll(0))
        self._events.handle(now)
        for job in self._running.values():
            job.assembling = None  # what was not made is made by the next worker

    def _tell(self, since: float | None) -> None:
        if since is None:
            log.info("resumed: work goes on")
            return
        when = datetime.fromtimestamp(since).astimezone()
        log.info(
            "paused since %s: the device is free and nothing is painted until `img2imgd resume`",
            when.strftime("%Y-%m-%d %H:%M:%S"),
        )
