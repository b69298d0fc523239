"""Sizes that memory did not hold at once, and what is done otherwise for them."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

from img2imgd.engine.frame_faults import painted_with
from img2imgd.engine.sparing import sparing

Size = tuple[int, int]


class Sparingly:
    """Remembers, for one loaded model, sizes (width, height) that are painted with less memory."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._otherwise: dict[Size, tuple[str, ...]] = {}

    def __contains__(self, size: object) -> bool:
        return size in self._otherwise

    def add(self, size: Size) -> None:
        """Paint this size with less memory from now on."""
        self._otherwise[size] = ()

    @contextlib.contextmanager
    def painting(self, size: Size) -> Generator[None]:
        """Spare memory meanwhile if the size needs it."""
        if size not in self._otherwise:
            yield
            return
        with sparing(self._pipe, max(size)) as otherwise:
            self._otherwise[size] = tuple(otherwise)
            yield

    def note(self, size: Size) -> str:
        """What the frame's owner should know of it; empty where nothing was done otherwise."""
        otherwise = self._otherwise.get(size, ())
        return painted_with(otherwise, size) if otherwise else ""
