"""Left alone: nothing grows over 2,000 jobs (``bench/soak.py`` takes 100,000)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bench.soak import growth, soak

from img2imgd.upkeep import Upkeep

MEMORY = Path("/dev/shm")  # noqa: S108 - the tmpfs of every Linux: fsync costs nothing there


pytestmark = pytest.mark.skipif(not os.access(MEMORY, os.W_OK), reason="no tmpfs to write on")


def test_memory_descriptors_threads_ledger_and_folders_stay_as_they_are() -> None:
    samples = soak(MEMORY, jobs=2000, every=100)
    assert len(samples) == 20
    assert growth(samples) == []


def test_without_upkeep_growth_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Upkeep, "step", lambda *_: None)
    (files,) = growth(soak(MEMORY, jobs=300, every=50))
    assert files.startswith("files grew from ")
