"""What lies in an inbox right now. The directory is the truth; events only say when to look."""

from __future__ import annotations

import os
import stat
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
        return _below(self.folder, self.name)


def scan(inbox: Path, *, recursive: bool) -> list[Found]:
    """List every file of an inbox that is not ignored, in the order of their paths.

    Raises:
        EnvironmentFault: the inbox is not there or cannot be listed; it is unavailable, not empty.
    """
    return Scanner(inbox, recursive=recursive).scan()


class Scanner:
    """Scans one inbox again and again; of files that look as before nothing is made anew."""

    def __init__(self, inbox: Path, *, recursive: bool) -> None:
        self._inbox = inbox
        self._recursive = recursive
        self._known: dict[str, dict[str, Found]] = {}  # by folder, then by name
        self._found: list[Found] = []
        self.unreadable: dict[str, str] = {}  # what could not be looked at last time, and why

    def scan(self) -> list[Found]:
        """As :func:`scan`; the very list of the last time if nothing has changed since."""
        folders: dict[str, dict[str, Found]] = {}
        unreadable: dict[str, str] = {}
        try:
            self._look(self._inbox, "", 0, folders, unreadable)
        except OSError as error:
            raise EnvironmentFault(
                f"The inbox {self._inbox} cannot be listed: {error.strerror}."
            ) from error
        if (folders, unreadable) != (self._known, self.unreadable):
            self._known, self.unreadable = folders, unreadable
            found = [file for files in folders.values() for file in files.values()]
            self._found = sorted(found, key=lambda file: file.rel)
        return self._found

    def _look(
        self,
        folder: Path,
        rel: str,
        depth: int,
        folders: dict[str, dict[str, Found]],
        unreadable: dict[str, str],
    ) -> None:
        """Add a folder's files to ``folders``, and those of its subfolders.

        What cannot be looked at hides nothing else: a folder of somebody else's, a dead mount.
        """
        before = self._known.get(rel, {})
        files: dict[str, Found] = {}
        subfolders: list[str] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # taken away between the listing and the look
                except OSError as error:
                    unreadable[_below(rel, name)] = error.strerror or str(error)
                    continue
                known = before.get(name)
                if known is not None and known.signature.is_of(status):
                    files[name] = known
                elif stat.S_ISDIR(status.st_mode):
                    subfolders.append(name)
                elif (file := _found(rel, name, status)) is not None:
                    files[name] = file
        if files:
            folders[rel] = files
        if not self._recursive or depth >= MAX_DEPTH:
            return
        for name in subfolders:
            if folder_is_ignored(name):
                continue
            below = _below(rel, name)
            try:
                self._look(folder / name, below, depth + 1, folders, unreadable)
            except (FileNotFoundError, NotADirectoryError):
                pass  # just gone
            except OSError as error:
                unreadable[below] = error.strerror or str(error)


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _found(folder: str, name: str, status: os.stat_result) -> Found | None:
    kind = kind_of(name)
    if kind is Kind.IGNORED:
        return None
    if not stat.S_ISREG(status.st_mode) and kind is not Kind.UNFINISHED:
        kind = Kind.SPECIAL
    return Found(folder, name, kind, Signature.of(status))
