"""The end of a worker: asked for, then forced. What it says meanwhile is read on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from multiprocessing.connection import wait

from img2imgd.pool.child import Child
from img2imgd.pool.messages import Stop, WorkerEvent

log = logging.getLogger(__name__)

TERMINATE_SECONDS = 2.0

Heard = Callable[[list[WorkerEvent]], object]


def end(child: Child, heard: Heard, *, grace: float, quietly: bool) -> bool:
    """Ask a worker to stop, give it ``grace`` seconds, then terminate and kill it; True if ended.

    ``quietly``: that it has to be terminated is no news.
    """
    child.send(Stop())
    if has_ended(child, heard, within=grace):
        return True
    if not quietly:
        log.warning("worker has not stopped in %.1f s, terminating pid=%s", grace, child.pid)
    child.terminate()
    if has_ended(child, heard, within=TERMINATE_SECONDS):
        return True
    return kill(child, heard)


def kill(child: Child, heard: Heard) -> bool:
    """Kill a worker; False if it waits in the kernel for a device or disk, and has not ended."""
    child.kill()
    return has_ended(child, heard, within=TERMINATE_SECONDS)


def has_ended(child: Child, heard: Heard, *, within: float) -> bool:
    """Wait for the end of the process, reading on so that a full pipe does not hold it up."""
    deadline = time.monotonic() + within
    while child.exit_code is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        wait(child.watched, left)
        heard(child.receive())
    return True
