"""Calls of simulated devices, on quiet machines and on busy ones, from which batch caps learn."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from img2imgd.engine.caps import CALLS, FIRST, BatchCaps

Seconds = Callable[[int], float]  # of a call with so many rows
Noise = Callable[[], float]  # what the next call's seconds are multiplied by
SIZES = [FIRST * 2**n for n in range(6)]


def knee(rows: int) -> Seconds:
    """Rows cost nothing up to the knee, and all the same from there on."""
    return lambda call: 0.01 * max(call, rows)


def rising(rows: int) -> Seconds:
    """Larger calls help up to there, and then take more than their rows do by themselves."""
    return lambda call: 0.05 + 0.01 * call * max(1, call / rows)


def quiet() -> float:
    return 1


def noisy(seed: int) -> Noise:
    """Makes calls longer or shorter by a fifth at most."""
    draw = Random(seed)  # noqa: S311
    return lambda: draw.uniform(0.8, 1.2)


def disturbed(seed: int) -> Noise:
    """Makes calls a little longer, and one in ten twice as long."""
    draw = Random(seed)  # noqa: S311
    return lambda: 1 + abs(draw.gauss(0, 0.02)) + (draw.random() < 0.1)


def paint(caps: BatchCaps, seconds: Seconds, noise: Noise = quiet, most: int = 999) -> None:
    """Make more calls than it takes to find the cap, full ones where ``most`` allows.

    Each row needs a byte.
    """
    for _ in range(CALLS * 20):
        rows = min(caps.cap("k"), most)
        if rows >= 24 and seconds is MEMORY_ENDS:
            caps.out_of_memory("k", rows)
        else:
            caps.observe("k", rows, seconds(rows) * noise(), rows)


MEMORY_ENDS = knee(64)  # this device has no room for 24 rows


def rows_painted(caps: BatchCaps, seconds: Seconds, noise: Noise, calls: int) -> tuple[int, float]:
    """Rows of so many calls, and the seconds that they took."""
    painted, took = 0, 0.0
    for _ in range(calls):
        rows = caps.cap("k")
        call = seconds(rows) * noise()
        if caps.wants("k", rows):
            caps.observe("k", rows, call)
        else:
            caps.used("k", rows)
        painted, took = painted + rows, took + call
    return painted, took
