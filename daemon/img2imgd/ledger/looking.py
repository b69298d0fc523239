"""What the page asks of the ledger beside reports."""

from __future__ import annotations

import json
from collections.abc import Collection

from img2imgd.ledger.history import Ending, History


class Looking(History):
    """Reads for somebody who looks on; writes nothing."""

    def newest_ended(self, kind: Ending) -> str:
        """The id of the job that ended last; empty where there is none."""
        jobs = self.ended(kind, 1).jobs
        return jobs[0].id if jobs else ""

    def newest_staged(self, jobs: Collection[str]) -> dict[str, int]:
        """The last of each job's frames that are staged, by job; jobs without are left out."""
        rows = self.read(
            "SELECT job, max(idx) FROM frames WHERE state='staged'"
            " AND job IN (SELECT value FROM json_each(?)) GROUP BY job",
            (json.dumps(list(jobs)),),
        )
        return {job: int(index) for job, index in rows}

    def oldest_queued(self) -> float | None:
        """When the queued job that has waited longest was claimed, in seconds since 1970."""
        rows = self.read("SELECT claimed_at FROM jobs WHERE state='queued' ORDER BY rowid LIMIT 1")
        return rows[0]["claimed_at"] if rows else None

    def known_jobs(self, jobs: Collection[str]) -> set[str]:
        """Those of the ids that the ledger knows."""
        rows = self.read(
            "SELECT id FROM jobs WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(jobs)),),
        )
        return {row["id"] for row in rows}
