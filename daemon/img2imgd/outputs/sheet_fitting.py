"""How a contact sheet is folded and how large its tiles are, so that it keeps within its caps.

Tiles are as large as the caps allow, and never larger than the frames; of all ways to fold the
tables, the one is taken that comes nearest to the shape of a screen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from img2imgd.outputs.sheet_layout import Arrangement, Layout, Setting
from img2imgd.outputs.sheet_measures import SMALLEST_GAP, Measures
from img2imgd.outputs.sheet_plan import Axis, SheetPlan

SMALLEST_TILE = 64
"""Pixels of a tile's longer side, if the frames have as many."""

_SCREEN = 1.5  # width : height that is aimed at
# What is weighed against a shape that is off by a factor of e: folding a table, since rows compare
# best whole, and setting tables beside each other.
_FOLDED_TABLE = 1.2
_SIDE_BY_SIDE = 0.3
_SLACK = 20  # one frame in so many is left out of a cut sheet, so that it need not be a strip


def lay_out(plan: SheetPlan, frame: tuple[int, int], *, max_side: int, max_pixels: int) -> Layout:
    """Lay out a sheet of frames that are at most ``frame`` pixels wide and high.

    Neither side is longer than ``max_side`` pixels and there are at most ``max_pixels``. Tiles
    shrink to 64 pixels if they must; frames that then have no room are left out, from the end.

    Raises:
        ValueError: the caps have no room for a single tile with its labels.
    """
    whole = _Fitting(plan, frame, max_side, max_pixels)
    fitting, arrangement = _longest_beginning(whole)
    return fitting.largest(arrangement).layout()


@dataclass(frozen=True)
class _Fitting:
    """A plan, or the beginning of one, that is to fit between the caps."""

    plan: SheetPlan
    frame: tuple[int, int]
    max_side: int
    max_pixels: int
    omitted: int = 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Tables, rows, columns."""
        return len(self.plan.tables), len(self.plan.tables[0].tiles), len(self.plan.columns.labels)

    @property
    def smallest(self) -> int:
        """The longer side of the smallest tiles there may be."""
        return min(SMALLEST_TILE, max(self.frame))

    @property
    def most(self) -> int:
        """How many of the smallest tiles there can be at most, whatever their labels need."""
        share = self.smallest / max(self.frame)
        width, height = (side * share + SMALLEST_GAP for side in self.frame)
        return int(self.max_pixels / (width * height))

    def beginning(self, tables: int, rows: int, columns: int) -> _Fitting:
        """The first tables, the first rows and columns of each."""
        plan = replace(
            self.plan,
            columns=Axis(self.plan.columns.name, self.plan.columns.labels[:columns]),
            rows=self.plan.rows and Axis(self.plan.rows.name, self.plan.rows.labels[:rows]),
            tables=tuple(
                replace(table, tiles=tuple(row[:columns] for row in table.tiles[:rows]))
                for table in self.plan.tables[:tables]
            ),
        )
        omitted = self.omitted + math.prod(self.shape) - tables * rows * columns
        return replace(self, plan=plan, omitted=omitted)

    def arrangement(self) -> Arrangement | None:
        """The best way of folding, None if the plan has no room even with the smallest tiles."""
        measures = self._measures(self._likely_tile())
        ways = sorted(_arrangements(*self.shape), key=lambda way: self._badness(measures, way))
        smallest = self._measures(self.smallest)
        return next((way for way in ways if self._fits(self._set(smallest, way))), None)

    def largest(self, arrangement: Arrangement) -> Setting:
        """The setting with the largest tiles that fit, from smallest to the frames' own size."""
        fits, beyond = self.smallest, max(self.frame) + 1
        while beyond - fits > 1:
            middle = (fits + beyond) // 2
            if self._fits(self._set(self._measures(middle), arrangement)):
                fits = middle
            else:
                beyond = middle
        return self._set(self._measures(fits), arrangement)

    def _likely_tile(self) -> int:
        """The longer side of a tile if all of them take most of the pixels there may be."""
        width, height = self.frame
        share = math.sqrt(0.8 * self.max_pixels / (math.prod(self.shape) * width * height))
        return max(self.smallest, round(max(self.frame) * min(1, share)))

    def _measures(self, longer_side: int) -> Measures:
        share = longer_side / max(self.frame)
        width, height = (max(1, round(side * share)) for side in self.frame)
        return Measures.of(self.plan, width, height)

    def _set(self, measures: Measures, arrangement: Arrangement) -> Setting:
        return Setting(self.plan, measures, arrangement, self.omitted)

    def _fits(self, sheet: Setting) -> bool:
        longer_side = max(sheet.width, sheet.height)
        return longer_side <= self.max_side and sheet.width * sheet.height <= self.max_pixels

    def _badness(self, measures: Measures, way: Arrangement) -> float:
        """How far a sheet is from a screen's shape, how empty it is, how much it must shrink."""
        sheet = self._set(measures, way)
        tables, rows, columns = self.shape
        bands = math.ceil(rows / way.rows), math.ceil(columns / way.columns)
        places = (
            math.ceil(tables / way.across) * way.across * math.prod(bands) * way.rows * way.columns
        )
        shrinking = max(
            1,
            sheet.width / self.max_side,
            sheet.height / self.max_side,
            math.sqrt(sheet.width * sheet.height / self.max_pixels),
        )
        return (
            abs(math.log(sheet.width / sheet.height / _SCREEN))
            + math.log(shrinking)
            + 1 - tables * rows * columns / places
            + _FOLDED_TABLE * (self.plan.rows is not None and math.prod(bands) > 1)
            + _SIDE_BY_SIDE * (way.across > 1)
        )  # fmt: skip


def _arrangements(tables: int, rows: int, columns: int) -> set[Arrangement]:
    """All ways to fold the tables evenly, in one direction, and to set them beside each other."""
    bands = {(rows, size) for size in _even_parts(columns)}
    bands |= {(size, columns) for size in _even_parts(rows)}
    across = _even_parts(tables)
    return {Arrangement(*band, beside) for band in bands for beside in across}


def _even_parts(count: int) -> set[int]:
    """Sizes of the parts when so many things are divided into 1, 2, 3 … of them."""
    return {math.ceil(count / parts) for parts in range(1, count + 1)}


def _longest_beginning(whole: _Fitting) -> tuple[_Fitting, Arrangement]:
    """As much of a plan as fits, and how: all, else fewer tables, of one table fewer of its rows
    or columns, whichever are more.

    Raises:
        ValueError: not even one tile fits.
    """
    if math.prod(whole.shape) <= whole.most and (arrangement := whole.arrangement()):
        return whole, arrangement
    shape = list(whole.shape)
    while math.prod(shape) > 1:
        along = 0 if shape[0] > 1 else max((1, 2), key=shape.__getitem__)
        others = math.prod(shape) // shape[along]
        found = None
        fits, beyond = 0, min(shape[along], whole.most // others + 1)
        while beyond - fits > 1:
            shape[along] = (fits + beyond) // 2
            fitting = whole.beginning(*shape)
            if arrangement := fitting.arrangement():
                found = fitting, arrangement
                fits = shape[along]
            else:
                beyond = shape[along]
        if found:
            shape[along] = fits - fits // _SLACK
            fitting = whole.beginning(*shape)
            return (fitting, arrangement) if (arrangement := fitting.arrangement()) else found
        shape[along] = 1
    caps = f"{whole.max_side} pixels a side and {whole.max_pixels} in all"
    raise ValueError(f"a contact sheet of at most {caps} has no room for a tile")
