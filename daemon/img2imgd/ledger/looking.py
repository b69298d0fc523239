"""What the page asks of the ledger: some jobs of many, quickly, whatever their number."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from img2imgd.job import JobState
from img2imgd.ledger.connection import Transactions
from img2imgd.ledger.jobs import job_row
from img2imgd.ledger.rows import JobRow

Outcome = Literal["results", "failures"]
At = tuple[float, int]  # the end of a job and its number: a place in a list that grows at its head

# The partial indexes of the schema say the same, word for word: so SQLite uses them.
_OF = {
    "results": "(state='done' OR (state='cancelled' AND published<>''))",
    "failures": "(state='failed' OR (state='cancelled' AND published=''))",
}
_CHUNK = 500


@dataclass(frozen=True)
class Progress:
    """How far a job is. ``newest`` is the index of the last frame that is staged."""

    frames: int
    frames_done: int
    steps: int
    steps_done: int
    newest: int | None


class Looking(Transactions):
    """Reads for somebody who looks on; writes nothing."""

    def ended(
        self, outcome: Outcome, limit: int, before: At | None = None, only: Sequence[str] = ()
    ) -> list[tuple[At, JobRow]]:
        """Jobs that published something, or did not, newest end first; each with its place.

        ``before`` continues behind a place. ``only``: of these ids alone.
        """
        behind = " AND (ended_at, rowid)<(?,?)" if before else ""
        among = f" AND id IN ({','.join('?' * len(only))})" if only else ""
        rows = self.read(
            f"SELECT rowid AS number, * FROM jobs WHERE {_OF[outcome]} AND ended_at IS NOT NULL"  # noqa: S608
            f"{behind}{among} ORDER BY ended_at DESC, rowid DESC LIMIT ?",
            (*(before or ()), *only, limit),
        )
        return [((row["ended_at"], row["number"]), job_row(row)) for row in rows]

    def count_ended(self, outcome: Outcome) -> int:
        """How many there are."""
        [(count,)] = self.read(
            f"SELECT count(*) FROM jobs WHERE {_OF[outcome]} AND ended_at IS NOT NULL"  # noqa: S608
        )
        return int(count)

    def newest_ended(self, outcome: Outcome) -> str:
        """The id of the newest; empty where there is none."""
        rows = self.read(
            f"SELECT id FROM jobs WHERE {_OF[outcome]} AND ended_at IS NOT NULL"  # noqa: S608
            " ORDER BY ended_at DESC, rowid DESC LIMIT 1"
        )
        return rows[0]["id"] if rows else ""

    def texts_of_ended(self, outcome: Outcome) -> Iterator[tuple[At, str, str]]:
        """(place, id, path and prompts) of all, newest first, for a search."""
        texts = (
            "CAST(coalesce(json_extract(spec, '$.request.prompt'), '') AS BLOB) AS prompt,"
            " CAST(coalesce(json_extract(spec, '$.request.more_prompts'), '') AS BLOB) AS more"
        )
        query = (
            f"SELECT rowid AS number, ended_at, id, rel, {texts} FROM jobs"  # noqa: S608
            f" WHERE {_OF[outcome]} AND ended_at IS NOT NULL ORDER BY ended_at DESC, rowid DESC"
        )
        for row in self.read(query):
            prompts = (row["prompt"] + b"\n" + row["more"]).decode("utf-8", "replace")
            yield (
                (row["ended_at"], row["number"]),
                row["id"],
                f"{os.fsdecode(row['rel'])}\n{prompts}",
            )

    def waiting_jobs(self, limit: int) -> list[str]:
        """The ids of jobs that wait for their turn, oldest claim first."""
        rows = self.read(
            "SELECT id FROM jobs WHERE state IN ('claiming','queued') ORDER BY rowid LIMIT ?",
            (limit,),
        )
        return [row["id"] for row in rows]

    def jobs_at_work(self) -> list[tuple[str, JobState, float | None]]:
        """(id, state, start) of jobs that are painted or published, oldest first."""
        rows = self.read(
            "SELECT id, state, started_at FROM jobs WHERE state IN ('running','publishing')"
            " ORDER BY rowid"
        )
        return [(row["id"], JobState(row["state"]), row["started_at"]) for row in rows]

    def progress(self, job: str) -> Progress:
        """How far a job's frames are."""
        [row] = self.read(
            "SELECT count(*) AS frames,"
            " coalesce(sum(state IN ('staged','published','failed')), 0) AS frames_done,"
            " coalesce(sum(steps), 0) AS steps,"
            " coalesce(sum(CASE WHEN state='waiting' THEN min(step, steps) ELSE steps END), 0)"
            " AS steps_done,"
            " max(CASE WHEN state='staged' THEN idx END) AS newest"
            " FROM frames WHERE job=?",
            (job,),
        )
        return Progress(*row)

    def oldest_queued(self) -> float | None:
        """When the queued job that has waited longest was claimed, in seconds since 1970."""
        rows = self.read("SELECT claimed_at FROM jobs WHERE state='queued' ORDER BY rowid LIMIT 1")
        return rows[0]["claimed_at"] if rows else None

    def known_jobs(self, jobs: Collection[str]) -> set[str]:
        """Those of the ids that the ledger knows."""
        ids, known = list(jobs), set[str]()
        for at in range(0, len(ids), _CHUNK):
            chunk = ids[at : at + _CHUNK]
            marks = ",".join("?" * len(chunk))
            query = f"SELECT id FROM jobs WHERE id IN ({marks})"  # noqa: S608
            known.update(row["id"] for row in self.read(query, chunk))
        return known
