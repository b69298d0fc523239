"""Staging and publishing: outputs become visible in the outbox whole, by one rename.

``OUTBOX/.img2imgd/JOB/NAME`` is the job's file, or its folder with all frames; it lies on the
outbox's filesystem, so that the rename into place is atomic. Where a disk is mounted below the
outbox, what goes there is copied under a hidden name first, and renamed when it is whole.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Collection
from pathlib import Path

from img2imgd import durable
from img2imgd.errors import EnvironmentFault
from img2imgd.outputs.names import first_free

STAGING = ".img2imgd"
_PUBLISHED_AS = ".published-as"
_CARRIED = ".carried"  # what was staged, once its copy on another disk is whole


class Staging:
    """The staging folder of one job in an outbox."""

    def __init__(self, outbox: Path, job: str) -> None:
        self.outbox = outbox
        self.folder = outbox / STAGING / job

    def path(self, name: str, frame: str | None) -> Path:
        """Where a job's file lies before it is published; ``frame`` names a file in its folder."""
        return self.folder / name / frame if frame is not None else self.folder / name

    def prepare(self, name: str, *, as_folder: bool) -> None:
        """Make the folders that frames are written to."""
        durable.make_folders(self.folder / name if as_folder else self.folder)

    def keep_only(self, name: str, frames: Collection[str]) -> None:
        """Remove what lies in the job's staged folder beside these frames."""
        for path in (self.folder / name).iterdir():
            if path.name not in frames:
                _remove(path)

    @property
    def available(self) -> bool:
        """False when the outbox is gone (a disk not mounted): then nothing can be told of it."""
        return self.folder.parent.is_dir()

    def is_staged(self, name: str) -> bool:
        """True while the job's file or folder has not been published.

        Raises:
            EnvironmentFault: it was carried to a disk that is away, so nobody can tell.
        """
        if durable.is_there(self.folder / name):
            return True
        folder = self.announced.rpartition("/")[0]
        if durable.is_there(self._part(folder)):
            return True
        target = self.outbox / self.announced
        carried = durable.is_there(self.folder / _CARRIED)
        if carried and not durable.is_there(target) and not self._lies_apart(target):
            raise EnvironmentFault(
                f"{target} was copied to a disk of its own, which is not mounted now.",
                "Mount it again.",
            )
        return False

    def announce(self, path: str) -> None:
        """Note durably the path below the outbox that is about to be published.

        With it, what is staged no more is known to be published, also by a ledger that is new.
        """
        durable.write_file(self.folder / _PUBLISHED_AS, os.fsencode(path))

    @property
    def announced(self) -> str:
        """The path that was announced last, empty when publishing has not begun."""
        try:
            return os.fsdecode((self.folder / _PUBLISHED_AS).read_bytes())
        except FileNotFoundError:
            return ""

    def free_name(self, name: str, folder: str) -> str:
        """``name``, or the next free one if a foreign file has taken it in the outbox."""
        staged = self.folder / name

        def is_taken(free: str) -> bool:
            target = self.outbox / folder / free
            # Where files are published by link and unlink, a crash may have come in between.
            return durable.is_there(target) and not durable.same_file(staged, target)

        return first_free(name, is_taken)

    def publish(self, staged_name: str, name: str, folder: str) -> str:
        """Move the staged file or folder into the outbox as ``name``; returns its path below it.

        Raises:
            FileExistsError: the name was taken meanwhile; nothing happened.
            FileNotFoundError: nothing is staged under that name.
        """
        staged, part = self.folder / staged_name, self._part(folder)
        target = self.outbox / folder / name
        durable.make_folders(target.parent)
        if durable.is_there(staged) or not durable.is_there(part):
            _drop_others(staged)
            durable.fsync_path(staged)
            try:
                durable.rename_new(staged, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._carry_across(staged, part)
        if durable.is_there(part):
            durable.rename_new(part, target)
        durable.fsync_path(target.parent)
        return f"{folder}/{name}" if folder else name

    def _lies_apart(self, target: Path) -> bool:
        """True when a path below the outbox is on another disk than what is staged."""
        folder = target.parent
        while not folder.is_dir():
            folder = folder.parent
        return folder.stat().st_dev != self.folder.stat().st_dev

    def _part(self, folder: str) -> Path:
        """The hidden name of what is being carried to another filesystem below the outbox."""
        return self.outbox / folder / f".{self.folder.name}.part"

    def _carry_across(self, staged: Path, part: Path) -> None:
        """Copy what is staged, and remove it when the copy is whole: one of both always is."""
        if part.is_dir():
            durable.remove_tree(part)
        part.unlink(missing_ok=True)
        if staged.is_dir():
            part.mkdir()
            for path in staged.iterdir():
                if not _is_folder(path):
                    durable.copy_across(path, part / path.name)
        else:
            durable.copy_across(staged, part)
        durable.fsync_path(part)
        durable.fsync_path(part.parent)
        # From here on the copy counts; out of the way at once, since removing takes many steps.
        staged.rename(self.folder / _CARRIED)
        durable.fsync_path(self.folder)

    def discard(self) -> None:
        """Remove the staging folder and whatever is still in it."""
        durable.remove_tree(self.folder)


def _drop_others(staged: Path) -> None:
    """Remove what is not the job's: halves that a killed writer left, and folders.

    A job makes no folders in there; those are of programs that index every folder they see.
    """
    if staged.is_dir():
        for path in staged.iterdir():
            if path.name.startswith(".") or _is_folder(path):
                _remove(path)


def _remove(path: Path) -> None:
    if not _is_folder(path):
        path.unlink(missing_ok=True)
        return
    # One that is not ours to remove is published along: the frames do not wait for it.
    with contextlib.suppress(PermissionError):
        durable.remove_tree(path)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
