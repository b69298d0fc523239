"""Where the picture that a job is about lies now, and whether it can be tried again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from img2imgd.durable import look_at
from img2imgd.ledger import JobRow, why_not_retried
from img2imgd.outputs.staging import STAGING
from img2imgd.outputs.stamps import is_as


def input_of(row: JobRow) -> Path | None:
    """The job's picture: in the spool, in done or failed, or, of a kept one, where it stays.

    None where it is gone, or where another file has its name.

    Raises:
        OSError: a disk does not answer.
    """
    entry = row.spec.subject
    for path in _places(row):
        found = look_at(path)
        if found is not None and is_as(found, entry.size, entry.mtime_ns):
            return path
    return None


def why_no_retry(row: JobRow) -> str:
    """Why a job cannot be tried again; empty when it can."""
    try:
        return why_not_retried(row, lambda path: look_at(path) is not None)
    except OSError as error:
        return f"The disk of its picture does not answer: {error.strerror}."


def _places(row: JobRow) -> Iterator[Path]:
    entry = row.spec.subject
    if not row.archived:
        yield Path(row.spec.inbox) / STAGING / row.id / "in" / entry.name
    if row.archive is not None and (name := row.archive.names.get(entry.name)):
        yield Path(row.archive.folder) / name
    if entry.how == "copy":
        yield Path(entry.source)
