"""The ledger as the page opens it."""

from __future__ import annotations

from pathlib import Path

import pytest

from img2imgd.errors import EnvironmentFault
from img2imgd.ledger import open_ledger
from img2imgd.page.books import Books


def test_an_order_makes_no_ledger_that_the_daemon_does_not_know(tmp_path: Path) -> None:
    books = Books(tmp_path / "ledger.sqlite")
    with pytest.raises(EnvironmentFault, match="no ledger"), books.writing():
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_order_is_in_the_ledger(tmp_path: Path) -> None:
    open_ledger(tmp_path / "ledger.sqlite").close()
    books = Books(tmp_path / "ledger.sqlite")
    with books.writing() as ledger:
        ledger.set_paused(True)
    with books.reading() as ledger:
        assert ledger.paused_since is not None
