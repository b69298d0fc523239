"""The reader as a child process: started, asked, heard, ended. It holds nobody longer than told.

Messages are framed as :mod:`multiprocessing.connection` does, which the child uses. At this end
each wait has a deadline instead: a picture may make the child say half a word, and then nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import img2imgd
from img2imgd.errors import EnvironmentFault
from img2imgd.pool.progress import fields_of_stat, seconds_of_cpu
from img2imgd.reader.protocol import ReaderLimits

_START_SECONDS = 60.0  # a cold disk under load takes its time
_SEND_SECONDS = 10.0  # a child that lives reads what it is asked at once
_END_SECONDS = 5.0  # that a killed process may take to be gone
_LENGTH = struct.Struct("!i")
_NEEDED = re.compile(r"PATH$|LANG$|LC_|LD_|PYTHON")  # variables of the environment


class ReaderChild:
    """One reader process and the socket to it."""

    def __init__(self, limits: ReaderLimits) -> None:
        """Start it; :meth:`missing` tells when it is ready.

        Raises:
            EnvironmentFault: it cannot be started.
        """
        with contextlib.ExitStack() as undo:
            try:
                self._socket, theirs = socket.socketpair()
                undo.push(self._socket)
                with theirs:
                    self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                        [sys.executable, "-P", "-m", "img2imgd.reader.process",
                         str(theirs.fileno()), json.dumps(asdict(limits))],
                        pass_fds=(theirs.fileno(),),
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        env=_environment(),
                    )  # fmt: skip
            except OSError as fault:
                raise EnvironmentFault(
                    f"The reader process cannot be started: {fault.strerror}.",
                    "See what the machine lacks (memory, processes, open files); "
                    "it is tried again by itself.",
                ) from fault
            undo.pop_all()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def cpu_seconds(self) -> float:
        """How long it has computed since its start."""
        return seconds_of_cpu(fields_of_stat(self.pid))

    @property
    def waits_for_disk(self) -> bool:
        """True while it sleeps in a call that nothing but a disk or file server ends (state D)."""
        return fields_of_stat(self.pid)[:1] == ["D"]

    def missing(self) -> Sequence[str]:
        """Wait until it is ready: what the kernel lacks for its sandbox.

        Raises:
            EOFError, OSError: it ended, or took too long.
        """
        missing: list[str] = json.loads(self.receive(_START_SECONDS, 1000))["missing"]
        return missing

    def send(self, request: bytes, files: Sequence[BinaryIO]) -> None:
        """Ask it, and hand it the files that the request is about.

        Raises:
            OSError: it has ended, or the system has no room for the descriptors.
        """
        self._socket.settimeout(_SEND_SECONDS)
        self._socket.sendall(_LENGTH.pack(len(request)) + request)
        for file in files:
            socket.send_fds(self._socket, [b"\x01"], [file.fileno()])

    def receive(self, seconds: float, most: int) -> bytes:
        """Its next message, of ``most`` bytes, after ``seconds`` of the clock at the latest.

        Raises:
            TimeoutError: it is not there in time, or not all of it.
            EOFError, OSError: the child has ended.
            ValueError: it would be larger.
        """
        deadline = time.monotonic() + seconds
        (length,) = _LENGTH.unpack(self._receive_all(_LENGTH.size, deadline))
        if not 0 <= length <= most:
            raise ValueError(f"a message of {length} bytes")
        return self._receive_all(length, deadline)

    def interrupt(self) -> None:
        """SIGTERM; whoever waits for its answer is told that it has ended. From any thread."""
        self._process.terminate()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def end(self) -> int | None:
        """Close the socket and see the process off: its exit status, None if it will not die."""
        self._socket.close()
        for seconds in (_END_SECONDS / 10, _END_SECONDS):
            try:
                return self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return None

    def _receive_all(self, length: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < length:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            part = self._socket.recv(length - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)


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
