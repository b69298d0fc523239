"""Removing files below one of img2imgd's folders, and nothing anywhere else.

Every folder on the way is opened without following a symlink, and files are removed relative to
the open folder: nobody can lead a removal astray, not even while it is under way.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

Ours = Callable[[str, os.stat_result], bool]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# What Windows and macOS leave in every folder that they show: nobody put it there.
_LITTER = frozenset({"thumbs.db", "desktop.ini", ".ds_store"})


class Outside(Exception):
    """A path that the ledger names and that does not lie in the folder: the config was changed."""


_GONE = suppress(FileNotFoundError, NotADirectoryError, Outside)


class Removal:
    """Removes files below ``root`` and counts them. ``ours(name, lstat)`` decides on each.

    What is gone already, or lies outside, is no error.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = 0
        self.size = 0
        self._changed: set[Path] = set()

    def kind(self, path: Path) -> int:
        """The file type in the mode of a path below the root, 0 where nothing is."""
        with _GONE, self._opened(path.parent) as folder:
            mode = os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode
            return stat.S_IFMT(mode)
        return 0

    def file(self, path: Path, ours: Ours) -> None:
        """Remove a plain file that is ours."""
        with _GONE:
            with self._opened(path.parent) as folder:
                self._unlink(folder, path.name, ours)
            self._changed.add(path.parent)

    def folder(self, path: Path, ours: Ours) -> None:
        """Remove the plain files of a folder that are ours, and the folder if those were all."""
        with _GONE:
            with self._opened(path) as folder:
                names = os.listdir(folder)
                litter = [name for name in names if name.casefold() in _LITTER]
                gone = [self._unlink(folder, n, ours) for n in names if n not in litter]
                if all(gone):
                    for name in litter:
                        os.unlink(name, dir_fd=folder)
                os.fsync(folder)
            self._remove_empty(path)
            self._changed.add(path.parent)

    def flush(self) -> None:
        """Make the removals durable."""
        for changed in self._changed:
            with _GONE, self._opened(changed) as folder:
                os.fsync(folder)

    def tidy(self) -> bool:
        """Remove one subfolder that was left empty, with its empty parents; True if more wait."""
        if self._changed:
            path = self._changed.pop()
            while path != self.root and self._remove_empty(path):
                path = path.parent
        return bool(self._changed)

    def _remove_empty(self, path: Path) -> bool:
        try:
            with self._opened(path.parent) as folder:
                os.rmdir(path.name, dir_fd=folder)
        except (OSError, Outside):
            return False  # it is not empty, or gone, or a link by now
        return True

    def _unlink(self, folder: int, name: str, ours: Ours) -> bool:
        """Remove one name of an open folder; True if it is gone."""
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode) or not ours(name, status):
                return False
            os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return True
        self.files += 1
        self.size += status.st_size
        return True

    @contextmanager
    def _opened(self, path: Path) -> Generator[int]:
        """A folder below the root, or the root, as an open descriptor.

        Raises:
            Outside: it does not lie below the root, or only through a symlink.
            OSError: as open(2).
        """
        if not path.is_relative_to(self.root) or ".." in path.parts:
            raise Outside(str(path))
        descriptor = os.open(self.root, _FOLDER)  # this one may be a link: the config names it
        try:
            for part in path.relative_to(self.root).parts:
                below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise Outside(str(path)) from error
            raise
        finally:
            os.close(descriptor)
