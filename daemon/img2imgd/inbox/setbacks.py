"""Drops that could not be taken are tried ever less often, so that no disk is worn by them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from img2imgd.inbox.scan import Found

_LONGEST = 60.0  # seconds, so long does a drop wait at most once its trouble is over

_Files = frozenset[tuple[str, int, int, int]]


@dataclass(frozen=True)
class Setback:
    """Why a drop could not be taken, and when it is tried again; times are those of the scans."""

    why: str
    pause: float
    again_at: float


class Setbacks:
    """What could not be taken lately. The second try comes with the next scan, as after a crash.

    Then the pause doubles from ``shortest`` seconds to a minute. A file that changes is tried at
    once; a rename to and fro, which is what an undone claim does, is no change.
    """

    def __init__(self, shortest: float) -> None:
        self._shortest = shortest
        self._known: dict[_Files, Setback] = {}

    def of(self, files: Iterable[Found], now: float) -> Setback | None:
        """The setback of files that are not to be tried now; None for those that are."""
        known = self._known.get(_key(files))
        return known if known is not None and now < known.again_at else None

    def note(self, files: Iterable[Found], why: str, now: float) -> Setback:
        """One more try has failed."""
        key = _key(files)
        before = self._known.get(key)
        pause = 0.0 if before is None else min(max(2 * before.pause, self._shortest), _LONGEST)
        self._known[key] = Setback(why, pause, now + pause)
        return self._known[key]

    def keep_only(self, found: Iterable[Found]) -> None:
        """Forget files that are not there any more, or have changed."""
        if self._known:
            there = _key(found)
            self._known = {key: back for key, back in self._known.items() if key <= there}


def _key(files: Iterable[Found]) -> _Files:
    return frozenset(
        (file.rel, file.signature.inode, file.signature.size, file.signature.mtime_ns)
        for file in files
    )
