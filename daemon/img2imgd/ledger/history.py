"""Reading what has ended, a page at a time, and how far the frames of many jobs are."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple

from img2imgd.ledger.jobs import Jobs, job_row
from img2imgd.ledger.rows import JobRow

Ending = Literal["results", "failures"]
"""Jobs that published something, cancelled ones among them; jobs that failed or left nothing."""

# Word for word as in the partial indexes of ``schema``, or SQLite does not use them; the plus signs
# keep it from the index of states, which gives no order.
_ENDINGS: dict[Ending, str] = {
    "results": "(+state='done' OR (+state='cancelled' AND published<>''))",
    "failures": "(+state='failed' OR (+state='cancelled' AND published=''))",
}
_HOLDS = (
    " AND (instr(folded(rel), :text) OR instr(folded(json_extract(spec, '$.request.prompt')), "
    ":text) OR EXISTS (SELECT 1 FROM json_each(spec, '$.request.more_prompts')"
    " WHERE instr(folded(value), :text)))"
)


_MOST_DIGITS = 18  # SQLite takes 64 bits


class Place(NamedTuple):
    """Where an ended job stands among those of its kind; as text, for a page to ask for more."""

    ended_at: float
    number: int

    def __str__(self) -> str:
        return f"{self.ended_at!r}_{self.number}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """The inverse of ``str``.

        Raises:
            ValueError: it is none.
        """
        ended_at, _, number = text.partition("_")
        if len(number) > _MOST_DIGITS:
            raise ValueError(text)
        return cls(float(ended_at), int(number))


@dataclass(frozen=True)
class HistoryPage:
    """Some ended jobs, newest first, and from where to go on; None after the last."""

    jobs: tuple[JobRow, ...]
    next: Place | None


@dataclass(frozen=True)
class Progress:
    """Over a job's frames: how many there are, are staged or refused, and steps.

    ``staged_steps`` are those of finished frames; ``steps_done`` also has those under way.
    """

    frames: int
    frames_done: int
    steps: int
    staged_steps: int
    steps_done: int


class History(Jobs):
    """What has ended, and what is under way, for reports."""

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """All reads inside see the ledger at one moment."""
        self.read("BEGIN")
        try:
            yield
        finally:
            if self.sql.in_transaction:
                self.sql.execute("COMMIT")

    def ended(
        self, kind: Ending, limit: int, before: Place | None = None, text: str = ""
    ) -> HistoryPage:
        """Ended jobs older than ``before``, newest first.

        With ``text``, those alone that have it in their picture's path or their prompts, whatever
        its case, and whether its accents are characters of their own (as macOS writes names).
        """
        where = _ENDINGS[kind] + (self._filter() if text else "")
        if before is not None:
            where += " AND (ended_at, rowid) < (:ended_at, :number)"
        rows = self.read(
            f"SELECT rowid, * FROM jobs WHERE {where}"  # noqa: S608
            " ORDER BY ended_at DESC, rowid DESC LIMIT :limit",
            {
                "text": _folded(text), "limit": limit + 1,
                "ended_at": before and before.ended_at, "number": before and before.number,
            },
        )  # fmt: skip
        shown = rows[:limit]
        more = len(rows) > limit and shown
        last = Place(shown[-1]["ended_at"], shown[-1]["rowid"]) if more else None
        return HistoryPage(tuple(map(job_row, shown)), last)

    def count_ended(self, kind: Ending, text: str = "") -> int:
        """How many jobs ended so, and hold the text."""
        where = _ENDINGS[kind] + (self._filter() if text else "")
        found = self.read(f"SELECT count(*) FROM jobs WHERE {where}", {"text": _folded(text)})  # noqa: S608
        return int(found[0][0])

    def progress(self, jobs: Collection[str]) -> dict[str, Progress]:
        """How far the frames of these jobs are, by job; jobs without frames are left out."""
        rows = self.read(
            "SELECT job, count(*), sum(state<>'waiting'), sum(steps),"
            " sum(CASE state WHEN 'waiting' THEN 0 ELSE steps END),"
            " sum(CASE state WHEN 'waiting' THEN min(step, steps) ELSE steps END)"
            " FROM frames WHERE job IN (SELECT value FROM json_each(?)) GROUP BY job",
            (json.dumps(list(jobs)),),
        )
        return {row[0]: Progress(*row[1:]) for row in rows}

    def first_queued(self, limit: int) -> list[JobRow]:
        """Jobs that are claimed, or just being claimed, and have not started; oldest first."""
        return self._jobs("state IN ('claiming', 'queued')", (), limit=limit)

    def _filter(self) -> str:
        """The condition that a job holds the text; SQLite itself folds ASCII alone."""
        self.sql.create_function("folded", 1, _folded, deterministic=True)
        return _HOLDS


def _folded(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if not isinstance(value, str):
        return ""
    folded = value.casefold()
    return folded if folded.isascii() else unicodedata.normalize("NFC", folded)
