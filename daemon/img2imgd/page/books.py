"""The ledger for the page: one connection a use, in whatever thread asks."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from img2imgd.errors import EnvironmentFault
from img2imgd.ledger import Ledger, open_ledger, read_ledger


class Books:
    """Opens the ledger at ``path``: SQLite's objects belong to one thread, requests to many."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def reading(self) -> Generator[Ledger]:
        """The ledger, to read.

        Raises:
            EnvironmentFault: it cannot be opened, or there is none.
        """
        ledger = read_ledger(self._path)
        if ledger is None:
            raise EnvironmentFault("There is no ledger yet.", "The daemon is starting; try again.")
        with closing(ledger):
            yield ledger

    @contextmanager
    def writing(self) -> Generator[Ledger]:
        """The ledger, to give orders; none is made here, which the daemon would not know.

        Raises:
            EnvironmentFault: it cannot be opened, or there is none.
        """
        with self.reading():
            pass
        with closing(open_ledger(self._path)) as ledger:
            yield ledger
