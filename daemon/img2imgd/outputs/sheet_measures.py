"""The lengths of a contact sheet, in pixels; they all follow from the size of its tiles."""

from __future__ import annotations

import math
from dataclasses import dataclass

from img2imgd.outputs.sheet_plan import PROMPT, Axis, SheetPlan
from img2imgd.outputs.typesetting import text_width, wrap

SMALLEST_GAP = 8
"""Pixels between tiles, at least."""

# Labels grow with the sheet, since a large one is first looked at as a whole. Shares of a tile's
# side, and of the side of a square that holds all tiles.
_SMALLEST_SHARE = 1 / 26
_LARGEST_SHARE = 1 / 11
_SHARE_OF_SHEET = 1 / 115
_SMALLEST_TYPE = 12  # pixels an em
_LARGEST_TYPE = 40
_WIDEST_COLUMN = 9  # ems that a label may widen its column to; the longest seed has 7
_WIDEST_HEAD = 12  # ems of a row's label
_WIDEST_PROMPT = 20  # likewise where it is a prompt


def line_height(size: int) -> int:
    """From one line of type of this size to the next; two accents on a capital have room."""
    return round(size * 1.35)


def rightward(axis: Axis) -> str:
    """The name of what varies along the columns of a table."""
    return f"{axis.name} →"


def downward(axis: Axis) -> str:
    """The name of what varies along the rows of a table."""
    return f"{axis.name} ↓"


def label_lines(axis: Axis, label: str, size: int, width: int) -> tuple[str, ...]:
    """A label in two lines, or three where it tells a prompt or everything."""
    return wrap(label, size, width, 3 if PROMPT in axis.name or " · " in label else 2)


@dataclass(frozen=True)
class Measures:
    """The lengths for tiles of a certain size.

    ``em`` is the size of the labels; ``column`` is the width of a column and ``row`` the height of
    a row, which are a tile's, or more where labels need it; ``row_head`` is the width of the rows'
    labels with the gap after them.
    """

    tile_width: int
    tile_height: int
    em: int
    column: int
    row: int
    column_lines: int
    row_head: int

    @classmethod
    def of(cls, plan: SheetPlan, tile_width: int, tile_height: int) -> Measures:
        """Measures with room for every label of the plan."""
        em = _type_size(math.sqrt(tile_width * tile_height), plan.frame_count)
        widest = _widest(plan.columns, em)
        column = max(tile_width, min(widest, _WIDEST_COLUMN * em))
        column_lines = _most_lines(plan.columns, em, column, widest)
        row, row_head = tile_height, 0
        if plan.rows:
            most = _WIDEST_PROMPT if plan.rows.name == PROMPT else _WIDEST_HEAD
            named = text_width(downward(plan.rows), em)
            widest = _widest(plan.rows, em)
            row_head = max(named, min(widest, most * em))
            row = max(row, _most_lines(plan.rows, em, row_head, widest) * line_height(em))
            row_head += em
        return cls(tile_width, tile_height, em, column, row, column_lines, row_head)

    @property
    def line(self) -> int:
        """A line of labels."""
        return line_height(self.em)

    @property
    def gap(self) -> int:
        """Between tiles."""
        return max(SMALLEST_GAP, self.em * 2 // 3)

    @property
    def pad(self) -> int:
        """Between a label and what it belongs to."""
        return max(4, self.em // 3)

    @property
    def margin(self) -> int:
        """Around everything."""
        return max(24, self.em * 2)


def _type_size(tile: float, count: int) -> int:
    """Pixels an em of the labels of so many tiles with sides of ``tile`` pixels."""
    size = min(tile * math.sqrt(count) * _SHARE_OF_SHEET, tile * _LARGEST_SHARE)
    size = max(size, tile * _SMALLEST_SHARE)
    return min(max(_SMALLEST_TYPE, round(size)), _LARGEST_TYPE)


def _widest(axis: Axis, size: int) -> int:
    return max(text_width(label, size) for label in axis.labels)


def _most_lines(axis: Axis, size: int, width: int, widest: int) -> int:
    """Lines of the tallest label, 0 if none says anything."""
    if widest <= width:
        return int(widest > 0)
    return max(len(label_lines(axis, label, size, width)) for label in axis.labels)
