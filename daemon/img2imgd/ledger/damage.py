"""A ledger that is broken is set aside when the daemon starts, never deleted."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from img2imgd import durable
from img2imgd.errors import EnvironmentFault
from img2imgd.ledger import schema
from img2imgd.ledger.connection import is_damage

_TABLES = frozenset({"jobs", "frames", "reserved", "bundles", "served", "waiting", "facts"})


def set_aside_damaged(path: Path) -> tuple[str, Path] | None:
    """Check the ledger's file; a broken one gets another name: (what is wrong, that name).

    What its jobs were is rebuilt from the folders. Only the daemon that holds the state folder may
    call this.

    Raises:
        EnvironmentFault: the disk does not let it be read or renamed, which blames no file.
    """
    if not path.exists():
        return None
    try:
        with _log_kept(path) as log_file:
            wrong = _what_is_wrong(path)
            return (wrong, _set_aside(path, log_file)) if wrong else None
    except OSError as error:
        raise EnvironmentFault(
            f"The ledger {path} cannot be set aside or checked: {error.strerror}."
        ) from error


@contextmanager
def _log_kept(path: Path) -> Generator[Path]:
    """A second name of the write-ahead log: SQLite removes the log of a file it cannot read."""
    log_file, kept = path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-wal-kept")
    kept.unlink(missing_ok=True)
    try:
        os.link(log_file, kept)
    except FileNotFoundError:
        pass
    except OSError:  # FAT and exFAT have no links
        shutil.copyfile(log_file, kept)
    try:
        yield kept
    finally:
        kept.unlink(missing_ok=True)


def _set_aside(path: Path, log_file: Path) -> Path:
    """The log goes first: left beside a new ledger, SQLite would play it into that one."""
    aside = _free_name(path)
    if log_file.exists():
        durable.move_new(log_file, aside.with_name(f"{aside.name}-wal"))
    for ending in ("-wal", "-shm"):
        path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
    durable.move_new(path, aside)
    return aside


def _what_is_wrong(path: Path) -> str:
    """The first thing that is wrong with the file, empty for a whole ledger or an empty file.

    Raises:
        EnvironmentFault: the disk does not let it be read, which says nothing of the file.
    """
    try:
        return _wrong_with(path)
    except sqlite3.Error as error:
        if is_damage(error):
            return str(error)
        raise EnvironmentFault(f"The ledger {path} cannot be opened: {error}.") from error


def _wrong_with(path: Path) -> str:
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > schema.VERSION:
            return ""  # of a newer img2imgd, which opening it will say
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            return str(found).splitlines()[0]
        tables = {name for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type='table'"
        )}  # fmt: skip
        missing = sorted(_TABLES - tables)
        return f"it has no table {missing[0]}" if tables and missing else ""


def _free_name(path: Path) -> Path:
    """``ledger-damaged-20261125T203040.sqlite``, counted on where two go in one second."""
    moment = f"{path.stem}-damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    name, number = path.with_name(f"{moment}{path.suffix}"), 2
    while name.exists():
        name, number = path.with_name(f"{moment}~{number}{path.suffix}"), number + 1
    return name
