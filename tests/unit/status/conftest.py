"""Fixtures for tests of the report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from recorded_jobs import config_at

from img2imgd.config import Config
from img2imgd.ledger import Ledger, open_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A new ledger."""
    opened = open_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A config that asks for no free space."""
    return config_at(tmp_path, min_free_gb=0)
