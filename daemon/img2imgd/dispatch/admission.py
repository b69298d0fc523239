"""Which running job gives the worker its next frame, and which queued job may run beside others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LONG_AT_ONCE = 4  # long jobs that run beside each other: the next is ready when one ends


@dataclass(frozen=True)
class Standing:
    """A running job: its frames that are not in the worker yet, those that are, and all."""

    job: str
    to_paint: int
    in_engine: int
    frames: int

    @property
    def open(self) -> int:
        """Frames that are not painted."""
        return self.to_paint + self.in_engine


def next_job(running: Sequence[Standing], window: int) -> str | None:
    """The job whose next frame goes to the worker, which has ``window`` frames at most; or None.

    ``running`` is in order of start. Short jobs come first, but the oldest that has frames to give
    always has a quarter of the window. Nobody has more than three times what is left free, and to
    long jobs the last quarter is not free: there is a place for whoever comes next.
    """
    free = window - sum(one.in_engine for one in running)
    giving = [one for one in running if one.to_paint]
    if free <= 0 or not giving:
        return None
    if giving[0].in_engine < _quarter(window):
        return giving[0].job
    for one in sorted(giving, key=lambda one: one.frames):
        room = free - _quarter(window) if is_long(one.frames, window) else free
        if one.in_engine < 3 * room:
            return one.job
    return None


def may_start(frames: int, running: Sequence[Standing], window: int) -> bool:
    """True if a queued job with so many frames may run beside those that do.

    Queued jobs are asked about from the oldest on. Short and long ones are counted apart, so
    neither keeps the others from starting: enough short ones run to fill the window by themselves,
    and a few long ones, or as many as it takes to fill it.
    """
    unpainted = [one for one in running if one.open]
    alike = [one for one in unpainted if is_long(one.frames, window) == is_long(frames, window)]
    if is_long(frames, window) and len(alike) < LONG_AT_ONCE:
        return True
    return sum(one.open for one in alike) < window


def is_long(frames: int, window: int) -> bool:
    """True of jobs that would fill a good part of the window."""
    return frames > _quarter(window)


def _quarter(window: int) -> int:
    return max(window // 4, 1)
