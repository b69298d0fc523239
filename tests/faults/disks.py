"""Filesystems of a test's own: ext4 on an image file, and what such a disk holds at a moment."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("mkfs.ext4"), reason="mounts need root and e2fsprogs"
)


@dataclass
class Disk:
    """A filesystem on an image file; ``image`` holds exactly what has reached the disk."""

    image: Path
    mounted_at: Path

    @classmethod
    def make(cls, image: Path, mounted_at: Path, megabytes: int = 32) -> Disk:
        """A new ext4, mounted. It commits when it is asked to, not by the clock."""
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0", image)
        mounted_at.mkdir(parents=True, exist_ok=True)
        disk = cls(image, mounted_at)
        disk.mount()
        return disk

    def mount(self, image: Path | None = None) -> None:
        """Mount it, or another state of it; a journal that was cut off is replayed."""
        _run("mount", "-o", "loop,commit=600", image or self.image, self.mounted_at)

    def unmount(self) -> None:
        """Take it away."""
        if os.path.ismount(self.mounted_at):
            _run("umount", self.mounted_at)

    def sync(self) -> None:
        """Everything reaches the disk."""
        _run("sync", "-f", self.mounted_at)

    def copy(self, target: Path) -> None:
        """What would be found if the power failed now."""
        _run("cp", "--sparse=always", self.image, target)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)
