"""Folders held by one daemon at a time: by a lock of the kernel, and by a heartbeat between hosts.

The kernel's lock (flock(2)) ends with its process and decides among processes of one machine. Two
hosts that share a folder may not see each other's: there the lock file's time does, which the
holder renews every ``BEAT`` seconds. Ages are told by the clock of the folder's own filesystem,
never by that of this machine.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import secrets
import socket
import threading
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from img2imgd import filesystems
from img2imgd.app.folders import make_folder
from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault, HeldByAnother
from img2imgd.outputs.staging import STAGING
from img2imgd.service.freshness import Pulse

log = logging.getLogger(__name__)

BEAT = 30.0  # seconds
STALE = 4 * BEAT  # a holder on another host that is silent for so long is taken to be gone
_UNKNOWN = "unknown"
_BOTH_AT_ONCE = 3.0  # seconds in which a second host's claim to the folder shows itself


@dataclass(frozen=True)
class Holder:
    """Who holds a folder; one line of the lock file.

    ``machine`` is a digest of the machine's id, ``boot`` the id of its running kernel.
    """

    pid: int
    host: str
    machine: str
    boot: str
    token: str

    @classmethod
    def this_process(cls) -> Holder:
        """This process, with a token that no other holder has."""
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return cls(os.getpid(), socket.gethostname(), _machine(), boot, secrets.token_hex(8))

    @classmethod
    def parse(cls, line: str) -> Holder | None:
        """The inverse of ``str``; None for an empty file or anything else."""
        match line.split():
            case [
                "pid", pid, "on", host, "machine", machine, "boot", boot, "token", token
            ] if pid.isdecimal():  # fmt: skip
                return cls(int(pid), host, machine, boot, token)
            case _:
                return None

    def __str__(self) -> str:
        return f"{self.in_words} machine {self.machine} boot {self.boot} token {self.token}"

    @property
    def in_words(self) -> str:
        """For a person."""
        return f"pid {self.pid} on {self.host}"

    def shares_locks_with(self, other: Holder) -> bool:
        """True when the kernel's lock tells of both: one kernel, or one machine booted anew.

        A container has its host's boot id, and may have another name.
        """
        same_machine = (self.host, self.machine) == (other.host, other.machine)
        return self.boot == other.boot or (same_machine and self.machine != _UNKNOWN)


class FolderLock:
    """A folder held against other daemons, by a lock file in it.

    Raises:
        HeldByAnother: another daemon holds it; its pid and host are named.
        EnvironmentFault: the lock file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._me = Holder.this_process()
        self._swapping = threading.Lock()
        self.was_let_go = True  # by its last holder, who did not die with it
        self._descriptor = self._take()

    def renew(self) -> bool:
        """Hold the folder that has the name now; True if it was replaced since the last time.

        Told by the lock file, whose inode number is not given away while it is open; the folder's
        own may be.

        Raises:
            HeldByAnother, EnvironmentFault: as the constructor, of the new folder.
        """
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(self._descriptor), self._path.stat()):
                self._check_holder()
                return False
        make_folder(self._path.parent, mode=0o700)
        descriptor = self._take()
        with self._swapping:
            os.close(self._descriptor)
            self._descriptor = descriptor
        return True

    def beat(self) -> None:
        """Show other hosts that the holder lives.

        Raises:
            HeldByAnother: another host has taken the folder; it thought this one gone.
            OSError: the folder does not answer; :meth:`renew` sees to that.
        """
        with self._swapping:
            if self._descriptor < 0:
                return
            self._check_holder()
            self._write(self._descriptor)

    def close(self, *, emptied: bool = True) -> None:
        """Let the folder go.

        Once it is ``emptied``, the next holder need not wait for the heartbeat to grow old.
        """
        with self._swapping:
            if self._descriptor < 0:
                return
            with contextlib.suppress(OSError):
                holder = _read(self._descriptor)
                if emptied and holder is not None and holder.token == self._me.token:
                    os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def _check_holder(self) -> None:
        holder = _read(self._descriptor)
        if holder is not None and holder.token != self._me.token:
            raise _held(self._path, holder)

    def _take(self) -> int:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _cannot_hold(self._path, error) from error
        try:
            self._lock(descriptor)
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, OSError):
                raise _cannot_hold(self._path, error) from error
            raise
        return descriptor

    def _lock(self, descriptor: int) -> None:
        holder = _read(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _held(self._path, holder) from None
        if holder is not None and not holder.shares_locks_with(self._me):
            silent = _now_there(self._path.parent) - os.fstat(descriptor).st_mtime
            if silent < STALE:
                raise _held(self._path, holder, free_in=STALE - silent)
            log.warning(
                "%s was held by %s, silent for %.0f s: taken over",
                _held_folder(self._path), holder.in_words, silent,
            )  # fmt: skip
        self.was_let_go = holder is None
        self._write(descriptor)
        if not filesystems.kind_of(self._path.parent).local:
            # Another host may have looked at the same moment; the one that wrote last has it.
            threading.Event().wait(_BOTH_AT_ONCE)
            found = Holder.parse(self._path.read_text("utf-8", "replace"))
            if found is not None and found.token != self._me.token:
                raise _held(self._path, found)

    def _write(self, descriptor: int) -> None:
        line = f"{self._me}\n".encode()
        try:
            os.pwrite(descriptor, line, 0)
            os.ftruncate(descriptor, len(line))
        except OSError as error:  # a full disk: the kernel's lock holds, and work waits for room
            log.debug("%s: %s", self._path, error.strerror)
        if not filesystems.kind_of(self._path.parent).local:
            os.fsync(descriptor)  # else a client keeps it to itself for a while


@contextmanager
def held(config: Config) -> Generator[dict[Path, FolderLock]]:
    """Hold every inbox, the outbox and the state folder against a second daemon.

    Gives the locks by the folders' paths.

    Raises:
        HeldByAnother, EnvironmentFault: as FolderLock.
    """
    with ExitStack() as stack:

        def hold(folder: Path) -> FolderLock:
            lock = FolderLock(folder)
            stack.callback(lock.close)
            return lock

        locks = {inbox.path: hold(inbox.path / STAGING) for inbox in config.inboxes}
        locks[config.outbox] = hold(config.outbox / STAGING)
        locks[config.state] = hold(config.state)
        yield locks


class Heartbeat(threading.Thread):
    """Beats for all locks; ``lost`` says who has taken a folder away, empty while none is lost."""

    def __init__(self, locks: Iterable[FolderLock]) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._locks = tuple(locks)
        self._ending = threading.Event()
        self.pulse = Pulse("the heartbeat of the folders' locks")
        self.lost: HeldByAnother | None = None

    def stop(self) -> None:
        """Ask the thread to end."""
        self._ending.set()

    def run(self) -> None:
        """Beat until :meth:`stop` or until a folder is lost."""
        while not self._rested():
            for lock in self._locks:
                self.pulse.beat()
                try:
                    lock.beat()
                except HeldByAnother as error:
                    self.lost = error
                    return
                except OSError as error:  # unmounted, or its server is away
                    log.debug("no heartbeat: %s", error)

    def _rested(self) -> bool:
        """Wait for the next beat; True if there is to be none."""
        self.pulse.rest(BEAT)
        return self._ending.wait(BEAT)


def _machine() -> str:
    """A digest of the machine's id, which itself should not leave it (machine-id(5))."""
    try:
        known = Path("/etc/machine-id").read_bytes().strip()
    except OSError:
        known = b""
    if not known:
        return _UNKNOWN
    return hashlib.blake2b(known, digest_size=8, key=b"img2imgd").hexdigest()


def _read(descriptor: int) -> Holder | None:
    return Holder.parse(os.pread(descriptor, 500, 0).decode("utf-8", "replace"))


def _now_there(folder: Path) -> float:
    """What time it is by the clock that stamps this folder's files."""
    probe = folder / f"clock-{secrets.token_hex(4)}"
    descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        return os.fstat(descriptor).st_mtime
    finally:
        os.close(descriptor)
        probe.unlink()


def _held(path: Path, holder: Holder | None, free_in: float = 0) -> HeldByAnother:
    who = holder.in_words if holder else "unknown"
    advice = "Stop that one first, or use other folders."
    if free_in:
        advice += f" If that host is gone, this can start in {free_in:.0f} s."
    return HeldByAnother(f"{_held_folder(path)} is held by another img2imgd ({who}).", advice)


def _cannot_hold(path: Path, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(
        f"{_held_folder(path)} cannot be held: {path} cannot be written: {error.strerror}.",
        "Give the user that img2imgd runs as the right to.",
    )


def _held_folder(path: Path) -> Path:
    return path.parent.parent if path.parent.name == STAGING else path.parent
