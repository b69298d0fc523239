"""One connection to the ledger, and the transactions that every write is part of."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from img2imgd.errors import EnvironmentFault


class Transactions:
    """A connection for one thread. Methods that write commit before they return."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.sql = connection
        self.sql.row_factory = sqlite3.Row

    def close(self) -> None:
        """Close the connection."""
        self.sql.close()

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
            if isinstance(error, sqlite3.OperationalError):  # disk full, read-only, locked
                raise EnvironmentFault(f"The ledger cannot be written: {error}.") from error
            raise
