"""Which parts of the daemon still show signs of life: a decision over plain values.

The worker is not among them. The pool judges its progress and replaces it; one that cannot even be
killed (it waits in the kernel for a device or disk) would not go for a restart of the daemon.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

ALLOWED = 300.0
"""Seconds without a sign of life before a part counts as silent, where no watchdog says otherwise.

One file of a slow network share may take minutes; what gets on shows it with every file.
"""

_GAP = 10.0  # seconds between two looks; after more it is we who stood still


@dataclass(frozen=True)
class Part:
    """A part of the daemon. ``heard`` is its last sign of life, in monotonic seconds.

    It is at rest for ``due`` seconds from then, and will show the next one by itself.
    """

    name: str
    heard: float
    due: float = 0.0
    alive: bool = True


class Pulse:
    """Where a part shows its signs of life; any thread may read it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._last = (time.monotonic(), 0.0)

    def beat(self) -> None:
        """It is at work, and gets on."""
        self._last = (time.monotonic(), 0.0)

    def rest(self, seconds: float) -> None:
        """It has nothing to do for so long."""
        self._last = (time.monotonic(), seconds)

    def part(self, *, alive: bool) -> Part:
        """What is known of it now."""
        return Part(self.name, *self._last, alive)


class Freshness:
    """Looks at the parts again and again; ``allowed`` is how many seconds one may be silent."""

    def __init__(self, allowed: float = ALLOWED) -> None:
        self._allowed = allowed
        self._looked = -math.inf
        self._since = -math.inf

    def silent(self, parts: Sequence[Part], now: float) -> list[str]:
        """What has ended or shows no sign of life at ``now``, in words.

        A gap in our own looks (a stopped process, a machine that slept) says nothing about a part:
        its time counts anew after it.
        """
        if now - self._looked > _GAP:
            self._since = now
        self._looked = now
        return silent(parts, now, self._allowed, self._since)


def silent(
    parts: Sequence[Part], now: float, allowed: float, since: float = -math.inf
) -> list[str]:
    """As :meth:`Freshness.silent`; no silence from before ``since`` counts."""
    reasons: list[str] = []
    for part in parts:
        if not part.alive:
            reasons.append(f"{part.name} has ended")
        elif now - max(part.heard + part.due, since) > allowed:
            rest = f" (it looks every {part.due:g} s)" if part.due else ""
            reasons.append(f"{part.name} shows no sign of life for {now - part.heard:.0f} s{rest}")
    return reasons
