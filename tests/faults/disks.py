"""Filesystems of a test's own: ext4 on an image file, and what such a disk holds at a moment."""

from __future__ import annotations

import contextlib
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

    def unmount(self, *, lazily: bool = False) -> None:
        """Take it away; ``lazily`` even if a test that failed has left files of it open."""
        if os.path.ismount(self.mounted_at):
            _run("umount", *(["--lazy"] if lazily else []), self.mounted_at)

    def sync(self) -> None:
        """Everything reaches the disk."""
        _run("sync", "-f", self.mounted_at)

    def copy(self, target: Path) -> None:
        """What would be found if the power failed now."""
        _run("cp", "--sparse=always", self.image, target)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)


class Mounts:
    """Mounts that are gone when the test is over."""

    def __init__(self) -> None:
        self._points: list[Path] = []

    def tmpfs(self, path: Path, options: str = "size=16m") -> None:
        """Mount an empty filesystem in memory."""
        self._mount(path, "-t", "tmpfs", "-o", options, "none")

    def bind(self, source: Path, path: Path, *, read_only: bool = False) -> None:
        """Show one folder's content at another path."""
        self._mount(path, "--bind", source)
        if read_only:
            _run("mount", "-o", "remount,bind,ro", path)

    def add(self, disk: Disk) -> None:
        """Take this disk away with the others."""
        self._points.append(disk.mounted_at)

    def unmount(self, path: Path) -> None:
        """Take the topmost mount away, though files of it may be open."""
        _run("umount", "--lazy", path)
        self._points.remove(path)

    def close(self) -> None:
        """Take all away."""
        for path in reversed(self._points.copy()):
            self.unmount(path)

    def _mount(self, path: Path, *arguments: str | Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        _run("mount", *arguments, path)
        self._points.append(path)


def fill(folder: Path) -> Path:
    """Write a file until not one more byte fits; delete it to make room again."""
    ballast = folder / ".ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return ballast
