"""What signals, and other threads, ask of the daemon."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing.connection import wait
from types import FrameType

log = logging.getLogger(__name__)

_STOPPING = (signal.SIGTERM, signal.SIGINT)


class Asked:
    """To stop, or to read the config again: noted by anybody, done by the main thread.

    :meth:`stop` and :meth:`reload` take no lock and log nothing, since a handler may interrupt
    whoever holds a lock, or itself.
    """

    def __init__(self) -> None:
        self._stop = self._reload = False
        self._signal = 0  # the one that asked to stop, if one did
        self._by_hangup = False
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._free = weakref.finalize(self, _close, self._read, self._write)

    def stop(self) -> None:
        """Ask for the end; from any thread, and from a signal handler."""
        self._stop = True
        self._wake()

    def reload(self) -> None:
        """Ask for the config to be read again; as :meth:`stop`."""
        self._reload = True
        self._wake()

    def wait(self, seconds: float) -> None:
        """Wait for so long, or until something is asked for."""
        wait([self._read], max(seconds, 0))
        with contextlib.suppress(BlockingIOError):
            while os.read(self._read, 4096):
                pass

    def is_to_stop(self) -> bool:
        """True once the end was asked for; the log says by which signal, one time."""
        if self._signal:
            log.info("%s: stopping", signal.Signals(self._signal).name)
            self._signal = 0
        return self._stop

    def take_reload(self) -> bool:
        """True, one time, when the config is to be read again; what is asked later counts anew."""
        asked, self._reload = self._reload, False
        if self._by_hangup:
            self._by_hangup = False
            signal.signal(signal.SIGHUP, self._hang_up)
            log.info("SIGHUP: reading the config again")
        return asked

    @contextmanager
    def signals(self, *, reload: bool) -> Generator[None]:
        """Have SIGTERM and SIGINT ask to stop, SIGHUP to ``reload``; the former come back after.

        Off the main thread nothing can be handled, nor is.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._end) for number in _STOPPING}
        if reload:
            before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._hang_up)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, number: int, _frame: FrameType | None) -> None:
        self._signal = number
        self.stop()

    def _hang_up(self, number: int, _frame: FrameType | None) -> None:
        # Further ones mean the same. Each would interrupt the handler of the one before it: a
        # flood of them would end in a RecursionError.
        signal.signal(number, signal.SIG_IGN)
        self._by_hangup = True
        self.reload()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # the pipe is full of wake-ups already
            os.write(self._write, b"a")


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
