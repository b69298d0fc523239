"""When each frame of an animation is shown, and for how long: plain numbers, no pictures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from img2imgd.request import GifSettings

SHORTEST = 20  # milliseconds; browsers show anything shorter for 100
LONGEST = 655_350  # milliseconds, the most that a GIF can say


def shown_order(count: int, *, pingpong: bool) -> list[int]:
    """Frames by index as one play shows them; the way back shows neither end a second time."""
    return [*range(count), *(range(count - 2, 0, -1) if pingpong else ())]


def shown_times(count: int, settings: GifSettings, tick: int) -> list[int]:
    """Milliseconds for each of :func:`shown_order`, in multiples of ``tick``.

    A hold makes the first or the last frame longer, never shorter than the others. With ``total``
    the times add up to it, unless they would be shorter than :data:`SHORTEST` or the holds alone
    are longer.
    """
    shown = len(shown_order(count, pingpong=settings.pingpong))
    first, last = settings.hold
    holds = {0: first, count - 1: last} if count > 1 else {0: max(first, last)}
    if settings.total is not None:
        return _divided(settings.total, shown, holds, tick)
    each = _in_ticks(settings.duration or 0, tick)
    return [max(each, _in_ticks(holds.get(at, 0), tick)) for at in range(shown)]


def timing_note(times: Sequence[int], settings: GifSettings) -> str:
    """Why one play is longer than was asked; empty when it is not."""
    asked, needed = settings.total, sum(times)
    if asked is None or needed < asked + SHORTEST:
        return ""
    return (
        f"One play of its {len(times)} frames takes {needed / 1000:g} s, not {asked / 1000:g} s: "
        f"a frame is shown for {SHORTEST} ms at least, and the held ones as long as asked."
    )


def _divided(total: int, shown: int, holds: dict[int, int], tick: int) -> list[int]:
    """A whole time among the frames: held ones get theirs, the others equal parts of the rest."""
    held: dict[int, int] = {}
    while True:
        free = [at for at in range(shown) if at not in held]
        rest = max(total - sum(held.values()), len(free) * SHORTEST)
        longer = {at: hold for at, hold in holds.items() if at in free and hold * len(free) > rest}
        if not longer:
            break
        held |= {at: _in_ticks(hold, tick) for at, hold in longer.items()}
    # Rounded where each frame ends, not how long it is: so the errors do not add up.
    parts = max(1, len(free))
    ends = [_rounded(rest * part, parts * tick) * tick for part in range(len(free) + 1)]
    times = dict(zip(free, (end - begin for begin, end in pairwise(ends)), strict=True))
    return [min((held | times)[at], LONGEST) for at in range(shown)]


def _in_ticks(milliseconds: int, tick: int) -> int:
    return min(max(SHORTEST, _rounded(milliseconds, tick) * tick), LONGEST)


def _rounded(value: int, unit: int) -> int:
    return (value + unit // 2) // unit
