"""Whether a job that failed can be tried again, and if not, why."""

from __future__ import annotations

from img2imgd.job import JobState
from img2imgd.ledger import JobRow
from img2imgd.page.inputs import input_of

_AGAIN = frozenset({JobState.FAILED, JobState.CANCELLED})


def why_no_retry(row: JobRow) -> str:
    """Why a job cannot be tried again; empty when it can."""
    if row.state not in _AGAIN:
        return "It has not failed."
    if not row.archived:
        return "Its files are still on their way to failed."
    try:
        there = input_of(row) is not None
    except OSError as error:
        return f"The disk of its picture does not answer: {error.strerror}."
    return "" if there else "Its picture is not where it was put any more: drop it again."
