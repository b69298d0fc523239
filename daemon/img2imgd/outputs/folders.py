"""The folders below outbox, done and failed that mirror an inbox's: which can be made."""

from __future__ import annotations

import os
from pathlib import Path

from img2imgd import durable
from img2imgd.outputs.names import numbered

# Of a path, which has at most 4095; any name fits in such a folder, and some ``~N`` on the way.
_LONGEST = 4095 - 256 - 64  # bytes


def fitting(root: Path, below: str) -> str:
    """``below``, or the root itself (empty) where that leaves too little room for a file's name."""
    return below if _has_room(root / below) else ""


def free_folder(root: Path, below: str) -> Path:
    """The folder for what belongs ``below`` a root; a file in its way is counted past (``sub~2``).

    Raises:
        OSError: the disk does not answer.
    """
    folder = root
    for name in filter(None, fitting(root, below).split("/")):
        number = 1
        while _is_no_folder(folder / numbered([name], number)[0]):
            number += 1
        folder /= numbered([name], number)[0]
    return folder


def path_below(root: Path, folder: Path) -> str:
    """A folder's path below a root; empty for the root itself."""
    return "" if folder == root else str(folder.relative_to(root))


def can_be_made(folder: Path) -> bool:
    """False where a file is in a folder's way, or its path has become too long.

    Raises:
        OSError: the disk does not answer.
    """
    return _has_room(folder) and not any(map(_is_no_folder, (folder, *folder.parents)))


def _has_room(folder: Path) -> bool:
    return len(os.fsencode(folder)) <= _LONGEST


def _is_no_folder(path: Path) -> bool:
    return durable.is_there(path) and not path.is_dir()
