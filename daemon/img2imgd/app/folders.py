"""The daemon's folders: made if they are missing, and held by one daemon at a time."""

from __future__ import annotations

import contextlib
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


class FolderLock:
    """A folder held against other daemons, by a lock on a file in it.

    Raises:
        HeldByAnother: another daemon holds it; its pid and host are named.
        EnvironmentFault: the lock file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._descriptor = _lock(self._path)

    def renew(self) -> bool:
        """Hold the folder that has the name now; True if it was replaced since the last time.

        Told by the lock file, whose inode number is not given away while it is open; the folder's
        own may be.
        """
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(self._descriptor), self._path.stat()):
                return False
        _make(self._path.parent, mode=0o700)
        descriptor = _lock(self._path)
        self.close()
        self._descriptor = descriptor
        return True

    def close(self) -> None:
        """Let the folder go."""
        os.close(self._descriptor)


@contextmanager
def held(config: Config) -> Generator[dict[Path, FolderLock]]:
    """Hold every inbox, the outbox and the state folder against a second daemon.

    Gives the inboxes' locks, by the inbox's path.

    Raises:
        HeldByAnother, EnvironmentFault: as FolderLock.
    """
    with ExitStack() as stack:

        def hold(folder: Path) -> FolderLock:
            lock = FolderLock(folder)
            stack.callback(lock.close)
            return lock

        locks = {inbox.path: hold(inbox.path / STAGING) for inbox in config.inboxes}
        hold(config.outbox / STAGING)
        hold(config.state)
        yield locks


def _lock(path: Path) -> int:
    folder = path.parent.parent if path.parent.name == STAGING else path.parent
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EnvironmentFault(
            f"{folder} cannot be held: {path} cannot be written: {error.strerror}.",
            "Give the user that img2imgd runs as the right to.",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 300, 0).decode("utf-8", "replace").strip()
        os.close(descriptor)
        raise HeldByAnother(
            f"{folder} is held by another img2imgd ({holder or 'unknown'}).",
            "Stop that one first, or use other folders.",
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
    return descriptor
