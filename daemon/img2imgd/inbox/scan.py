"""What lies in an inbox right now. The directory is the truth; events only say when to look."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from img2imgd.errors import EnvironmentFault
from img2imgd.pairing.kinds import Kind, folder_is_ignored, kind_of
from img2imgd.settle import Signature

MAX_DEPTH = 32  # folders below folders; a loop of mounts must end somewhere


@dataclass(frozen=True)
class Found:
    """One file: its folder relative to the inbox ("" for the inbox itself), name and lstat."""

    folder: str
    name: str
    kind: Kind
    signature: Signature

    @property
    def rel(self) -> str:
        """The path relative to the inbox."""
        return f"{self.folder}/{self.name}" if self.folder else self.name


def scan(inbox: Path, *, recursive: bool) -> list[Found]:
    """List every file of an inbox that is not ignored, in the order of their paths.

    Raises:
        EnvironmentFault: the inbox is not there or cannot be listed; it is unavailable, not empty.
    """
    try:
        found = list(_walk(inbox, "", recursive, 0))
    except OSError as error:
        raise EnvironmentFault(f"The inbox {inbox} cannot be listed: {error.strerror}.") from error
    return sorted(found, key=lambda file: file.rel)


def _walk(folder: Path, rel: str, recursive: bool, depth: int) -> Iterator[Found]:
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # taken away between the listing and the look
            if stat.S_ISDIR(status.st_mode):
                if recursive and depth < MAX_DEPTH and not folder_is_ignored(entry.name):
                    below = f"{rel}/{entry.name}" if rel else entry.name
                    yield from _subfolder(folder / entry.name, below, depth)
                continue
            kind = kind_of(entry.name)
            if kind is Kind.IGNORED:
                continue
            if not stat.S_ISREG(status.st_mode) and kind is not Kind.UNFINISHED:
                kind = Kind.SPECIAL
            yield Found(rel, entry.name, kind, Signature.of(status))


def _subfolder(folder: Path, rel: str, depth: int) -> Iterator[Found]:
    """A subfolder that cannot be read (or is just gone) does not hide the rest of the inbox."""
    try:
        yield from list(_walk(folder, rel, True, depth + 1))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
