"""What the process's signals ask of the daemon."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger(__name__)

_STOPPING = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def signals(stop: Callable[[], None], reload: Callable[[], None] | None) -> Generator[None]:
    """The signals set a flag, nothing more; the former handlers come back after.

    Without ``reload`` SIGHUP stays as it is. Off the main thread nothing can be handled, nor is.
    """

    def again(_number: int, _frame: FrameType | None) -> None:
        log.info("SIGHUP: reading the config again")
        if reload is not None:
            reload()

    def end(number: int, _frame: FrameType | None) -> None:
        log.info("%s: stopping", signal.Signals(number).name)
        stop()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, end) for number in _STOPPING}
    if reload is not None:
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, again)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
