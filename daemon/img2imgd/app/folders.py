"""The daemon's folders: made if they are missing, and held by one daemon at a time."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from img2imgd import filesystems
from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault, HeldByAnother
from img2imgd.outputs.staging import STAGING


def make_all(config: Config) -> None:
    """Make every folder that the config names; hidden ones for spool and staging.

    Raises:
        EnvironmentFault: one cannot be made or written, or the ledger's is on no local disk.
    """
    held = [inbox.path for inbox in config.inboxes] + [config.outbox]
    for folder in [*held, config.done, config.failed, config.state]:
        _make(folder)
    for folder in held:
        _make(folder / STAGING, mode=0o700)
    kind = filesystems.kind_of(config.state)
    if not kind.local:
        raise EnvironmentFault(
            f"The state folder {config.state} lies on {kind.name}.",
            "The ledger needs a local disk: name one as `state:` in the config.",
        )


def _make(folder: Path, mode: int = 0o777) -> None:
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(
            f"The folder {folder} cannot be made: {error.strerror}.",
            "Make it, or give the user that img2imgd runs as the right to.",
        ) from error


@contextmanager
def held(config: Config) -> Generator[None]:
    """Hold every inbox, the outbox and the state folder against a second daemon.

    Raises:
        HeldByAnother: one is held; its pid and host are named.
    """
    with ExitStack() as stack:
        locks = [inbox.path / STAGING for inbox in config.inboxes]
        for folder in [*locks, config.outbox / STAGING, config.state]:
            stack.enter_context(_lock(folder))
        yield


@contextmanager
def _lock(folder: Path) -> Generator[None]:
    path = folder / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 300, 0).decode("utf-8", "replace").strip()
            raise HeldByAnother(
                f"{folder.parent if folder.name == STAGING else folder} is held by another "
                f"img2imgd ({holder or 'unknown'}).",
                "Stop that one first, or use other folders.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
