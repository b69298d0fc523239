"""Results and failures, newest first, some at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from img2imgd.job import FrameState, JobState
from img2imgd.ledger import At, JobRow, Ledger, Outcome
from img2imgd.page.cards import card_of, notes_of, split_reason
from img2imgd.page.inputs import input_of
from img2imgd.page.outputs import JobOutputs
from img2imgd.page.retrying import why_no_retry
from img2imgd.page.urls import THUMB, frame_url, input_url
from img2imgd.page.wire import Failure, Failures, Result, Results, iso_or_none

MOST = 200  # of one answer
_CURSOR = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)-(\d{1,18})")

SizeOf = Callable[[str, int], tuple[int, int] | None]  # (job, frame) → size of its thumbnail


def to_cursor(at: At) -> str:
    """A place in the list as text."""
    return f"{at[0]!r}-{at[1]}"


def from_cursor(text: str) -> At | None:
    """The inverse of :func:`to_cursor`; None for any other text."""
    found = _CURSOR.fullmatch(text)
    return (float(found[1]), int(found[2])) if found else None


class History:
    """Makes the lists. ``size_of`` knows the sizes of thumbnails that were made."""

    def __init__(self, outbox: Path, size_of: SizeOf) -> None:
        self._outbox = outbox
        self._size_of = size_of

    def results(self, ledger: Ledger, limit: int, before: At | None, text: str) -> Results:
        """Jobs that published something; ``text`` is looked for in their names and prompts."""
        rows, total = _found(ledger, "results", limit, before, text)
        items = tuple(self._result(ledger, row) for _, row in rows[:limit])
        return Results(items, _next(rows, limit), total)

    def failures(self, ledger: Ledger, limit: int, before: At | None) -> Failures:
        """Jobs that published nothing."""
        rows, total = _found(ledger, "failures", limit, before, "")
        ordered = {order.job for order in ledger.orders("retry")}
        items = tuple(self._failure(row, ordered) for _, row in rows[:limit])
        return Failures(items, _next(rows, limit), total)

    def _result(self, ledger: Ledger, row: JobRow) -> Result:
        frame = shown_frame(ledger, row)
        gone = False
        with suppress(OSError):  # a disk that does not answer has taken nothing away
            gone = JobOutputs(self._outbox, row).gone
        return Result(
            **card_of(row),
            ended_at=iso_or_none(row.ended_at),
            state=row.state.value,
            thumb=frame_url(row.id, frame, THUMB),
            thumb_size=self._size_of(row.id, frame),
            notes=notes_of(row),
            gone=gone,
        )

    def _failure(self, row: JobRow, ordered: Collection[str]) -> Failure:
        reason, advice = split_reason(row.reason)
        why = why_no_retry(row)
        there = False
        with suppress(OSError):
            there = input_of(row) is not None
        return Failure(
            **card_of(row),
            ended_at=iso_or_none(row.ended_at),
            state=row.state.value,
            thumb=input_url(row.id, THUMB) if there else None,
            reason=reason,
            advice=advice,
            **retry_fields(row, why, ordered),
        )


def retry_fields(row: JobRow, why: str, ordered: Collection[str]) -> dict[str, Any]:
    """What cards of failures say of trying again."""
    return {"retry": not why, "retry_why": why, "ordered": row.id in ordered}


def shown_frame(ledger: Ledger, row: JobRow) -> int:
    """The frame that stands for a job: the middle one, or the nearest to it that was painted."""
    count = len(row.spec.outputs.frames) if row.spec.outputs else 0
    middle = count // 2
    if row.state is JobState.DONE and not row.reason:
        return middle
    there = [f.index for f in ledger.frames(row.id) if f.state is FrameState.PUBLISHED]
    return min(there, key=lambda index: abs(index - middle), default=middle)


def _found(
    ledger: Ledger, outcome: Outcome, limit: int, before: At | None, text: str
) -> tuple[list[tuple[At, JobRow]], int]:
    """One row more than asked for, if there is one, and how many there are in all."""
    if not text:
        return ledger.ended(outcome, limit + 1, before), ledger.count_ended(outcome)
    words = text.casefold().split()
    found = [
        (at, job)
        for at, job, told in ledger.texts_of_ended(outcome)
        if all(word in told.casefold() for word in words)
    ]
    behind = [job for at, job in found if before is None or at < before][: limit + 1]
    return (ledger.ended(outcome, limit + 1, None, behind) if behind else []), len(found)


def _next(rows: list[tuple[At, JobRow]], limit: int) -> str | None:
    return to_cursor(rows[limit - 1][0]) if len(rows) > limit else None
