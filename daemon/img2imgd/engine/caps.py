"""How many rows a UNet call should have at most, found by timing the first calls."""

from __future__ import annotations

import json
import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median_high
from typing import Any, cast

log = logging.getLogger(__name__)

FIRST = 4  # rows of the first size that is tried; each next one is twice as large
LARGEST = 128  # rows of the last one
CALLS = 10  # that are timed for a size
FEW = 6  # that do for the first size, and where the gain is beyond doubt
GAIN = 0.95  # seconds per row must fall to this share for a larger size to be worth it
DOUBTLESS = 0.8
BRISK = 0.8  # of the most work per second: what a short call must still do
SOON = 50  # full calls, on average, until what was found is looked at again
LATE = 1000  # at most, where it was found again and again
KEPT = 500  # keys that are remembered


@dataclass
class _Profile:
    """What is known of one key: the size that is tried, or that was found."""

    rows: int = FIRST
    limit: int = LARGEST  # memory ran out above it
    settled: bool = False
    again: int = SOON  # full calls until it is looked for anew
    found: int | None = None  # what it was when that began
    seconds: list[float] = field(default_factory=list[float])  # per row, of calls with so many
    memory: list[int] = field(default_factory=list[int])  # bytes per row of the same calls
    per_row: dict[int, float] = field(default_factory=dict[int, float])  # seconds, by size
    row_bytes: int = 0  # that a row needs
    before: dict[int, float] = field(default_factory=dict[int, float])  # what the last look found

    @property
    def known(self) -> dict[int, float]:
        """Seconds per row of all sizes; those too small to be timed anew, as the machine is now."""
        first = min(self.per_row, default=0)
        if first not in self.before:
            return self.per_row or self.before
        slower = self.per_row[first] / self.before[first]
        small = {rows: slower * each for rows, each in self.before.items() if rows < first}
        return small | self.per_row

    def settle(self) -> None:
        """Take the smallest size that is nearly as fast as the fastest."""
        if self.per_row:
            enough = min(self.per_row.values()) / GAIN
            self.rows = min(rows for rows, each in self.per_row.items() if each <= enough)
        self.per_row, self.before = self.known, {}
        self.rows = min(self.rows, self.limit)
        self.seconds.clear()  # of a size for which memory ran out, perhaps
        self.memory.clear()
        self.settled = True
        if self.found is not None:
            self.again = min(2 * self.again, LATE) if self.rows == self.found else SOON

    def look_again(self) -> None:
        """Try anew from half of what was found; there may be memory again that others had."""
        self.found = self.rows
        self.rows = max(_half(self.rows), min(self.rows, FIRST))
        self.limit = min(2 * self.limit, LARGEST)
        self.per_row, self.before = {}, self.known
        self.settled = False


class BatchCaps:
    """Most rows of a UNet call for each key, learned from the seconds that calls took.

    A key stands for a model and the size of its call. Sizes are tried from small to large while
    the seconds per row fall; calls that fill less than the size that is tried teach nothing. A
    machine that did other things meanwhile, or had no memory left, may have misled: so what was
    found is looked at again by chance, soon at first, and half as often each time that it holds.
    What was found of sizes below half of it is believed.

    ``ceiling`` is the most rows that the config allows: an even number, or 1. ``fits`` says whether
    there is memory for so many bytes now. ``chance`` draws from 0 to 1.
    """

    def __init__(
        self,
        ceiling: int | None = None,
        fits: Callable[[int], bool] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._most = min(ceiling or LARGEST, LARGEST)
        self._fits = fits
        self._chance = chance
        self._profiles: dict[str, _Profile] = {}

    def cap(self, key: str) -> int:
        """The most rows of the next call; a frame that takes more goes alone."""
        profile = self._profile(key)
        rows = self._tried(profile)
        while rows > 1 and self._fits and not self._fits(rows * profile.row_bytes):
            rows = _half(rows)
        return rows

    def brisk(self, key: str) -> int:
        """The rows of the next call that is to be short, and still a good use of the device.

        As long as larger sizes are yet to be tried, only one counts that was found to be nearly as
        good as one of twice the rows: short calls teach nothing.
        """
        profile, most = self._profile(key), self.cap(key)
        known = {rows: each for rows, each in profile.known.items() if rows <= most}
        enough = min(known.values(), default=0.0) / BRISK
        good = [rows for rows, each in known.items() if each <= enough]
        return min([most, *(rows for rows in good if profile.settled or 2 * rows in known)])

    def observe(self, key: str, rows: int, seconds: float, memory: int = 0) -> None:
        """Learn from the seconds that a call took, from its start to the end of its work.

        ``memory`` is the bytes that it needed.
        """
        profile = self._profile(key)
        if rows < self._tried(profile):
            profile.row_bytes = memory // rows
            return
        if profile.settled or not 0 < seconds < math.inf:
            return
        profile.seconds.append(seconds / rows)
        profile.memory.append(memory // rows)
        profile.row_bytes = max(profile.row_bytes, memory // rows)
        best = min(profile.per_row.values(), default=math.inf)
        each = _typical(profile.seconds)
        if len(profile.seconds) < (CALLS if each > best * DOUBTLESS else FEW):
            return
        profile.per_row[rows] = each
        profile.row_bytes = median_high(profile.memory)  # other threads may have had some of it
        if each <= best * GAIN and rows < self._most:
            profile.rows = 2 * rows
            profile.seconds.clear()
            profile.memory.clear()
        else:
            profile.settle()
            log.info("UNet calls have up to %d rows from now on key=%s", profile.rows, key)

    def wants(self, key: str, rows: int) -> bool:
        """True if what a call with so many rows takes would teach something.

        Where it is memory that allows no more, it is looked at again now and then, too.
        """
        profile = self._profile(key)
        if rows >= self._tried(profile):
            return not profile.settled
        return rows >= self.cap(key) and self._is_time(profile)

    def used(self, key: str, rows: int) -> None:
        """A call was made that taught nothing; it may be time to look again."""
        profile = self._profile(key)
        if profile.settled and rows >= self._tried(profile) and self._is_time(profile):
            profile.look_again()

    def out_of_memory(self, key: str, rows: int) -> None:
        """A call failed for memory: at most half of it until all is looked at again."""
        profile = self._profile(key)
        profile.limit = min(profile.limit, _half(rows))
        profile.settle()

    def settled(self, key: str) -> bool:
        """True when the cap is found: calls need not be timed any more."""
        return self._profile(key).settled

    def _is_time(self, profile: _Profile) -> bool:
        return self._chance() * profile.again < 1

    def _profile(self, key: str) -> _Profile:
        return self._profiles.setdefault(key, _Profile())

    def _tried(self, profile: _Profile) -> int:
        return min(profile.rows, profile.limit, self._most)

    # Between starts

    def to_json(self) -> str:
        """What was found, and how far the search came where it is not over."""
        found = {
            key: {
                "rows": profile.rows,
                "limit": profile.limit,
                "settled": profile.settled,
                "again": profile.again,
                "seconds_per_row": {str(rows): each for rows, each in profile.known.items()},
                "bytes_per_row": profile.row_bytes,
            }
            for key, profile in self._profiles.items()
            # What the ceiling alone decided does not hold under another.
            if not (profile.settled and profile.rows == self._most < profile.limit)
        }
        return json.dumps(dict(list(found.items())[-KEPT:]), indent=1)

    def from_json(self, text: str | bytes) -> None:
        """Go on from what an earlier process found; what has not its form is ignored."""
        try:
            read = json.loads(text)
        except (ValueError, RecursionError):
            read = None
        if not isinstance(read, dict):
            log.warning("the remembered batch caps cannot be read; they are found anew")
            return
        for key, entry in cast("dict[str, Any]", read).items():
            if (remembered := _remembered(entry)) is None:
                log.warning("the remembered batch cap of %.80r is none; it is found anew", key)
            else:
                self._profiles[key] = remembered


def _typical(seconds: list[float]) -> float:
    """The lower quartile: what disturbs a machine makes calls longer, hardly ever shorter.

    So the first call of a size does not count, in which libraries prepare themselves.
    """
    return sorted(seconds)[len(seconds) // 4]


def _remembered(entry: Any) -> _Profile | None:
    """The profile that an entry describes, None where it has not that form."""
    match entry:
        case {
            "rows": int(rows), "limit": int(limit), "settled": bool(settled),
            "again": int(again), "seconds_per_row": dict(), "bytes_per_row": int(row_bytes),
        } if _is_size(rows) and _is_size(limit) and limit <= LARGEST:  # fmt: skip
            per_row = _per_row(entry["seconds_per_row"])
            possible = rows <= (limit if settled else 2 * LARGEST) and 1 <= again <= LATE
            made = _Profile(rows, limit, settled, again, per_row=per_row, row_bytes=row_bytes)
            return made if possible and row_bytes >= 0 else None
        case _:
            return None


def _per_row(timed: dict[str, Any]) -> dict[int, float]:
    """The seconds that were found, or none of them: they can be found again."""
    try:
        per_row = {int(rows): float(each) for rows, each in timed.items()}
    except (TypeError, ValueError, OverflowError):
        return {}
    possible = all(0 < each < math.inf for each in per_row.values())
    return per_row if possible and all(1 <= rows <= LARGEST for rows in per_row) else {}


def _is_size(rows: int) -> bool:
    """Whether calls have so many rows: of an odd number, frames that take two never fill them."""
    return not isinstance(rows, bool) and (rows == 1 or (rows > 0 and rows % 2 == 0))


def _half(rows: int) -> int:
    """Half of them, even where that is possible: most frames take two."""
    half = rows // 2
    return max(half - half % 2, 1)
