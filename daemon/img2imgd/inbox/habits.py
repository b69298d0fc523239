"""How the programs that save into a keeping inbox do it, so that nobody waits longer than need be.

A program that writes a new file and renames it has a whole one at its first sight; one that writes
in place pauses between its writes, for so long and no longer. What a path's last saves had in
common shortens the time that it must be unchanged: never before it is known, never below the
shortest times here, and never again once it proved wrong. Whether somebody still holds the file
open, and whether it changed under the copy, is asked all the same when it is claimed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from img2imgd.settle import Signature

RENAMED = 0.15  # seconds that suffice for a file that has always come whole
_IN_PLACE = 0.2  # the least for one that is written in place
_GAPS = 3.0  # times the longest pause between two writes
_ENOUGH = 3  # saves that must have looked alike
_TOO_SOON = 2.0  # seconds: a file that goes on changing so soon had not been whole
_REMEMBERED = 60.0  # seconds that a path may be gone: some delete the file before they rename


@dataclass
class _Save:
    """One save, from its first change seen until the file was at rest."""

    renamed: bool
    longest_gap: float = 0.0


@dataclass
class _Path:
    """What is known of one path; times are monotonic seconds.

    ``quiet`` is since when nothing was known to be going on: its last change, or a writer seen.
    """

    signature: Signature
    changed: float
    quiet: float
    seen: float
    save: _Save | None = None  # the one that goes on
    rested: float | None = None
    saves: deque[_Save] = field(default_factory=lambda: deque[_Save](maxlen=_ENOUGH))
    distrusted: bool = False


class Habits:
    """Learns from what scans see of each path. Pure: ``now`` is a monotonic second.

    ``longest`` is the settle time of the config, which holds wherever nothing better is known.
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._paths: dict[str, _Path] = {}

    def seconds(self, path: str) -> float:
        """For how long a file must be unchanged; at most the config's settle time."""
        known = self._paths.get(path)
        if known is None or known.distrusted or len(known.saves) < _ENOUGH:
            return self._longest
        gap = max(save.longest_gap for save in known.saves)
        if known.save is not None:
            gap = max(gap, known.save.longest_gap)
            if known.save.renamed != known.saves[-1].renamed:
                return self._longest  # another program, or another way
        if all(save.renamed for save in known.saves) and gap == 0.0:
            return min(RENAMED, self._longest)
        return min(max(_GAPS * gap, _IN_PLACE), self._longest)

    def observe(self, path: str, signature: Signature, now: float) -> None:
        """Tell what a scan saw of a path."""
        known = self._paths.get(path)
        if known is None:
            self._paths[path] = _Path(signature, now, now, now)
            return
        known.seen = now
        if signature != known.signature:
            _note_change(known, signature, now)
        elif known.save is not None and now - known.quiet >= self.seconds(path):
            known.saves.append(known.save)
            known.save, known.rested = None, now

    def reopen(self, path: str, now: float) -> None:
        """The file was not at rest after all: somebody holds it open."""
        known = self._paths.get(path)
        if known is None:
            return
        known.quiet = now
        if known.save is None and known.saves:
            known.save, known.rested = known.saves.pop(), None

    def keep_only(self, paths: Collection[str], now: float) -> None:
        """Forget paths that have been gone for a while."""
        gone = [path for path in self._paths.keys() - set(paths)
                if now - self._paths[path].seen > _REMEMBERED]  # fmt: skip
        for path in gone:
            del self._paths[path]


def _note_change(known: _Path, signature: Signature, now: float) -> None:
    """A change goes on with the save, or begins one; one that comes too soon proves us wrong."""
    new = signature.inode != known.signature.inode
    if known.save is not None:
        known.save.longest_gap = max(known.save.longest_gap, now - known.changed)
    else:
        too_soon = known.rested is not None and now - known.rested < _TOO_SOON
        if too_soon and not new and not signature.same_content(known.signature):
            known.distrusted = True
        known.save = _Save(renamed=new and signature.size > 0)
    known.signature, known.changed, known.quiet, known.rested = signature, now, now, None
