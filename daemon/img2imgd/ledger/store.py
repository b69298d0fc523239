"""Opening the ledger; its frames, reserved names and the daemon's own facts."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from img2imgd.errors import EnvironmentFault
from img2imgd.job import FrameState
from img2imgd.ledger import schema
from img2imgd.ledger.activity import Activities
from img2imgd.ledger.bundles import Bundles
from img2imgd.ledger.looking import Looking
from img2imgd.ledger.orders import Orders
from img2imgd.ledger.rebasing import Rebasing
from img2imgd.ledger.rows import (
    FrameRow,
    WaitingRow,
    as_text,
)
from img2imgd.owners import denied

NOT_RELOADED = "not_reloaded"
"""The fact that says why the config was not read again."""

# A loop of links leads nowhere either.
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_UNAVAILABLE = "unavailable "  # begins the fact that an inbox cannot be served


def open_ledger(path: Path) -> Ledger:
    """Open the ledger for writing, making its tables if it is new.

    Synchronous FULL: what is committed survives a power loss.

    Raises:
        EnvironmentFault: the file cannot be opened, or was written by a newer version.
    """
    if (fault := denied(path, "The ledger", "written", write=True)) is not None:
        raise fault
    try:
        connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        if not pages:  # later it changes nothing, and writes, for which a full disk has no room
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.executescript(
                f"BEGIN IMMEDIATE; {schema.TABLES} {schema.INDEXES}"
                f" PRAGMA user_version={schema.VERSION}; COMMIT;"
            )
        for table in schema.LATER_TABLES:
            connection.execute(table)
        if version <= schema.VERSION:
            _upgrade(connection)
    except sqlite3.Error as error:
        raise EnvironmentFault(f"The ledger {path} cannot be opened: {error}.") from error
    if version > schema.VERSION:
        raise EnvironmentFault(
            f"The ledger {path} was written by a newer img2imgd (format {version}, "
            f"this one knows {schema.VERSION}).",
            "Start the newer version, or give this one a state folder of its own.",
        )
    return Ledger(connection)


def _upgrade(connection: sqlite3.Connection) -> None:
    """Add what reports need at once to a ledger of an earlier version."""
    if _has_until(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    if not _has_until(connection):  # another process may have been quicker
        connection.execute(schema.UNTIL)
    connection.execute("COMMIT")


def _has_until(connection: sqlite3.Connection) -> bool:
    return any(row[1] == "until" for row in connection.execute("PRAGMA table_info(waiting)"))


def read_ledger(path: Path) -> Ledger | None:
    """Open an existing ledger for reading only (``status``); None when there is none yet.

    Raises:
        EnvironmentFault: the file cannot be read.
    """
    try:
        path.stat()
    except OSError as error:
        if error.errno in _NOT_THERE:
            return None
        raise denied(path, "The ledger", "read") or EnvironmentFault(
            f"The ledger {path} cannot be read: {error.strerror}."
        ) from error
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_ROLLBACK:
            return None  # its making was cut off: only then has it a rollback journal, not a WAL
        # Even to read, SQLite may have to make files beside it.
        raise denied(path, "The ledger", "read", write=True) or EnvironmentFault(
            f"The ledger {path} cannot be read: {error}."
        ) from error
    if version == 0:  # a daemon is just making it
        connection.close()
        return None
    return Ledger(connection)


class Ledger(Rebasing, Bundles, Looking, Orders, Activities):
    """Everything one daemon knows. Methods that write commit before they return."""

    def frames(self, job: str) -> list[FrameRow]:
        """A job's frames in order."""
        rows = self.read("SELECT * FROM frames WHERE job=? ORDER BY idx", (job,))
        return [
            FrameRow(
                row["job"], row["idx"], FrameState(row["state"]), row["step"], row["steps"],
                row["name"], row["reason"],
            )
            for row in rows
        ]  # fmt: skip

    def set_frame(self, job: str, index: int, state: FrameState, reason: str = "") -> None:
        """Move a frame on."""
        with self.transaction():
            self.sql.execute(
                "UPDATE frames SET state=?, reason=?,"
                " step=CASE WHEN ? IN ('staged','published') THEN steps ELSE 0 END"
                " WHERE job=? AND idx=?",
                (state.value, as_text(reason), state.value, job, index),
            )

    def set_steps(self, steps: Mapping[tuple[str, int], int]) -> None:
        """Record the progress of frames being painted: (job, index) → steps done."""
        with self.transaction():
            self.sql.executemany(
                "UPDATE frames SET step=? WHERE job=? AND idx=?",
                [(step, job, index) for (job, index), step in steps.items()],
            )

    # Names

    def reserve(self, outbox: str, folded: str, job: str) -> bool:
        """Take an output name for a job, or for what ``job`` names; False when another has it."""
        with self.transaction():
            cursor = self.sql.execute(
                "INSERT OR IGNORE INTO reserved VALUES(?,?,?)", (outbox, folded, job)
            )
        return cursor.rowcount == 1

    def owner_of(self, outbox: str, folded: str) -> str | None:
        """The job, or whatever else, that has taken an output name."""
        taken = "SELECT job FROM reserved WHERE outbox=? AND name=?"
        rows = self.read(taken, (outbox, folded))
        return rows[0]["job"] if rows else None

    def is_reserved(self, outbox: str, folded: str) -> bool:
        """True when a job has taken an output name."""
        return self.owner_of(outbox, folded) is not None

    # The daemon's own state

    def set_waiting(
        self, inbox: str, why: Mapping[str, str], until: Mapping[str, float] | None = None
    ) -> None:
        """Replace the list of what lies in an inbox and why it is not claimed.

        ``until`` tells, in seconds since 1970, when that ends or is looked at again.
        """
        ends = until or {}
        with self.transaction():
            self.sql.execute("DELETE FROM waiting WHERE inbox=?", (inbox,))
            self.sql.executemany(
                "INSERT INTO waiting(inbox, rel, why, until) VALUES(?,?,?,?)",
                [
                    (inbox, os.fsencode(rel), as_text(text), ends.get(rel))
                    for rel, text in why.items()
                ],
            )

    def end_waiting(self, inbox: str, rels: Iterable[str]) -> None:
        """Files were claimed: they wait no longer, while others are still looked at."""
        with self.transaction():
            self.sql.executemany(
                "DELETE FROM waiting WHERE inbox=? AND rel=?",
                [(inbox, os.fsencode(rel)) for rel in rels],
            )

    def waiting(self) -> list[tuple[str, str, str]]:
        """(inbox, path, why) of every file that is not claimed yet."""
        return [(row.inbox, row.rel, row.why) for row in self.waiting_files()]

    def waiting_files(self, limit: int = -1) -> list[WaitingRow]:
        """The files that are not claimed yet, by inbox and path."""
        rows = self.read("SELECT * FROM waiting ORDER BY inbox, rel LIMIT ?", (limit,))
        return [
            WaitingRow(
                row["inbox"], os.fsdecode(row["rel"]), row["why"],
                row["until"] if "until" in row.keys() else None,  # noqa: SIM118 - a Row holds values
            )
            for row in rows
        ]  # fmt: skip

    def count_waiting(self) -> int:
        """How many files are not claimed yet."""
        return int(self.read("SELECT count(*) FROM waiting")[0][0])

    def set_unavailable(self, inbox: str, why: str) -> None:
        """Record why an inbox cannot be served now; empty when it can."""
        self.set_facts(**{f"{_UNAVAILABLE}{inbox}": why})

    def unavailable(self) -> dict[str, str]:
        """Inboxes that cannot be served now, and why."""
        return {
            key.removeprefix(_UNAVAILABLE): why
            for key, why in self.facts().items()
            if key.startswith(_UNAVAILABLE)
        }

    def set_facts(self, **facts: str) -> None:
        """Store facts of the daemon itself; an empty value removes one."""
        with self.transaction():
            for key, value in facts.items():
                if value:
                    self.sql.execute(
                        "INSERT OR REPLACE INTO facts VALUES(?,?)", (as_text(key), as_text(value))
                    )
                else:
                    self.sql.execute("DELETE FROM facts WHERE key=?", (as_text(key),))

    def version(self) -> int:
        """Another number after another connection, of any process, has written."""
        [(number,)] = self.read("PRAGMA data_version")
        return number

    def facts(self) -> dict[str, str]:
        """All facts of the daemon itself."""
        return dict(tuple(row) for row in self.read("SELECT key, value FROM facts"))
