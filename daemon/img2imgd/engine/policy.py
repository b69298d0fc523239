"""Which frames make the next UNet call. Pure: no tensors, no clock."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

FrameId = tuple[str, int]


@dataclass(frozen=True)
class Candidate:
    """A frame that could take part in the next call."""

    frame: FrameId
    key: Hashable
    rows: int
    passes: int
    job_frames: int


class BatchPolicy:
    """Chooses batches."""

    def choose(self, ready: Sequence[Candidate], cap: Callable[[Hashable], int]) -> list[FrameId]:
        """The frames of the next call."""
        if not ready:
            return []
        ordered = sorted(ready, key=lambda one: (one.job_frames, -one.passes))
        key, left = ordered[0].key, cap(ordered[0].key)
        chosen: list[FrameId] = []
        for one in ordered:
            if one.key == key and (one.rows <= left or not chosen):
                chosen.append(one.frame)
                left -= one.rows
        return chosen
