"""A fresh ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from img2imgd.ledger import (
    Ledger,
    open_ledger,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger lies."""
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """The ledger, open."""
    opened = open_ledger(path)
    yield opened
    opened.close()
