"""Fixtures for tests that run the installed program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from served_root import ServedRoot


@pytest.fixture
def root(tmp_path: Path) -> Iterator[ServedRoot]:
    """A root with the fake engine and short waits; every daemon started on it is ended after."""
    served = ServedRoot(tmp_path / "root", tmp_path / "config.yaml")
    served.write_config()
    yield served
    for daemon in served.daemons:
        if daemon.process.poll() is None:
            daemon.process.kill()
        daemon.process.wait(10)
