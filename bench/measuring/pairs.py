"""Paired repetitions: what else the machine does meets every contender alike."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

Runs = list[dict[str, float]]
"""Seconds of each contender, by name; one entry a repetition."""


class Spread(NamedTuple):
    """The median of some values, the lowest, the highest, and how many there are."""

    median: float
    lowest: float
    highest: float
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Of one value at least."""
        found = sorted(values)
        return cls(statistics.median(found), found[0], found[-1], len(found))

    def times(self, factor: float) -> Spread:
        """The same in another unit."""
        return Spread(*(part * factor for part in self[:3]), self.count)

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.lowest:.3g}–{self.highest:.3g})"


def paired(contenders: Mapping[str, Callable[[], float]], repetitions: int) -> Runs:
    """Run all in turn, in one order and then the other, so that no place in it is the better.

    Each gives the seconds that it took.
    """
    runs: Runs = []
    for repetition in range(repetitions):
        order = list(contenders) if repetition % 2 == 0 else list(reversed(contenders))
        took = {name: contenders[name]() for name in order}
        runs.append({name: took[name] for name in contenders})
    return runs


def seconds(runs: Runs, name: str) -> Spread:
    """How long a contender took."""
    return Spread.of(run[name] for run in runs)


def ratio(runs: Runs, name: str, other: str) -> Spread:
    """How many times as fast as another a contender is, within each repetition."""
    return Spread.of(run[other] / run[name] for run in runs)


def verdict(runs: Runs, name: str, other: str) -> str:
    """Who won, in words."""
    times = ratio(runs, name, other)
    low, high, word = times.lowest, times.highest, "faster"
    median = times.median
    if median < 1:
        median, low, high, word = 1 / median, 1 / high, 1 / low, "slower"
    pairs = f"{times.count} pair{'s' if times.count != 1 else ''}"
    return f"{name} / {other}: {median:.2f}× {word} ({low:.2f}–{high:.2f}, {pairs})"


def share_of_limit(runs: Runs, name: str, limit: str = "limit") -> str:
    """How near a contender comes to what nothing can beat, in words."""
    share = ratio(runs, name, limit).times(100)
    spread = f"{share.median:.0f} % ({share.lowest:.0f}–{share.highest:.0f})"
    return f"{name}: share of the {limit} {spread}"


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """How long something went on, by starts and ends; what lies upon each other counts once."""
    length, until = 0.0, -math.inf
    for start, end in sorted(spans):
        length += max(0.0, end - max(start, until))
        until = max(until, end)
    return length
