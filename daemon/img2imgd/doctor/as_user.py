"""Trying things as the user that the service runs as: in a child process that becomes that user.

Modes and owners tell only half of what a user may do (ACLs, mounts, network shares, quotas).
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

_LONGEST = 10.0  # seconds, in which a folder answers that does at all
_BURIAL = 1.0


class NoAnswer(Exception):
    """The child did not come back: a network share that is away, most likely."""


@dataclass(frozen=True)
class User:
    """A user of this machine; ``is_me`` if this process is theirs already."""

    name: str
    uid: int
    gid: int
    home: str

    @property
    def is_me(self) -> bool:
        """True if nothing has to change to be that user."""
        return self.uid == os.geteuid()

    @classmethod
    def named(cls, name: str) -> User:
        """A user by name.

        Raises:
            KeyError: there is none.
        """
        found = pwd.getpwnam(name)
        return cls(found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir)

    @classmethod
    def current(cls) -> User:
        """The user of this process, who need have no name (in containers)."""
        try:
            found = pwd.getpwuid(os.geteuid())
        except KeyError:
            return cls(str(os.geteuid()), os.geteuid(), os.getegid(), os.environ.get("HOME", "/"))
        return cls(found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir)


def as_user(user: User, act: Callable[[], Any], seconds: float = _LONGEST) -> Any:
    """What ``act`` gives (plain values that JSON takes), carried out in a child as that user.

    Raises:
        NoAnswer: it took longer, or the child was killed.
        RuntimeError: ``act`` raised anything but an OSError, which is told.
        OSError: with the number and file name of the one that ``act`` raised.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _in_child(user, act, writing)
    os.close(writing)
    try:
        answer = _read_all(reading, seconds)
    finally:
        os.close(reading)
        _end(child)
    if not answer:
        raise NoAnswer
    told = json.loads(answer)
    if "fault" in told:
        raise RuntimeError(told["fault"])
    if "error" in told:
        raise OSError(*told["error"])
    return told["result"]


def _in_child(user: User, act: Callable[[], Any], writing: int) -> NoReturn:
    """Become the user, act, answer, and end without anything that the parent has set up."""
    try:
        try:
            if not user.is_me:
                os.setgroups(os.getgrouplist(user.name, user.gid))
                os.setgid(user.gid)
                os.setuid(user.uid)
                os.environ["HOME"] = user.home
            told: dict[str, Any] = {"result": act()}
        except OSError as error:
            told = {"error": [error.errno, error.strerror, error.filename and str(error.filename)]}
        except Exception as error:  # noqa: BLE001 - the child's edge: the parent tells of it
            told = {"fault": repr(error)}
        os.write(writing, json.dumps(told).encode())
    finally:
        os._exit(0)


def _read_all(descriptor: int, seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    parts: list[bytes] = []
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            return b""
        part = os.read(descriptor, 65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def _end(child: int) -> None:
    """Bury the child; one that hangs in a disk is left to whoever comes after us."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    deadline = time.monotonic() + _BURIAL
    while os.waitpid(child, os.WNOHANG)[0] != child and time.monotonic() < deadline:
        time.sleep(0.005)
