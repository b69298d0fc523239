"""Orders to cancel: queued jobs end at once, running ones at their step, with what is painted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from img2imgd import durable
from img2imgd.dispatch.publishing import cancelled_in_words
from img2imgd.dispatch.running import RunningJob
from img2imgd.dispatch.starting import Starting
from img2imgd.job import JobState
from img2imgd.ledger import JobRow, Ledger, OrderRow, why_not_cancelled
from img2imgd.outputs.staging import Staging
from img2imgd.pool.supervision import WorkerPool

log = logging.getLogger(__name__)

_AT_ONCE = 500  # jobs that are cancelled in one commit


class Cancelling:
    """Carries the orders out. ``running`` is the dispatcher's own table of jobs, by id.

    An order stands until its job has ended, so that a crash in between changes nothing: what it
    finds then is cancelled once more, from wherever it stands.
    """

    def __init__(
        self,
        outbox: Path,
        ledger: Ledger,
        pool: WorkerPool,
        starting: Starting,
        running: dict[str, RunningJob],
    ) -> None:
        self._outbox = outbox
        self._ledger = ledger
        self._pool = pool
        self._starting = starting
        self._running = running
        self._more = False

    def take_more(self) -> bool:
        """True, once, when a step has left orders that can be carried out at once."""
        more, self._more = self._more, False
        return more

    def step(self) -> None:
        """Begin to cancel what was ordered, for a moment.

        Raises:
            EnvironmentFault: the ledger cannot be written now; the orders stand.
            OSError: a disk does not answer.
        """
        under_way = {job.id for job in self._running.values() if job.cancelled}
        orders = self._ledger.orders("cancel", _AT_ONCE + len(under_way))
        found = [(order, self._ledger.job(order.job)) for order in orders]
        unpainted: list[tuple[OrderRow, JobRow]] = []
        over: list[OrderRow] = []
        for order, row in found:
            if row is None or why_not_cancelled(row):
                over.append(order)
            elif row.state is JobState.QUEUED and not self._may_be_staged(row):
                unpainted.append((order, row))
            elif row.state is JobState.QUEUED:
                self._take_up(row)
            elif row.state is JobState.RUNNING and not self._give_up(row):
                over.append(order)
        if unpainted or over:
            self._end(unpainted, over)
            self._more = len(orders) >= _AT_ONCE

    def _may_be_staged(self, row: JobRow) -> bool:
        """False for a job of which no frame can be on disk; its outbox may be away."""
        return row.started_at is not None or durable.is_there(Staging(self._outbox, row.id).folder)

    def _end(self, unpainted: Sequence[tuple[OrderRow, JobRow]], over: Sequence[OrderRow]) -> None:
        """End jobs that have never run; where their inputs go is planned when they are moved."""
        with self._ledger.transaction():
            for order, row in unpainted:
                reason = cancelled_in_words(len(row.spec.reserved.frames))
                self._ledger.set_state(row.id, JobState.CANCELLED, reason)
                self._ledger.end_order(order)
            for order in over:
                self._ledger.end_order(order)
        for _, row in unpainted:
            self._starting.forget(row.id)
            log.info("job %s cancelled before it was painted", row.id)

    def _take_up(self, row: JobRow) -> None:
        """Bring a job to its end that was queued again with frames that may be kept."""
        if Staging(self._outbox, row.id).announced:
            return  # it goes on being published, by the dispatcher, when its turn comes
        job = self._starting.take_up(row)
        self._ledger.set_state(row.id, JobState.RUNNING)
        job.cancelled = True
        job.to_paint.clear()
        self._running[row.id] = job
        log.info("job %s cancelled while it was queued", row.id)

    def _give_up(self, row: JobRow) -> bool:
        """Have the worker give up a job; False if there is nothing left to give up."""
        job = self._running.get(row.id)
        if job is None or job.cancelled:
            return True
        if job.painted:
            log.info("job %s is painted: it is too late to cancel it", row.id)
            return False
        unpainted = len(job.to_paint) + len(job.in_engine)
        log.info("job %s cancelled, frames not painted: %d", row.id, unpainted)
        job.cancelled = job.giving_up = True
        job.to_paint.clear()
        self._pool.cancel(row.id)
        return True
