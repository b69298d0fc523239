"""Stamps: a file's size and time of change, by which upkeep knows later that nobody changed it."""

from __future__ import annotations

import os
from pathlib import Path

from img2imgd.durable import MTIME_GRAIN_NS

Stamp = tuple[int, int]  # bytes, nanoseconds since 1970


def stamp_of(status: os.stat_result) -> Stamp:
    """The stamp of a file."""
    return status.st_size, status.st_mtime_ns


def stamps_below(path: Path) -> tuple[Stamp, ...]:
    """The stamps of a file, or of the files in a folder; none if it is not there."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        return tuple(stamp_of(file.lstat()) for file in files)
    except FileNotFoundError:
        return ()


def is_as(found: os.stat_result, size: int, mtime_ns: int) -> bool:
    """True for a file with this stamp. Some filesystems keep times to two seconds only."""
    return found.st_size == size and abs(found.st_mtime_ns - mtime_ns) <= MTIME_GRAIN_NS
