"""Whether the worker gets on: what tells a long piece of work from a process that hangs."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

_LONGEST_GAP = 10.0  # seconds between two looks; after a longer one it is we who stood still
# What counts as work within a minute; a process that hangs may have threads that tick on.
_MINUTE = 60.0
_WORTH_CPU = 0.1  # seconds of CPU time
_WORTH_BYTES = 65_536
_TICKS = os.sysconf("SC_CLK_TCK")


def fields_of_stat(pid: int) -> list[str]:
    """/proc/PID/stat behind the program's name, its state first; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def seconds_of_cpu(fields: list[str]) -> float:
    """The CPU time of all threads, by :func:`fields_of_stat`."""
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0


@dataclass(frozen=True)
class Work:
    """What a process has done since its start: CPU seconds of all threads, bytes read and written.

    Bytes are those of system calls and of the disk, so that mapped files count as well.
    """

    cpu: float
    bytes: int

    @classmethod
    def of(cls, pid: int) -> Work | None:
        """What /proc tells of it; None where there is no such thing."""
        stat = fields_of_stat(pid)
        try:
            io = Path(f"/proc/{pid}/io").read_text().split()
        except OSError:
            return None
        of_bytes = {"rchar:", "wchar:", "read_bytes:", "write_bytes:"}
        moved = sum(int(n) for name, n in zip(io[::2], io[1::2], strict=True) if name in of_bytes)
        return cls(seconds_of_cpu(stat), moved)

    def since(self, other: Work) -> bool:
        """True when enough was done after ``other``, a minute ago at most, to call it work."""
        cpu, moved = self.cpu - other.cpu, self.bytes - other.bytes
        return cpu >= _WORTH_CPU or moved >= _WORTH_BYTES


class ProgressClock:
    """For how long there was no progress. Times are of the monotonic clock.

    A gap in our own looks (a stopped process, a machine that was suspended) says nothing about the
    worker: the clock starts anew after it. Work is told by its rate, not by its sense: a loop that
    spins on the CPU for ever counts as progress, too.
    """

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self._since = self._looked = self._measured = 0.0
        self._work: Work | None = None

    @property
    def look_every(self) -> float:
        """How often to look, in seconds, so that no gap comes of it."""
        return math.inf if self.limit is None else self._longest_gap / 4

    @property
    def _longest_gap(self) -> float:
        return min((self.limit or 0) / 2, _LONGEST_GAP)

    def restart(self, now: float) -> None:
        """There is progress, or nothing to do."""
        self._since = self._looked = now
        self._work = None

    def overdue(self, now: float, work: Work | None) -> bool:
        """True when there was no progress for too long; ``work`` where that counts as progress."""
        gap, self._looked = now - self._looked, now
        if self.limit is None:
            return False
        worked = work is not None and self._work is not None and work.since(self._work)
        if worked or gap > self._longest_gap:
            self.restart(now)
        if self._work is None or now - self._measured >= _MINUTE:
            self._work, self._measured = work, now
        return now - self._since >= self.limit
