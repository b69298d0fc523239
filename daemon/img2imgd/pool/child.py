"""The worker as a child process: started, given orders, heard of, ended; nothing waits for it."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeAlias

import img2imgd
from img2imgd import log
from img2imgd.pool.messages import Order, WorkerEvent

OrderPipe: TypeAlias = "Connection[Order, WorkerEvent]"


class Child:
    """One worker process and the pipe to it.

    Orders are written by a thread: a worker that hangs reads none, and must not hold up who sends.
    """

    def __init__(self, backend: str, *, offline: bool) -> None:
        """Start it.

        Raises:
            OSError: it cannot be started.
        """
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._pipe: OrderPipe = Connection(os.dup(ours.fileno()))
        self._open = True  # False once the worker has closed its end
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._sender = threading.Thread(target=self._send_orders, name="orders", daemon=True)
        level = logging.getLevelName(logging.getLogger("img2imgd").getEffectiveLevel())
        settings = {
            "backend": backend, "offline": offline, "log_level": level,
            "log_form": log.form_in_use(),
        }  # fmt: skip
        try:
            with theirs, _interrupts_held_back():
                self._start_sender()
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [sys.executable, "-P", "-m", "img2imgd.pool.process", str(theirs.fileno()),
                     json.dumps(settings)],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    env=_environment(),
                )  # fmt: skip
                # Ready once the process is gone, not when it begins to go: a GPU takes a while.
                self._end = os.pidfd_open(self._process.pid)
        except OSError:
            self._close_pipe()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def watched(self) -> list[int | OrderPipe]:
        """What becomes ready when an event has come or the process has ended."""
        return [self._end, *([self._pipe] if self._open else [])]

    @property
    def exit_code(self) -> int | None:
        """None while the process lives; the negative number of the signal that killed it."""
        return self._process.poll()

    def send(self, order: Order) -> None:
        """Have an order written; of a dead worker, :attr:`exit_code` tells."""
        self._orders.put(order)

    def receive(self) -> list[WorkerEvent]:
        """Every event that is there."""
        events: list[WorkerEvent] = []
        try:
            while self._open and self._pipe.poll():
                events.append(self._pipe.recv())
        except (EOFError, OSError):
            self._open = False
        return events

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def close(self) -> None:
        """Free what belongs to a process that has ended."""
        self._close_pipe()
        os.close(self._end)

    def _start_sender(self) -> None:
        try:
            self._sender.start()
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, "no thread can be started") from error

    def _send_orders(self) -> None:
        with contextlib.suppress(OSError):
            while (order := self._orders.get()) is not None:
                self._pipe.send(order)

    def _close_pipe(self) -> None:
        self._orders.put(None)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # ends a write that the worker never read
        if self._sender.ident is not None:
            self._sender.join()
        self._open = False
        self._pipe.close()
        self._socket.close()


def _environment() -> dict[str, str]:
    """This process's environment, with the package importable."""
    root = str(Path(img2imgd.__file__).resolve().parent.parent)
    others = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, others] if others else [root])}


@contextlib.contextmanager
def _interrupts_held_back() -> Generator[None]:
    """Block SIGINT in this thread: a child inherits that and unblocks it once it is ready.

    Without it, Ctrl-C while the child imports its modules prints a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
