"""One connection to the ledger, and the transactions that every write is part of."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from img2imgd.errors import EnvironmentFault, LedgerDamaged

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def is_damage(error: sqlite3.Error) -> bool:
    """True when the file itself is wrong, not the disk or a lock."""
    # Extended codes hold the primary one in their low byte (sqlite.org/rescode.html).
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


class Transactions:
    """A connection for one thread. Methods that write commit before they return.

    All methods raise EnvironmentFault when the disk does not allow it (full, read-only, failing),
    and LedgerDamaged when the file is broken.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.sql = connection
        self.sql.row_factory = sqlite3.Row

    def close(self) -> None:
        """Close the connection."""
        self.sql.close()

    def read(self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[sqlite3.Row]:
        """All rows that a query gives."""
        with _faults_in_words("read"):
            return self.sql.execute(query, values).fetchall()

    def run(self, statements: str) -> None:
        """Carry out statements that are no part of a transaction, with whatever rows they give."""
        with _faults_in_words("written"):
            for statement in filter(None, map(str.strip, statements.split(";"))):
                self.sql.execute(statement).fetchall()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Several writes as one commit; nested use joins the outer one."""
        if self.sql.in_transaction:
            yield
            return
        try:
            self.sql.execute("BEGIN IMMEDIATE")
            yield
            self.sql.execute("COMMIT")
        except BaseException as error:
            if self.sql.in_transaction:
                self.sql.execute("ROLLBACK")
            if isinstance(error, sqlite3.DatabaseError):
                raise _in_words(error, "written") from error
            raise


@contextmanager
def _faults_in_words(what: str) -> Generator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _in_words(error, what) from error


def _in_words(error: sqlite3.DatabaseError, what: str) -> Exception:
    if is_damage(error):
        return LedgerDamaged(
            f"The ledger is damaged: {error}.",
            "Start img2imgd again: it sets the file aside and makes another from the folders.",
        )
    if isinstance(error, sqlite3.OperationalError):  # disk full, read-only, locked
        return EnvironmentFault(f"The ledger cannot be {what}: {error}.")
    return error  # a fault of the query
