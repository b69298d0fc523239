"""Staging and publishing: outputs become visible in the outbox whole, by one rename.

``OUTBOX/.img2imgd/JOB/NAME`` is the job's file, or its folder with all frames; it lies on the
outbox's filesystem, so that the rename into place is atomic.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from img2imgd import durable
from img2imgd.outputs.names import first_free

STAGING = ".img2imgd"


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
                path.unlink()

    @property
    def available(self) -> bool:
        """False when the outbox is gone (a disk not mounted): then nothing can be told of it."""
        return self.folder.parent.is_dir()

    def is_staged(self, name: str) -> bool:
        """True while the job's file or folder has not been published."""
        return os.path.lexists(self.folder / name)

    def free_name(self, name: str, folder: str) -> str:
        """``name``, or the next free one if a foreign file has taken it in the outbox."""
        return first_free(name, lambda free: os.path.lexists(self.outbox / folder / free))

    def publish(self, staged_name: str, name: str, folder: str) -> str:
        """Move the staged file or folder into the outbox as ``name``; returns its path below it.

        Raises:
            FileExistsError: the name was taken meanwhile; nothing happened.
            FileNotFoundError: nothing is staged under that name.
        """
        staged = self.folder / staged_name
        _drop_halves(staged)
        durable.fsync_path(staged)
        target_folder = self.outbox / folder
        durable.make_folders(target_folder)
        durable.rename_new(staged, target_folder / name)
        durable.fsync_path(target_folder)
        return f"{folder}/{name}" if folder else name

    def discard(self) -> None:
        """Remove the staging folder and whatever is still in it."""
        durable.remove_tree(self.folder)


def _drop_halves(staged: Path) -> None:
    """Remove what a killed writer left behind under a temporary name."""
    if staged.is_dir():
        for half in staged.glob(".*"):
            half.unlink()
