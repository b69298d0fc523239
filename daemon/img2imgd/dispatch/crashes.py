"""What the worker's death means for the jobs that were in it: suspects, attempts, set aside."""

from __future__ import annotations

import logging
from collections.abc import Callable

from img2imgd.dispatch.faults import Faults
from img2imgd.dispatch.running import RunningJob
from img2imgd.job import JobState
from img2imgd.ledger import JobRow, Ledger
from img2imgd.pool.messages import WorkerDied

log = logging.getLogger(__name__)


class Crashes:
    """Jobs that were in the worker are suspects; one that was there alone is to blame.

    ``running`` is the dispatcher's own table: a job that is queued again leaves it. ``fail`` ends
    a job with a reason.
    """

    def __init__(
        self,
        ledger: Ledger,
        faults: Faults,
        running: dict[str, RunningJob],
        fail: Callable[[JobRow, str], None],
        max_attempts: int,
    ) -> None:
        self._ledger = ledger
        self._faults = faults
        self._running = running
        self._fail = fail
        self._max_attempts = max_attempts

    def worker_died(self, event: WorkerDied, now: float) -> None:
        """Decide for every running job how it goes on."""
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
                self._count(job, event.exit)
            else:
                self._queue_again(job, suspect=job.id in inside)

    def _queue_again(self, job: RunningJob, *, suspect: bool) -> None:
        with self._ledger.transaction():
            if suspect:
                self._ledger.set_suspect(job.id, True)
            self._ledger.set_state(job.id, JobState.QUEUED)
        del self._running[job.id]

    def _count(self, job: RunningJob, how: str) -> None:
        attempts = self._ledger.count_attempt(job.id)
        if attempts < self._max_attempts:
            self._queue_again(job, suspect=True)
            return
        reason = (
            f"The worker died {attempts} times while it painted this picture alone ({how}).\n"
            "Try another size or model; the log of img2imgd says more."
        )
        self._fail(job.row, reason)
