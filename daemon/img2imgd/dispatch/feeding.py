"""Gives the worker frames of the running jobs, in their turns."""

from __future__ import annotations

import logging

from img2imgd.dispatch.edge import Edge
from img2imgd.dispatch.faults import Faults
from img2imgd.dispatch.publishing import check_outbox
from img2imgd.dispatch.running import RunningJob
from img2imgd.dispatch.turns import Turns
from img2imgd.pool.supervision import WorkerPool

log = logging.getLogger(__name__)


class Feeding:
    """Fills the worker's window."""

    def __init__(self, pool: WorkerPool, turns: Turns, faults: Faults, edge: Edge) -> None:
        self._pool = pool
        self._turns = turns
        self._faults = faults
        self._edge = edge

    def feed(self, now: float) -> None:
        """Admit frames until the window is full, or no job may give one."""
        stuck: set[str] = set()
        while not self._faults.holding(now):
            job = self._turns.next(lambda job: job in stuck or self._faults.holds_job(job, now))
            if job is None:
                return
            if not self._edge.guard(job.row, now, lambda job=job: self.admit_first(job)):
                stuck.add(job.id)

    def admit_first(self, job: RunningJob) -> bool:
        """Admit a job's next frame; False if its picture has to be prepared again."""
        check_outbox(job.staging)
        if not job.has_picture:
            self._prepare_again(job)
            return False
        job.prepare_staging()  # somebody may have removed the folder
        self._faults.clear_job(job.id)
        index = job.to_paint[0]
        task, files = job.task(index), job.files(index)
        job.to_paint.pop(0)
        job.in_engine.add(index)
        self._pool.admit(task, *files)
        return True

    def _prepare_again(self, job: RunningJob) -> None:
        """Queue a job whose prepared picture is gone, once the worker has none of its frames."""
        if not job.in_engine:
            log.warning("job %s: its prepared picture is gone, it is made again", job.id)
            self._edge.queue_again(job)
