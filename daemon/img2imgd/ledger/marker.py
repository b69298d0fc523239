"""The mark that a spool bears: which ledger serves it, and an id that no other spool has."""

from __future__ import annotations

import secrets
from pathlib import Path

from img2imgd import durable

_NAME = "ledger"


def spool_id(spool: Path) -> str:
    """The id of the spool that is there now, empty for one that no daemon has served yet.

    Whatever disk is mounted where, a job's files are in the spool of the id it was claimed into.
    """
    return _read(spool)[1]


def served_by(spool: Path) -> str:
    """The id of the ledger that serves the spool, empty for one that none has served yet."""
    return _read(spool)[0]


def mark(spool: Path, ledger: str) -> None:
    """Mark a spool as served by a ledger; it keeps its id, or gets one."""
    before, known = _read(spool)
    if before != ledger or not known:
        durable.write_file(spool / _NAME, f"{ledger} {known or secrets.token_hex(8)}".encode())


def _read(spool: Path) -> tuple[str, str]:
    try:
        ledger, _, known = (spool / _NAME).read_text("ascii", "replace").partition(" ")
    except FileNotFoundError:
        return "", ""
    return ledger, known
