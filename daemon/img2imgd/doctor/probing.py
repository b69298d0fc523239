"""What is tried in a folder, by the user that the service runs as. Nothing is left behind."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

from img2imgd import durable

_libc = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD, _NOREPLACE = -100, 1
_IN_CREATE = 0x100


class Tried(TypedDict):
    """What a folder can do: rename without replacing, tell names apart by case."""

    renames_new: bool
    tells_case: bool


def try_folder(folder: Path) -> Tried:
    """Make files in a hidden folder there, rename and remove them.

    Raises:
        OSError: the user may not, or the disk does not let them.
    """
    probe = folder / f".img2imgd-doctor-{secrets.token_hex(4)}"
    probe.mkdir(mode=0o700)
    try:
        durable.write_file(probe / "a", b"img2imgd doctor\n" * 64)
        (probe / "b").write_bytes(b"b")
        refused = _libc.renameat2(
            _AT_FDCWD, os.fsencode(probe / "a"), _AT_FDCWD, os.fsencode(probe / "b"), _NOREPLACE
        )
        known = bool(refused) and ctypes.get_errno() == errno.EEXIST
        return {"renames_new": known, "tells_case": not (probe / "B").exists()}
    finally:
        shutil.rmtree(probe, ignore_errors=True)


def watch_all(folders: Iterable[str]) -> tuple[int, str]:
    """Ask inotify for a watch on each folder: (how many it gave, the limit that was met)."""
    descriptor = _libc.inotify_init1(os.O_CLOEXEC)
    if descriptor < 0:
        return 0, "max_user_instances"
    count = 0
    try:
        for folder in folders:
            if _libc.inotify_add_watch(descriptor, os.fsencode(folder), _IN_CREATE) < 0:
                if ctypes.get_errno() == errno.ENOSPC:
                    return count, "max_user_watches"
                continue
            count += 1
    finally:
        os.close(descriptor)
    return count, ""


def folders_below(folder: Path, recursive: bool, most: int) -> list[str]:
    """The folders of an inbox that are watched, and its own; ``most`` at most."""
    found = [str(folder)]
    if not recursive:
        return found
    for at, names, _ in os.walk(folder):
        found += [os.path.join(at, name) for name in names]  # noqa: PTH118 - names may be many
        if len(found) >= most:
            break
    return found[:most]
