"""The edge around one job: what goes wrong with it, or is not for now, stays its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from img2imgd.dispatch.archive import Archive
from img2imgd.dispatch.faults import Faults, fault_in_words
from img2imgd.dispatch.running import RunningJob
from img2imgd.dispatch.spools import InboxAway
from img2imgd.dispatch.starting import Starting
from img2imgd.errors import LedgerDamaged
from img2imgd.job import JobState
from img2imgd.ledger import JobRow, Ledger
from img2imgd.pool.supervision import WorkerPool

log = logging.getLogger(__name__)

T = TypeVar("T")


class Edge:
    """Pauses, fails and queues single jobs. ``running`` is the dispatcher's own table of jobs."""

    def __init__(
        self,
        ledger: Ledger,
        pool: WorkerPool,
        archive: Archive,
        faults: Faults,
        starting: Starting,
        running: dict[str, RunningJob],
    ) -> None:
        self._ledger = ledger
        self._pool = pool
        self._archive = archive
        self._faults = faults
        self._starting = starting
        self._running = running

    def guard(self, row: JobRow, now: float, act: Callable[[], T]) -> T | None:
        """Do something for a job: what goes wrong pauses or fails it, and no other."""
        try:
            return act()
        except LedgerDamaged:
            raise
        except InboxAway as away:
            self._faults.report_inbox(row.spec.home, str(away), now)
        except Exception as error:
            if what := fault_in_words(error):
                self._faults.report_work(row.id, what, now)
            else:
                log.exception("job %s failed by a fault of img2imgd itself", row.id)
                self.fail(row, f"img2imgd itself failed on it: {error!r}")
        return None

    def fail(self, row: JobRow, reason: str) -> None:
        """End a job with a reason for a person."""
        self._pool.cancel(row.id)
        self._archive.end(row, JobState.FAILED, reason)
        self._running.pop(row.id, None)
        self._starting.forget(row.id)
        self._faults.clear_job(row.id)

    def queue_again(self, job: RunningJob) -> None:
        """Queue a job of which the worker has nothing; it goes on from its staged frames."""
        self._starting.remember(job)
        self._ledger.set_state(job.id, JobState.QUEUED)
        del self._running[job.id]
