"""Limits on how often something may be done: token buckets, for each client and for all."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

_MOST_CLIENTS = 1_000


@dataclass(frozen=True)
class Rate:
    """So many at once, and so many a second in the long run."""

    burst: float
    per_second: float


@dataclass
class _Bucket:
    left: float
    at: float


class Buckets:
    """One bucket for each client, one for all together. For one thread; ``clock`` is monotonic."""

    def __init__(
        self, each: Rate, together: Rate, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._each = each
        self._together = together
        self._clock = clock
        self._clients: dict[str, _Bucket] = {}
        self._all = _Bucket(together.burst, clock())

    def take(self, client: str) -> int:
        """Take one for a client: 0, or after how many seconds there may be one again."""
        wait = self.wait(client)
        if not wait:
            self._clients[client].left -= 1
            self._all.left -= 1
        return wait

    def wait(self, client: str) -> int:
        """After how many seconds a client may take one; 0: now. Nothing is taken."""
        now = self._clock()
        if len(self._clients) >= _MOST_CLIENTS and client not in self._clients:
            self._forget_full(now)
        own = self._clients.setdefault(client, _Bucket(self._each.burst, now))
        _refill(own, self._each, now)
        _refill(self._all, self._together, now)
        return math.ceil(max(_wait(own, self._each), _wait(self._all, self._together)))

    def _forget_full(self, now: float) -> None:
        """Forget clients that could do as much as one that is new; if none could, the oldest."""
        time_to_fill = self._each.burst / self._each.per_second
        kept = {c: b for c, b in self._clients.items() if now - b.at < time_to_fill}
        self._clients = dict(list(kept.items())[-(_MOST_CLIENTS // 2) :])


def _refill(bucket: _Bucket, rate: Rate, now: float) -> None:
    bucket.left = min(rate.burst, bucket.left + (now - bucket.at) * rate.per_second)
    bucket.at = now


def _wait(bucket: _Bucket, rate: Rate) -> float:
    return 0.0 if bucket.left >= 1 else (1 - bucket.left) / rate.per_second
