"""A reader, and pictures for it: a small one, and one that takes it a while."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from img2imgd.pool.reading import ReaderProcess


@pytest.fixture
def reader() -> Iterator[ReaderProcess]:
    process = ReaderProcess(timeout=30)
    yield process
    process.close()


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    Image.effect_noise((96, 48), 60).convert("RGB").save(path)
    return path


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A whole picture of 90 million pixels, which takes a second or more to turn into RGB."""
    path = tmp_path / "slow.png"
    Image.new("P", (10_000, 9_000)).save(path, compress_level=1)
    return path
