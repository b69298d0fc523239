"""How large the frames of an animation are: what was asked, what fits, and what to say of it."""

from __future__ import annotations

import math

Size = tuple[int, int]
"""Width and height in pixels."""

SMALLEST = 64
"""Pixels of the longest side; nothing is made smaller than this to fit a cap."""

_MARGIN = 0.94  # of a cap, for what an estimate can be wrong by


def limited(size: Size, longest: int) -> Size:
    """The size with no side longer than ``longest`` pixels, in the same shape; never enlarged."""
    side = max(size)
    if side <= longest:
        return size
    width, height = (max(1, round(edge * longest / side)) for edge in size)
    return width, height


def shrunk(size: Size, ratio: float) -> int:
    """The longest side that leaves ``ratio`` (below 1) of the bytes, as these follow the area."""
    side = max(size)
    return max(SMALLEST, min(side - 1, int(side * math.sqrt(ratio * _MARGIN))))


def size_note(wanted: Size, made: Size, whole: int, needed: int, cap: int) -> str:
    """Why the frames are smaller than wanted; empty when they are not.

    ``whole`` are the bytes it would have as wanted, ``needed`` those it has, ``cap`` those it may.
    """
    if needed > cap:
        return (
            f"It has {_megabytes(needed)} with {by(made)} pixels, more than the "
            f"{_megabytes(cap)} that gif.max_mb allows: it is made no smaller than this. "
            "Ask for fewer frames or for another format."
        )
    if made == wanted:
        return ""
    if whole <= cap:
        return f"It has {by(made)} pixels, not {by(wanted)}: its format has no larger ones."
    return (
        f"It has {by(made)} pixels, not {by(wanted)}: as large as that it would have about "
        f"{_megabytes(whole)}, and gif.max_mb allows {_megabytes(cap)}."
    )


def by(size: Size) -> str:
    """A size as a person writes it."""
    return f"{size[0]}×{size[1]}"


def _megabytes(size: int) -> str:
    megabytes = size / 1_000_000
    return f"{megabytes:.3g} MB" if megabytes < 100 else f"{megabytes:,.0f} MB"
