"""The worker's side of glimpses: while somebody watches, what is being painted is shown.

It costs at most a fortieth of the worker's time, whatever a glimpse takes, a twentieth while jobs
are shown for the first time, and nothing while nobody watches.
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
_SHARE_OF_FIRST = 20  # or so many, where a job was never shown before
_KNOWN = 1000  # jobs of which it is known that they were shown


class Glimpsing:
    """Sends glimpses of the jobs that have taken steps, new ones first. For one thread."""

    def __init__(
        self, send: Callable[[FrameSeen], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._send = send
        self._clock = clock
        self._until = -math.inf
        self._last, self._took = -math.inf, 0.0
        self._stepped: dict[str, None] = {}  # the one that was shown longest ago comes first
        self._shown: dict[str, None] = {}

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
        if not self._stepped or began >= self._until:
            return
        new = next((job for job in self._stepped if job not in self._shown), None)
        share = _SHARE if new is None else _SHARE_OF_FIRST
        if began < self._last + max(_EVERY, share * self._took):
            return
        job = next(iter(self._stepped)) if new is None else new
        del self._stepped[job]
        glimpse = engine.glimpse(job)
        if glimpse is None:
            return
        self._send(FrameSeen(job, glimpse.index, glimpse.step, _png(glimpse)))
        self._last, self._took = began, self._clock() - began
        self._shown[job] = None
        if len(self._shown) > _KNOWN:
            del self._shown[next(iter(self._shown))]


def _png(glimpse: Glimpse) -> bytes:
    image = Image.frombytes("RGB", (glimpse.width, glimpse.height), glimpse.pixels)
    packed = io.BytesIO()
    image.save(packed, "PNG", compress_level=1)
    return packed.getvalue()
