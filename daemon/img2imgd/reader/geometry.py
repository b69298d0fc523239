"""Which part of a picture goes where, and how large the result is. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

from img2imgd.reader.protocol import SizeRule

Box = tuple[float, float, float, float]

# Rounding the sides to multiples may cut some of the picture off at its edges; a third is a lot.
LEAST_KEPT_BY_ROUNDING = 2 / 3
# A pair with `fit: cover` crops by intention, yet a sixteenth of a picture is not that picture.
LEAST_KEPT_BY_COVER = 1 / 16


class TooNarrowError(ValueError):
    """The picture is so long and narrow that too little of it would be left; says how little."""

    def __init__(self, kept: float, size: tuple[int, int]) -> None:
        share = f"only {kept:.1%}" if kept >= 0.001 else "next to nothing"
        super().__init__(f"{share} of it would be left at {size[0]}×{size[1]}")


@dataclass(frozen=True)
class Placement:
    """``box`` of the source (left, top, right, bottom), resized to ``inner``, centred in ``size``.

    ``kept`` is the share of the source that the box holds.
    """

    size: tuple[int, int]
    inner: tuple[int, int]
    box: Box
    kept: float

    @property
    def inside(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of the inner picture in the result."""
        (width, height), (wide, high) = self.size, self.inner
        return (width - wide) // 2, (height - high) // 2, wide, high

    @property
    def original(self) -> tuple[int, int]:
        """Width and height of the box, in whole pixels of the source."""
        left, top, right, bottom = self.box
        return max(1, round(right - left)), max(1, round(bottom - top))


def place(width: int, height: int, rule: SizeRule) -> Placement:
    """Where a ``width`` × ``height`` picture goes under a rule.

    A single number and ``keep`` never distort (but for a ``whole`` picture): the sides are rounded,
    and what no longer fits is cut off evenly at both ends.

    Raises:
        TooNarrowError: less than two thirds (a pair: a sixteenth) of the picture would be left.
    """
    if isinstance(rule.size, tuple):
        size = (_rounded(rule.size[0], rule.multiple), _rounded(rule.size[1], rule.multiple))
        if rule.fit == "stretch":
            return Placement(size, size, (0, 0, width, height), 1.0)
        if rule.fit == "contain":
            return _contain(width, height, size)
        return _cover(width, height, size, LEAST_KEPT_BY_COVER)
    scale = 1.0 if rule.size == "keep" else rule.size / max(width, height)
    size = (_rounded(width * scale, rule.multiple), _rounded(height * scale, rule.multiple))
    cut = _cover(width, height, size, LEAST_KEPT_BY_ROUNDING)
    return Placement(size, size, (0, 0, width, height), 1.0) if rule.whole else cut


def with_room(width: float, height: float, rule: SizeRule) -> tuple[float, float]:
    """Sides that are no smaller, and of which :func:`place` cuts nothing off under the rule.

    For what stands on empty paper, and may have more of it.
    """
    if isinstance(rule.size, tuple):
        if rule.fit != "cover":
            return width, height
        aspect = _rounded(rule.size[0], rule.multiple) / _rounded(rule.size[1], rule.multiple)
        return max(width, height * aspect), max(height, width / aspect)
    if rule.size == "keep":
        return ceil(width / rule.multiple) * rule.multiple, ceil(
            height / rule.multiple
        ) * rule.multiple
    longer = _rounded(rule.size, rule.multiple)
    shorter = min(width, height) / max(width, height) * longer
    # Of the two multiples beside it, the one that needs less paper.
    below = max(1, int(shorter / rule.multiple)) * rule.multiple
    chosen = min((below, below + rule.multiple), key=lambda side: abs(log(side / shorter)))
    aspect = longer / chosen if width >= height else chosen / longer
    return max(width, height * aspect), max(height, width / aspect)


def _rounded(side: float, multiple: int) -> int:
    return max(1, int(side / multiple + 0.5)) * multiple


def _cover(width: int, height: int, size: tuple[int, int], least: float) -> Placement:
    scale = max(size[0] / width, size[1] / height)
    inside = (min(width, size[0] / scale), min(height, size[1] / scale))
    kept = inside[0] * inside[1] / (width * height)
    if kept < least:
        raise TooNarrowError(kept, size)
    left, top = (width - inside[0]) / 2, (height - inside[1]) / 2
    return Placement(size, size, (left, top, left + inside[0], top + inside[1]), kept)


def _contain(width: int, height: int, size: tuple[int, int]) -> Placement:
    scale = min(size[0] / width, size[1] / height)
    inner = (
        min(size[0], max(1, round(width * scale))),
        min(size[1], max(1, round(height * scale))),
    )
    return Placement(size, inner, (0, 0, width, height), 1.0)
