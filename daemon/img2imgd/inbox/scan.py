"""What lies in an inbox right now. The directory is the truth; events only say when to look."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from img2imgd.errors import EnvironmentFault
from img2imgd.pairing.kinds import Kind, folder_is_ignored, kind_of
from img2imgd.settle import Signature

MAX_DEPTH = 32  # folders below folders; a loop of mounts must end somewhere
# Of a folder, in bytes. The system takes 4,096 with the names of files and of their reasons, and
# below the outbox, done and failed too.
MAX_PATH = 3000
_TOLD_EVERY = 32  # entries of a folder
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


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
        return _below(self.folder, self.name)


def scan(inbox: Path, *, recursive: bool) -> list[Found]:
    """List every file of an inbox that is not ignored, in the order of their paths.

    Raises:
        EnvironmentFault: the inbox is not there or cannot be listed; it is unavailable, not empty.
    """
    return Scanner(inbox, recursive=recursive).scan()


@dataclass
class _Seen:
    """Files by folder and name; what could not be looked at, and why."""

    folders: dict[str, dict[str, Found]] = field(
        default_factory=lambda: dict[str, dict[str, Found]]()
    )
    unreadable: dict[str, str] = field(default_factory=lambda: dict[str, str]())


class Scanner:
    """Scans one inbox again and again; of files that look as before nothing is made anew.

    ``progress`` is called again and again: on a slow share a scan may take minutes.
    """

    def __init__(
        self, inbox: Path, *, recursive: bool, progress: Callable[[], None] = lambda: None
    ) -> None:
        self._inbox = inbox
        self._recursive = recursive
        self._progress = progress
        self._seen = _Seen()
        self._found: list[Found] = []

    @property
    def unreadable(self) -> dict[str, str]:
        """What could not be looked at last time, and why."""
        return self._seen.unreadable

    def scan(self) -> list[Found]:
        """As :func:`scan`; the very list of the last time if nothing has changed since."""
        seen = _Seen()
        try:
            self._look(self._inbox, "", 0, seen)
        except OSError as error:
            raise EnvironmentFault(
                f"The inbox {self._inbox} cannot be listed: {error.strerror}."
            ) from error
        if seen != self._seen:
            self._seen = seen
            found = [file for files in seen.folders.values() for file in files.values()]
            self._found = sorted(found, key=lambda file: file.rel)
        return self._found

    def _look(
        self,
        folder: Path | str,
        rel: str,
        depth: int,
        seen: _Seen,
        parent: int | None = None,
    ) -> None:
        """Add a folder's files and what cannot be looked at to ``seen``, and those of subfolders.

        What cannot be looked at hides nothing else: a folder of somebody else's, a dead mount. A
        subfolder is opened in its open ``parent``, and no link in its place is followed.
        """
        flags = _FOLDER if parent is None else _FOLDER | os.O_NOFOLLOW
        opened = os.open(folder, flags, dir_fd=parent)
        try:
            subfolders = self._list(opened, rel, seen)
            for name in subfolders if self._recursive else ():
                below = _below(rel, name)
                if depth >= MAX_DEPTH:
                    seen.unreadable[below] = f"it lies more than {MAX_DEPTH} folders deep"
                    continue
                if len(os.fsencode(self._inbox / below)) > MAX_PATH:
                    seen.unreadable[below] = f"its path is longer than {MAX_PATH} bytes"
                    continue
                try:
                    self._look(name, below, depth + 1, seen, opened)
                except (FileNotFoundError, NotADirectoryError):
                    pass  # just gone, or a link now
                except OSError as error:
                    seen.unreadable[below] = error.strerror or str(error)
        finally:
            os.close(opened)

    def _list(self, opened: int, rel: str, seen: _Seen) -> list[str]:
        """Add the files of an open folder; the names of its subfolders that are not ignored."""
        before = self._seen.folders.get(rel, {})
        files: dict[str, Found] = {}
        subfolders: list[str] = []
        with os.scandir(opened) as entries:
            for at, entry in enumerate(entries):
                name = entry.name
                if at % _TOLD_EVERY == 0:
                    self._progress()
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # taken away between the listing and the look
                except OSError as error:
                    seen.unreadable[_below(rel, name)] = error.strerror or str(error)
                    continue
                known = before.get(name)
                if known is not None and known.signature.is_of(status):
                    files[name] = known
                elif stat.S_ISDIR(status.st_mode):
                    if not folder_is_ignored(name):
                        subfolders.append(name)
                elif (file := _found(rel, name, status)) is not None:
                    files[name] = file
        if files:
            seen.folders[rel] = files
        return subfolders


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _found(folder: str, name: str, status: os.stat_result) -> Found | None:
    kind = kind_of(name)
    if kind is Kind.IGNORED:
        return None
    if not stat.S_ISREG(status.st_mode) and kind is not Kind.UNFINISHED:
        kind = Kind.SPECIAL
    return Found(folder, name, kind, Signature.of(status))
