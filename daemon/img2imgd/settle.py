"""When a file has come to rest: nothing about it changed for the settle time, by our own clock.

The file's mtime is never compared with the time of day: ``rsync -t`` keeps old ones, and clocks of
cameras and servers are wrong. A close event does not shorten the wait: scanners reopen files.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    """What must not change while a file settles (one lstat)."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Signature:
        """The signature of one lstat."""
        return cls(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def is_of(self, status: os.stat_result) -> bool:
        """True if that lstat has this signature; quicker than to make and compare another."""
        return (
            self.ctime_ns == status.st_ctime_ns
            and self.mtime_ns == status.st_mtime_ns
            and self.size == status.st_size
            and self.inode == status.st_ino
        )

    def same_content(self, other: Signature) -> bool:
        """Equal but for ctime, which a rename changes."""
        return (self.inode, self.size, self.mtime_ns) == (other.inode, other.size, other.mtime_ns)


class Settling:
    """Since when each file of an inbox has been unchanged. Pure: ``now`` is a monotonic second."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._seen: dict[str, tuple[Signature, float]] = {}

    def observe(self, path: str, signature: Signature, now: float) -> float:
        """Tell what a scan saw; returns for how long (seconds) the file has been unchanged."""
        known = self._seen.get(path)
        if known is None or known[0] != signature:
            self._seen[path] = (signature, now)
            return 0.0
        return now - known[1]

    def taken_over(self, seconds: float) -> Settling:
        """What is known, for another time to settle."""
        other = Settling(seconds)
        other._seen = dict(self._seen)
        return other

    def restart(self, path: str, now: float) -> None:
        """Make a file wait anew: somebody still holds it open, or it changed under our hands."""
        known = self._seen.get(path)
        if known is not None:
            self._seen[path] = (known[0], now)

    def keep_only(self, paths: Collection[str]) -> None:
        """Forget the files that a scan no longer found."""
        for gone in self._seen.keys() - set(paths):
            del self._seen[gone]
