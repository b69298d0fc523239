"""Where disks were mounted, as facts: nothing goes below a mount point whose disk is away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from img2imgd import filesystems

_PREFIX = "mount "


def mount_facts(folders: Iterable[Path]) -> dict[str, str]:
    """Where the disks of these folders are mounted now."""
    return {mount_fact(folder): str(filesystems.mount_of(folder)) for folder in folders}


def mount_fact(folder: str | Path) -> str:
    """The key of the fact that tells where the disk of a folder was mounted."""
    return f"{_PREFIX}{folder}"


def missing_mount(folder: Path, facts: Mapping[str, str]) -> Path | None:
    """The mount point that a folder, or one above it, was noted with and that has no disk now."""
    for key, mount in facts.items():
        noted = key.removeprefix(_PREFIX)
        if noted != key and folder.is_relative_to(noted) and not Path(mount).is_mount():
            return Path(mount)
    return None
