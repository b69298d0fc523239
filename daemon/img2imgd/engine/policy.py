"""Which frames make the next UNet call. Plain values only: no tensors, no clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

FrameId = tuple[str, int]  # job, index
SHORT = 16  # frames of a job that somebody may be waiting for
OLDEST_SHARE = 0.25  # of the calls, where shorter jobs want all of them


@dataclass(frozen=True)
class Candidate:
    """A frame that is ready for its next denoising step.

    ``key`` is what frames of one call must have in common (latent size, token length, added
    conditions), ``rows`` what the frame takes of a call: 2 when guided, else 1. ``passes`` counts
    the UNet calls that it still needs, ``job_frames`` the frames that its job has in all.
    """

    frame: FrameId
    key: Hashable
    rows: int
    passes: int
    job_frames: int

    @property
    def job(self) -> str:
        """The job's id."""
        return self.frame[0]


class BatchPolicy:
    """Chooses the frames of each UNet call.

    - Short jobs come first, among equals the one that was admitted first. The first of them leads:
      its next frame is in the call, and the call is of that frame's key.
    - A call with frames of short jobs is brisk: it has as few rows as are still a good use of the
      device, or twice those of the short jobs if that is more, so that it ends soon.
    - The oldest job has a quarter of the work, whatever comes: of each call of its key, or else
      every fourth call. So it ends, another is the oldest, and every job's turn comes.
    - Other calls are full, or hold all that is ready of their key. Frames without slack go before
      others: those with as many passes as their key needs calls, for they would prolong the work
      at its end. So without further arrivals, and where no call is brisk, a key is painted in the
      fewest calls there can be, ``max(ceil(all passes / frames a call), most passes)``.
    """

    def __init__(self) -> None:
        self._jobs: list[str] = []  # those with frames here, by first admission
        self._owed = 0.0  # calls that the oldest job has a right to, at most one

    def choose(
        self,
        ready: Sequence[Candidate],
        cap: Callable[[Hashable], int],
        brisk: Callable[[Hashable], int],
    ) -> list[FrameId]:
        """The frames of the next call, of those ``ready`` in order of admission.

        ``cap`` is the most rows of a call with that key, ``brisk`` of one that is to be short; one
        frame may always be alone.
        """
        if not ready:
            self._jobs.clear()
            return []
        here = dict.fromkeys(candidate.job for candidate in ready)
        self._jobs = list(dict.fromkeys([job for job in self._jobs if job in here] + list(here)))
        age = {job: place for place, job in enumerate(self._jobs)}
        oldest = self._jobs[0]
        self._owed = min(1.0, self._owed + OLDEST_SHARE)

        by_turn = sorted(ready, key=lambda one: (one.job_frames, age[one.job]))
        leads = by_turn[0].job if self._owed < 1 else oldest
        leader = next(one for one in by_turn if one.job == leads)
        mates = [one for one in by_turn if one.key == leader.key]
        most = cap(leader.key)
        short = [one for one in mates if one.job_frames <= SHORT]
        soon = max(brisk(leader.key), 2 * sum(one.rows for one in short))
        is_brisk = bool(short) and soon < most
        call = _Call(max(soon if is_brisk else most, leader.rows))
        urgent = _without_slack(mates, call.most)
        call.fill([leader, *([] if is_brisk else urgent)])
        share = self._owed * call.most - call.rows_of(oldest)
        call.fill([one for one in mates if one.job == oldest], share)
        call.fill([*short, *urgent, *mates] if is_brisk else mates)
        self._owed = max(0.0, self._owed - call.rows_of(oldest) / call.rows)
        return list(call.frames)


def _without_slack(mates: Sequence[Candidate], most: int) -> list[Candidate]:
    """Those that must be in each call from now on, or the last call is put off; longest first.

    They never fill a call while there are others: together they would need more calls.
    """
    needed = max(
        math.ceil(sum(one.rows * one.passes for one in mates) / most),
        max(one.passes for one in mates),
    )
    urgent = [one for one in mates if one.passes >= needed]
    return sorted(urgent, key=lambda one: -one.passes)


class _Call:
    """A UNet call that is being put together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.rows = 0
        self.frames: dict[FrameId, Candidate] = {}

    def fill(self, candidates: Iterable[Candidate], share: float = math.inf) -> None:
        """Add those that fit, in that order, up to ``share`` rows more."""
        most = min(self.most, self.rows + share)
        for one in candidates:
            if one.frame not in self.frames and self.rows + one.rows <= most:
                self.frames[one.frame] = one
                self.rows += one.rows

    def rows_of(self, job: str) -> int:
        """How many rows that job has."""
        return sum(one.rows for one in self.frames.values() if one.job == job)
