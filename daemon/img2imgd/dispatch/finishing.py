"""Brings jobs that are painted to their end, those that an earlier process was publishing too."""

from __future__ import annotations

import logging
from pathlib import Path

from img2imgd.dispatch.edge import Edge
from img2imgd.dispatch.faults import Faults
from img2imgd.dispatch.publishing import Publishing
from img2imgd.dispatch.running import RunningJob
from img2imgd.job import JobState
from img2imgd.ledger import JobRow, Ledger

log = logging.getLogger(__name__)


class Finishing:
    """Has jobs published. ``running`` is the dispatcher's own table of jobs, by id."""

    def __init__(
        self,
        outbox: Path,
        ledger: Ledger,
        publishing: Publishing,
        faults: Faults,
        edge: Edge,
        running: dict[str, RunningJob],
    ) -> None:
        self._outbox = outbox
        self._ledger = ledger
        self._publishing = publishing
        self._faults = faults
        self._edge = edge
        self._running = running
        self._begun: list[JobRow] = []  # an earlier process was publishing them

    def recover(self) -> None:
        """Take up what an earlier process was publishing: once at start."""
        self._begun = self._ledger.jobs_in(JobState.PUBLISHING)

    def step(self, now: float) -> None:
        """Do the next thing for every job that is painted."""
        for row in list(self._begun):
            if self._faults.holding(now):
                return
            if self._faults.holds_job(row.id, now):
                continue
            self._edge.guard(row, now, lambda row=row: self.resume(row))
            if not self._faults.has_met(row.id):
                self._begun.remove(row)
        for job in list(self._running.values()):
            if self._faults.holding(now):
                return
            if self._faults.holds_job(job.id, now):
                continue
            if job.painted and job.assembling is None:
                self._edge.guard(job.row, now, lambda job=job: self._advance(job))

    def resume(self, row: JobRow) -> None:
        """Go on with a job whose publishing was cut short; or paint again what is gone of it."""
        job = RunningJob.resume(row, self._outbox, self._ledger.frames(row.id))
        if self._publishing.can_go_on(job):
            self._publishing.publish(job)
        else:
            log.warning("job %s: what was painted of it is gone, it is painted again", row.id)
            self._ledger.set_state(row.id, JobState.QUEUED)
        self._faults.clear_job(row.id)

    def _advance(self, job: RunningJob) -> None:
        if self._publishing.advance(job):
            self._running.pop(job.id, None)
            self._faults.clear_job(job.id)
            self._faults.succeeded()
