"""Live inboxes: what is painted of a file that was saved anew is given up for the newer save.

Not always, or somebody who draws on and on, quicker than a picture is painted, would never see one:
what is half painted is finished, and so is what follows one that was given up.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from img2imgd.dispatch.running import RunningJob
from img2imgd.job import JobState
from img2imgd.ledger import Ledger
from img2imgd.pool.supervision import WorkerPool

log = logging.getLogger(__name__)

_WORTH_FINISHING = 0.5  # of its steps


class Superseding:
    """Gives up running jobs of ``inboxes``, by their paths. ``running`` is the dispatcher's own."""

    def __init__(
        self,
        ledger: Ledger,
        pool: WorkerPool,
        running: Mapping[str, RunningJob],
        inboxes: Collection[str],
    ) -> None:
        self._ledger = ledger
        self._pool = pool
        self._running = running
        self.inboxes = inboxes

    def step(self) -> None:
        """Give up what is stale; the worker takes no further step for it."""
        for job in self._running.values():
            if not job.cancelled and not job.painted and self._is_stale(job):
                log.info("job %s given up: %s was saved anew", job.id, job.row.spec.rel)
                job.cancelled = job.giving_up = job.stale = True
                job.to_paint.clear()
                self._pool.cancel(job.id)

    def _is_stale(self, job: RunningJob) -> bool:
        spec = job.row.spec
        if (
            spec.mode != "keep"
            or spec.inbox not in self.inboxes
            or job.share_painted >= _WORTH_FINISHING
        ):
            return False
        file = spec.inbox, spec.rel, spec.home
        if not self._ledger.queued_for(*file):
            return False
        last = self._ledger.ended_last(*file)
        return last is None or last.state is not JobState.REPLACED
