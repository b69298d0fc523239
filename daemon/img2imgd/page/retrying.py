"""Whether a job that failed can be tried again, and if not, why."""

from __future__ import annotations

from pathlib import Path

from img2imgd.durable import look_at
from img2imgd.ledger import JobRow, why_not_retried


def why_no_retry(row: JobRow) -> str:
    """Why a job cannot be tried again; empty when it can."""
    try:
        return why_not_retried(row, _is_there)
    except OSError as error:
        return f"The disk of its picture does not answer: {error.strerror}."


def _is_there(path: Path) -> bool:
    return look_at(path) is not None
