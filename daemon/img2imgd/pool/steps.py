"""Tells the supervisor how far frames have got, some times a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from img2imgd.engine.protocol import StepDone

_EVERY = 0.1  # seconds
_TOGETHER = 0.02  # seconds in which the frames of one call take their steps


class Steps:
    """Passes on the newest step of each frame, and the last one of each at once.

    Every message wakes the supervisor, which takes a core from the threads that compute.
    """

    def __init__(
        self, send: Callable[[StepDone], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._send = send
        self._clock = clock
        self._held: dict[tuple[str, int], StepDone] = {}
        self._began = -math.inf

    def done(self, event: StepDone) -> None:
        """A frame has taken a step."""
        frame = event.job, event.index
        self._held[frame] = event
        now = self._clock()
        if now - self._began >= _EVERY:
            self._began = now
        if now - self._began <= _TOGETHER:
            for one in self._held.values():
                self._send(one)
            self._held.clear()
        elif event.step == event.steps:
            self._send(self._held.pop(frame))

    def forget(self, job: str, index: int | None = None) -> None:
        """Nothing more is to be told of a frame's steps, or of those of a whole job."""
        self._held = {
            frame: event
            for frame, event in self._held.items()
            if frame[0] != job or index not in (None, frame[1])
        }
