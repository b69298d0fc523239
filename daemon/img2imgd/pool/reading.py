"""Starting, asking and watching over the reader's child process.

The child is a fresh interpreter that imports Pillow and the reader, and nothing of this process:
neither torch nor the program that was started. It opens no files; those that a question is about
are opened here, unread, and handed over as descriptors. A picture can take it down; the next one
gets a new child.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import img2imgd
from img2imgd import durable
from img2imgd.errors import EnvironmentFault, PictureError
from img2imgd.errors import shown as one_line
from img2imgd.pool.answers import picture_info, prepared_report
from img2imgd.reader.files import open_picture
from img2imgd.reader.protocol import PictureInfo, Prepared, ReaderLimits, SizeRule, shown

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_LARGEST_ANSWER = 4_000_000  # bytes
_START_TIMEOUT = 60.0  # seconds; a cold disk under load takes its time
_END_TIMEOUT = 5.0  # seconds that a killed process may take to be gone
# Somebody stops the program, or the machine: the picture is not to blame.
_STOPPED = frozenset({signal.SIGTERM, signal.SIGHUP, signal.SIGINT})
_NEEDED = re.compile(r"PATH$|LANG$|LC_|LD_|PYTHON")  # variables of the environment
_EASIER = "Save it again as PNG, or make it smaller, and put that into the inbox."


@dataclass(frozen=True)
class _Child:
    process: subprocess.Popen[bytes]
    connection: Connection


class ReaderProcess:
    """The reader as seen from outside: asks a child process, which starts at the first question.

    Safe to use from several threads, which wait for each other. ``timeout`` is in seconds of the
    clock for one question; the limits hold a cap on computing time as well. :meth:`close` frees
    the child's memory; a later question starts a new one.
    """

    def __init__(self, limits: ReaderLimits | None = None, timeout: float = 60.0) -> None:
        self._limits = limits or ReaderLimits()
        self._timeout = timeout
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._killed_at: Path | None = None  # what was being read when the child was last killed
        self._told = False  # what the kernel lacks for the sandbox

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        child = self._child
        return child.process.pid if child else None

    def inspect(self, path: Path) -> PictureInfo:
        """What a picture's header tells.

        Raises:
            PictureError: it cannot be read, or reading it crashed or took too much time or memory.
            EnvironmentFault: the storage fails, or the child could not be started or was stopped.
        """
        with open_picture(path, self._limits) as picture:
            return self._ask(path, {"do": "inspect"}, picture_info, picture)

    def prepare(self, path: Path, target: Path, rule: SizeRule) -> Prepared:
        """Write a plain RGB PNG of a picture at ``target``; errors as :meth:`inspect`."""
        with open_picture(path, self._limits) as picture, _writing(target) as prepared:
            return self._ask(
                path, {"do": "prepare", **asdict(rule)}, prepared_report, picture, prepared
            )

    def close(self) -> None:
        """End the child process, if there is one."""
        with self._lock:
            self._end()

    def _ask(
        self,
        path: Path,
        question: Mapping[str, object],
        understood: Callable[[Mapping[str, Any]], Answer],
        *files: BinaryIO,
    ) -> Answer:
        request = json.dumps({"path": os.fspath(path), **question}).encode()
        with self._lock:
            try:
                child = self._send(request, files)
                answered = child.connection.poll(self._timeout)
                reply = child.connection.recv_bytes(_LARGEST_ANSWER) if answered else b"{}"
                answer: Mapping[str, Any] = json.loads(reply)
            except (EOFError, OSError, ValueError, RecursionError):
                raise self._died(path) from None
            except BaseException:
                self._end()  # an answer that nobody waited for must not meet the next question
                raise
            if not answered:
                raise self._too_slow(path)
            try:
                return understood(self._result(path, answer))
            except (TypeError, ValueError, LookupError, AttributeError):
                self._end()
                raise PictureError(
                    f"Reading {shown(path)} made the reader answer nonsense.", _EASIER
                ) from None

    def _send(self, request: bytes, files: Sequence[BinaryIO]) -> _Child:
        """Hand a request to the child; one that died since the last question is replaced."""
        if self._child is not None:
            try:
                _hand_over(self._child, request, files)
            except OSError:
                self._end()
            else:
                return self._child
        self._child = child = self._start()
        _hand_over(child, request, files)
        return child

    def _start(self) -> _Child:
        ours, theirs = socket.socketpair()
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "img2imgd.reader.process", str(theirs.fileno()),
                 json.dumps(asdict(self._limits))],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=_environment(),
            )  # fmt: skip
        except OSError as fault:
            ours.close()
            raise EnvironmentFault(
                f"The reader process cannot be started: {fault.strerror}.",
                "See what the machine lacks (memory, processes), it is tried again by itself.",
            ) from fault
        finally:
            theirs.close()
        child = _Child(process, Connection(ours.detach()))
        try:
            ready = child.connection.poll(_START_TIMEOUT) and child.connection.recv_bytes(1000)
        except (EOFError, OSError):
            ready = False
        if ready:
            self._tell_missing(json.loads(ready)["missing"])
        else:
            status = _end_child(child)
            raise EnvironmentFault(
                f"The reader process did not start (it ended with {status}).",
                "The log holds its last words.",
            )
        return child

    def _tell_missing(self, missing: Sequence[str]) -> None:
        if missing and not self._told:
            log.warning(
                "this kernel has no %s: pictures are read with less of a sandbox",
                " and no ".join(missing),
            )
        self._told = True

    def _end(self) -> int | None:
        child, self._child = self._child, None
        return _end_child(child) if child else None

    def _too_slow(self, path: Path) -> PictureError | EnvironmentFault:
        if self._end() is None:
            return EnvironmentFault(
                f"Reading {path} hangs: its storage does not answer.",
                "Look at the disk or share it lies on.",
            )
        return PictureError(f"Reading {shown(path)} took more than {self._timeout:g} s.", _EASIER)

    def _died(self, path: Path) -> PictureError | EnvironmentFault:
        status = self._end()
        if status is not None and -status in _STOPPED:
            return EnvironmentFault(f"The reader was stopped while it read {shown(path)}.")
        if status == -signal.SIGKILL and self._killed_at != path:
            # By hand, or by a kernel out of memory for somebody else's sake: once is no proof.
            self._killed_at = path
            return EnvironmentFault(f"The reader was killed while it read {shown(path)}.")
        if status == -signal.SIGXCPU:
            return PictureError(
                f"Reading {shown(path)} took more than"
                f" {self._limits.cpu_seconds} s of computing time.",
                _EASIER,
            )
        how = signal.Signals(-status).name if status and status < 0 else f"status {status}"
        return PictureError(f"Reading {shown(path)} crashed the reader ({how}).", _EASIER)

    def _result(self, path: Path, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        match answer.get("error"):
            case None:
                return answer["ok"]
            case "picture":
                raise PictureError(one_line(answer["message"]), one_line(answer["advice"]))
            case "environment":
                raise EnvironmentFault(one_line(answer["message"]), one_line(answer["advice"]))
            case "memory":
                self._end()  # its memory may be in pieces
                raise PictureError(
                    f"Reading {shown(path)} needs more than {self._limits.memory:,} MB of memory.",
                    "Make it smaller, and put that into the inbox.",
                )
            case _:
                self._end()
                raise PictureError(
                    f"{shown(path)} cannot be read ({answer.get('message')}).", _EASIER
                )


def _hand_over(child: _Child, request: bytes, files: Sequence[BinaryIO]) -> None:
    child.connection.send_bytes(request)
    for file in files:
        send_handle(child.connection, file.fileno(), child.process.pid)


@contextmanager
def _writing(target: Path) -> Generator[BinaryIO]:
    try:
        with durable.writing(target) as file:
            yield file
    except OSError as fault:
        raise EnvironmentFault(
            f"{target} cannot be written: {fault.strerror or fault}.",
            "Look at the space and the rights on that disk.",
        ) from fault


def _environment() -> dict[str, str]:
    """What the interpreter needs of this process's environment, none of its tokens with it.

    The package is importable, the allocator frugal.
    """
    root = str(Path(img2imgd.__file__).resolve().parent.parent)
    others = os.environ.get("PYTHONPATH")
    needed = {name: os.environ[name] for name in os.environ if _NEEDED.match(name)}
    return {
        **needed,
        "PYTHONPATH": os.pathsep.join([root, others] if others else [root]),
        "MALLOC_ARENA_MAX": "1",
    }


def _end_child(child: _Child) -> int | None:
    """Close the socket and see the process off: its exit status, None if it will not die."""
    child.connection.close()
    try:
        return child.process.wait(_END_TIMEOUT / 10)
    except subprocess.TimeoutExpired:
        child.process.kill()
    try:
        return child.process.wait(_END_TIMEOUT)
    except subprocess.TimeoutExpired:
        return None
