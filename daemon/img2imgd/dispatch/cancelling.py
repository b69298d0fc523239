"""Orders to cancel: queued jobs end at once, running ones at their step, with what is painted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from img2imgd import durable
from img2imgd.dispatch.publishing import cancelled_in_words
from img2imgd.dispatch.running import RunningJob
from img2imgd.dispatch.starting import Starting
from img2imgd.errors import EnvironmentFault, LedgerDamaged
from img2imgd.job import JobState
from img2imgd.ledger import JobRow, Ledger, OrderRow, why_not_cancelled
from img2imgd.log import Lasting
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
        self._lasting = Lasting(log)

    def take_more(self) -> bool:
        """True, once, when a step has left orders that can be carried out at once."""
        more, self._more = self._more, False
        return more

    def step(self) -> None:
        """Begin to cancel what was ordered, for a moment.

        Raises:
            EnvironmentFault: the ledger cannot be written now; the orders stand.
        """
        under_way = {job.id for job in self._running.values() if job.cancelled}
        orders = self._ledger.orders("cancel", _AT_ONCE + len(under_way))
        found = [(order, self._ledger.job(order.job)) for order in orders]
        unpainted: list[tuple[OrderRow, JobRow]] = []
        over: list[OrderRow] = []
        for order, row in found:
            if row is None or why_not_cancelled(row):
                over.append(order)
                continue
            match self._begin(row):
                case "unpainted":
                    unpainted.append((order, row))
                case "nothing":
                    over.append(order)
                case _:
                    pass
        if unpainted or over:
            self._end(unpainted, over)
            self._more = len(orders) >= _AT_ONCE

    def _begin(self, row: JobRow) -> Literal["unpainted", "nothing", "begun"]:
        """Begin to cancel a job, or find that it was never painted, or nothing to be done.

        A fault of one job's files is no fault of the others: its order stands, or is dropped where
        the fault is ours.
        """
        try:
            if row.state is JobState.QUEUED:
                if not self._may_be_staged(row):
                    return "unpainted"
                self._take_up(row)
            elif row.state is JobState.RUNNING and not self._give_up(row):
                return "nothing"
        except (EnvironmentFault, LedgerDamaged):
            raise
        except OSError as error:
            what = f"{error.filename or self._outbox}: {error.strerror or error}"
            self._lasting.say(row.id, f"job {row.id}: its cancelling waits: {what}")
        except Exception:  # one order's edge: it would keep everything from being painted
            log.exception("job %s cannot be cancelled by a fault of img2imgd itself", row.id)
            return "nothing"
        return "begun"

    def _may_be_staged(self, row: JobRow) -> bool:
        """False for a job of which no frame can be on disk; its outbox may be away."""
        return row.started_at is not None or durable.is_there(Staging(self._outbox, row.id).folder)

    def _end(self, unpainted: Sequence[tuple[OrderRow, JobRow]], over: Sequence[OrderRow]) -> None:
        """End jobs that have never run; where their inputs go is planned when they are moved."""
        ended: list[JobRow] = []
        with self._ledger.transaction():
            for order, known in unpainted:
                row = self._ledger.job(known.id)
                if row is None or row.state is not JobState.QUEUED:
                    continue  # a newer save has just taken its place: the next step knows
                reason = cancelled_in_words(len(row.spec.reserved.frames))
                self._ledger.set_state(row.id, JobState.CANCELLED, reason)
                self._ledger.end_order(order)
                ended.append(row)
            for order in over:
                self._ledger.end_order(order)
        for row in ended:
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
