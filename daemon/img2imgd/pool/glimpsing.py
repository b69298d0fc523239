"""The worker's side of glimpses: while somebody watches, what is being painted is shown.

It costs at most a fortieth of the worker's time, whatever a glimpse takes, and nothing while
nobody watches.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable

from PIL import Image

from img2imgd.engine.protocol import Engine, Glimpse
from img2imgd.pool.messages import FrameSeen

_EVERY = 1.0  # seconds at least between two
_SHARE = 40  # and so many times as long as the last one took


class Glimpsing:
    """Sends glimpses of the jobs that have taken steps, each in its turn. For one thread."""

    def __init__(
        self, send: Callable[[FrameSeen], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._send = send
        self._clock = clock
        self._until = -math.inf
        self._next = -math.inf
        self._stepped: dict[str, None] = {}  # the one that was shown longest ago comes first

    def watch(self, seconds: float) -> None:
        """Somebody watches for so long, from now on."""
        self._until = self._clock() + seconds

    def stepped(self, job: str) -> None:
        """There may be something new to see of a job."""
        if self._clock() < self._until:
            self._stepped.setdefault(job)

    def look(self, engine: Engine) -> None:
        """Between two steps of the engine: send a glimpse, if one is due."""
        began = self._clock()
        if not self._stepped or began < self._next or began >= self._until:
            return
        job = next(iter(self._stepped))
        del self._stepped[job]
        glimpse = engine.glimpse(job)
        if glimpse is None:
            return
        self._send(FrameSeen(job, glimpse.index, glimpse.step, _png(glimpse)))
        took = self._clock() - began
        self._next = began + max(_EVERY, _SHARE * took)


def _png(glimpse: Glimpse) -> bytes:
    image = Image.frombytes("RGB", (glimpse.width, glimpse.height), glimpse.pixels)
    packed = io.BytesIO()
    image.save(packed, "PNG", compress_level=1)
    return packed.getvalue()
