"""The daemon's folders: made if they are missing, the ledger's on a local disk."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path

from img2imgd import filesystems
from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault
from img2imgd.ledger import missing_mount, mount_fact, mount_facts
from img2imgd.outputs.staging import STAGING

_ROOT = "folder root"  # the fact that tells where the root was


def make_all(config: Config) -> None:
    """Make every folder that the config names; hidden ones for spool and staging.

    Raises:
        EnvironmentFault: one cannot be made or written, or the ledger's is on no local disk.
    """
    held = [inbox.path for inbox in config.inboxes] + [config.outbox]
    for folder in [*held, config.done, config.failed, config.state]:
        make_folder(folder)
    for folder in held:
        make_folder(folder / STAGING, mode=0o700)
    kind = filesystems.kind_of(config.state)
    if not kind.local:
        raise EnvironmentFault(
            f"The state folder {config.state} lies on {kind.name}.",
            "The ledger needs a local disk: name one as `state:` in the config.",
        )


def mounts(config: Config) -> dict[str, str]:
    """Where the disks of outbox, done and failed are mounted, as facts for the ledger."""
    return {**mount_facts(_kept_apart(config)), _ROOT: str(config.root)}


def check_mounts(config: Config, facts: Mapping[str, str]) -> None:
    """Refuse to start on the bare mount points of disks that were mounted there before.

    What is published would lie below the mount point, and be painted again for the disk itself.

    Raises:
        EnvironmentFault: a disk is not mounted.
    """
    for folder in _kept_apart(config):
        if mount := missing_mount(folder, facts) or _left_behind(folder, config.root, facts):
            raise EnvironmentFault(
                f"{folder} lay on a disk of its own, and none is mounted at {mount} now.",
                "Mount it, or name another folder in the config.",
            )


def _left_behind(folder: Path, root: Path, facts: Mapping[str, str]) -> Path | None:
    """The mount point of a folder whose root has moved, where its disk is not mounted again.

    A root moved to another disk as a whole has what was on that one in a plain folder.
    """
    before = Path(facts.get(_ROOT, root))
    if before == root or not folder.is_relative_to(root):
        return None
    mounted = Path(facts.get(mount_fact(before / folder.relative_to(root)), "/"))
    if not mounted.is_relative_to(before):
        return None
    mount = root / mounted.relative_to(before)
    filled = mount.is_dir() and any(mount.iterdir())
    return None if mount.is_mount() or filled else mount


def _kept_apart(config: Config) -> tuple[Path, ...]:
    return config.outbox, config.done, config.failed


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and its parents.

    Raises:
        EnvironmentFault: it cannot be made.
    """
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        advice = "Make it, or give the user that img2imgd runs as the right to."
        if error.errno == errno.EROFS:
            advice = (
                "If img2imgd runs as a service: its sandbox may write to its own folders alone, "
                "and the drop-in inbox-elsewhere.conf opens others."
            )
        raise EnvironmentFault(
            f"The folder {folder} cannot be made: {error.strerror}.", advice
        ) from error
