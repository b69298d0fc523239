"""Results and failures, newest first, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from img2imgd.config import Config
from img2imgd.errors import shown
from img2imgd.job import FrameState, JobState
from img2imgd.ledger import JobRow, Ledger, Place
from img2imgd.page.inputs import input_of
from img2imgd.page.now import fields_of
from img2imgd.page.outputs import JobOutputs
from img2imgd.page.urls import THUMB, frame_url, input_url
from img2imgd.page.wire import Failure, Failures, Result, Results
from img2imgd.status import Ended, Names, ended_of

MOST = 200  # of one answer

SizeOf = Callable[[str, int], tuple[int, int] | None]  # (job, frame) → size of its thumbnail


class History:
    """Makes the lists. ``size_of`` knows the sizes of thumbnails that were made."""

    def __init__(self, config: Config, size_of: SizeOf) -> None:
        self._outbox = config.outbox
        self._failed = config.failed
        self._names = names_of(config)
        self._size_of = size_of

    def results(self, ledger: Ledger, limit: int, before: Place | None, text: str) -> Results:
        """Jobs that published something; ``text`` is looked for in their names and prompts."""
        with ledger.snapshot():
            page = ledger.ended("results", limit, before, text)
            items = tuple(self._result(ledger, row) for row in page.jobs)
            return Results(items, _cursor(page.next), ledger.count_ended("results", text))

    def failures(self, ledger: Ledger, limit: int, before: Place | None) -> Failures:
        """Jobs that published nothing."""
        with ledger.snapshot():
            page = ledger.ended("failures", limit, before)
            ordered = ordered_jobs(ledger)
            items = tuple(self._failure(row, row.id in ordered) for row in page.jobs)
            return Failures(items, _cursor(page.next), ledger.count_ended("failures"))

    def _result(self, ledger: Ledger, row: JobRow) -> Result:
        kept = published_frames(ledger, row)
        frame = _nearest_to_middle(row, kept)
        gone = False
        with suppress(OSError):  # a disk that does not answer has taken nothing away
            gone = JobOutputs(self._outbox, row).gone
        ended = ended_of(row, self._names, ordered=False)
        return Result(
            **fields_of(ended),
            ended_at=ended.ended_at,
            state=ended.state,
            kept=len(kept),
            thumb=frame_url(row.id, frame, THUMB),
            thumb_size=self._size_of(row.id, frame),
            notes=ended.notes,
            gone=gone,
        )

    def _failure(self, row: JobRow, ordered: bool) -> Failure:
        there = False
        with suppress(OSError):
            there = input_of(row) is not None
        ended = ended_of(row, self._names, ordered)
        return Failure(
            **fields_of(ended),
            ended_at=ended.ended_at,
            state=ended.state,
            thumb=input_url(row.id, THUMB) if there else None,
            **fate_of(ended, correct_of(row, self._failed)),
        )


def names_of(config: Config) -> Names:
    """Short names of the inboxes."""
    return Names(inbox.path for inbox in config.inboxes)


def ordered_jobs(ledger: Ledger) -> frozenset[str]:
    """The jobs that are to be tried again."""
    return frozenset(order.job for order in ledger.orders("retry"))


def correct_of(row: JobRow, failed: Path) -> str:
    """The job's own sidecar below failed, where that is what its reason is about; else empty."""
    if row.archive is None or row.state is not JobState.FAILED:
        return ""
    for entry in row.spec.files[1:]:
        name = row.archive.names.get(entry.name)
        if name and row.reason.startswith(f"{entry.name}: "):
            path = Path(row.archive.folder) / name
            return shown(str(path.relative_to(failed) if path.is_relative_to(failed) else path))
    return ""


def fate_of(ended: Ended, correct: str) -> dict[str, Any]:
    """Why a job published nothing, what to correct, and whether it can be tried again."""
    return {
        "reason": ended.reason,
        "advice": ended.advice,
        "correct": correct,
        "retry": not ended.retry_why,
        "retry_why": ended.retry_why,
        "ordered": ended.ordered,
    }


def published_frames(ledger: Ledger, row: JobRow) -> Sequence[int]:
    """The indexes of the frames that a job published."""
    if row.state is JobState.DONE and not row.reason:
        return range(_count(row))
    return [f.index for f in ledger.frames(row.id) if f.state is FrameState.PUBLISHED]


def _nearest_to_middle(row: JobRow, there: Sequence[int]) -> int:
    """The frame that stands for a job: the middle one, or the nearest to it that was painted."""
    middle = _count(row) // 2
    return min(there, key=lambda index: abs(index - middle), default=middle)


def _count(row: JobRow) -> int:
    return len(row.spec.outputs.frames) if row.spec.outputs else 0


def _cursor(place: Place | None) -> str | None:
    return None if place is None else str(place)
