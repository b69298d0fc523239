"""The supervisor's side of glimpses: who watches, and what was seen last of each job."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from img2imgd.pool.messages import FrameSeen

WATCHED = 5.0  # seconds that one look at the page lasts
_MOST = 64  # jobs


class Watching:
    """Where the page, which watches, and the pool, which is told what is seen, meet.

    Safe to use from several threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until = -math.inf
        self._asked = -math.inf
        self._seen: OrderedDict[str, FrameSeen] = OrderedDict()

    def watch(self) -> None:
        """Somebody looks now; to be said again within ``WATCHED`` seconds."""
        with self._lock:
            self._until = self._clock() + WATCHED

    def ask(self) -> bool:
        """True when the worker is to be told that somebody watches: twice while that lasts."""
        with self._lock:
            now = self._clock()
            if now >= self._until or now < self._asked + WATCHED / 2:
                return False
            self._asked = now
            return True

    def note(self, seen: FrameSeen) -> None:
        """Keep what was seen of a job."""
        with self._lock:
            self._seen[seen.job] = seen
            self._seen.move_to_end(seen.job)
            if len(self._seen) > _MOST:
                self._seen.popitem(last=False)

    def forget(self, job: str, index: int | None = None) -> None:
        """A frame is finished, or its job is given up: there is nothing to be seen any more."""
        with self._lock:
            seen = self._seen.get(job)
            if seen is not None and index in (None, seen.index):
                del self._seen[job]

    def forget_all(self) -> None:
        """The worker is no more."""
        with self._lock:
            self._seen.clear()
            self._asked = -math.inf

    def of(self, job: str) -> FrameSeen | None:
        """What was seen last of a job, None if nothing was."""
        with self._lock:
            return self._seen.get(job)
