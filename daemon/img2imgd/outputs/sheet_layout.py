"""Where everything stands on a contact sheet, in pixels, once its folding is chosen.

A table with long rows is folded into bands of fewer columns under each other, with the heads
repeated (a wrapped grid is a table of one row, folded); a tall one, into bands of fewer rows beside
each other. Several tables may stand beside each other as well.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from img2imgd.outputs.sheet_measures import (
    Measures,
    downward,
    label_lines,
    line_height,
    rightward,
)
from img2imgd.outputs.sheet_plan import SheetPlan, Table
from img2imgd.outputs.typesetting import text_width, wrap

_SMALLEST_PAPER = 480  # pixels; a title needs that much
_SMALLEST_TITLE = 18  # pixels an em
_LARGEST_TITLE = 60
_TITLE = 1.5  # its size, in ems of the labels
_TITLE_ON_SHEET = 1 / 75  # likewise in widths of the paper
_SMALL = 0.65  # size of the line under it and of a long title, in sizes of a short one
_MEASURE = 70  # ems that a line of the header has at most
_TALLEST_INPUT = 14  # ems that the input takes beside the title
_WIDEST_INPUT = 1 / 3  # of the sheet's width


Tone: TypeAlias = Literal["ink", "quiet"]


@dataclass(frozen=True)
class Box:
    """A rectangle on the paper; ``right`` and ``bottom`` are the first pixels outside."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height


@dataclass(frozen=True)
class Label:
    """Lines of text that share the height of their box, from its left edge."""

    box: Box
    lines: tuple[str, ...]
    size: int
    tone: Tone = "ink"
    bold: bool = False


@dataclass(frozen=True)
class Tile:
    """The place of a frame, or of one that was not painted."""

    box: Box
    path: Path | None


@dataclass(frozen=True)
class Layout:
    """A sheet, ready to be painted; ``omitted`` frames found no room."""

    width: int
    height: int
    labels: tuple[Label, ...]
    tiles: tuple[Tile, ...]
    omitted: int = 0


@dataclass(frozen=True)
class Arrangement:
    """Rows and columns of a band, and how many tables stand beside each other."""

    rows: int
    columns: int
    across: int


@dataclass(frozen=True)
class _Track:
    """Equal things in a line, with equal gaps between them."""

    count: int
    size: int
    gap: int

    @property
    def length(self) -> int:
        return self.at(self.count) - self.gap

    def at(self, number: int) -> int:
        """Where one of them begins."""
        return number * (self.size + self.gap)


class Setting:
    """A plan in certain measures and a certain arrangement: its size, and where its parts stand.

    ``width`` and ``height`` are the paper's. A line at the foot tells of ``omitted`` frames.
    """

    def __init__(
        self, plan: SheetPlan, measures: Measures, arrangement: Arrangement, omitted: int = 0
    ) -> None:
        self._plan = plan
        self._measures = m = measures
        self._omitted = omitted
        self._set_tracks(arrangement)
        self.width = max(self._across.length + 2 * m.margin, _SMALLEST_PAPER)
        self._header = tuple(self._set_header())
        bottom = max((part.box.bottom for part in self._header), default=0)
        self._top = bottom + 2 * m.em if bottom else m.margin
        self.height = self._top + self._down.length + m.margin
        if omitted:
            self.height += m.em + m.line

    def layout(self) -> Layout:
        """Everything at its place."""
        parts = [*self._header, *self._tables(), *self._foot()]
        labels = tuple(part for part in parts if isinstance(part, Label))
        tiles = tuple(part for part in parts if isinstance(part, Tile))
        return Layout(self.width, self.height, labels, tiles, self._omitted)

    def _set_tracks(self, arrangement: Arrangement) -> None:
        """The lines of equal things, from the tiles of a band up to the tables on the paper."""
        plan, m = self._plan, self._measures
        name = text_width(rightward(plan.columns), m.em) if plan.rows else 0
        self._head = m.column_lines * m.line + m.pad if m.column_lines else 0
        self._head += m.line + m.pad if plan.rows else 0
        self._heading_size = round(m.em * 1.2) if plan.rows else m.em
        headed = plan.tables[0].heading if plan.rows else plan.columns.name
        self._heading = line_height(self._heading_size) + m.pad if headed else 0

        self._columns = _Track(arrangement.columns, m.column, m.gap)
        self._rows = _Track(arrangement.rows, m.row, m.gap)
        self._bands_across = _Track(
            math.ceil(len(plan.tables[0].tiles) / arrangement.rows),
            m.row_head + max(self._columns.length, name),
            2 * m.em + m.gap,
        )
        self._bands_down = _Track(
            math.ceil(len(plan.columns.labels) / arrangement.columns),
            self._head + self._rows.length,
            2 * m.em if plan.rows else max(m.em, m.gap),
        )
        self._across = _Track(arrangement.across, self._bands_across.length, 3 * m.em)
        self._down = _Track(
            math.ceil(len(plan.tables) / arrangement.across),
            self._heading + self._bands_down.length,
            3 * m.em,
        )

    def _set_header(self) -> Iterator[Label | Tile]:
        """Title and settings, beside the input if it is none of the tiles."""
        m = self._measures
        left = top = m.margin
        if self._plan.input:
            room = (self.width - 2 * m.margin) * _WIDEST_INPUT
            share = min(1, _TALLEST_INPUT * m.em / m.tile_height, room / m.tile_width)
            width, height = (max(1, round(side * share)) for side in (m.tile_width, m.tile_height))
            label = Box(left, top, max(width, 4 * m.em), m.line)
            yield Label(label, ("input",), m.em)
            yield Tile(Box(left, label.bottom + m.pad, width, height), self._plan.input)
            left = label.right + 2 * m.em
        width = self.width - m.margin - left
        large = max(_SMALLEST_TITLE, round(m.em * _TITLE), round(self.width * _TITLE_ON_SHEET))
        large = min(large, _LARGEST_TITLE)
        small = round(large * _SMALL)
        if text_width(self._plan.title, large, bold=True) > width:
            large = small  # a long prompt is read, not looked at
        title = wrap(self._plan.title, large, min(width, _MEASURE * large), 3, bold=True)
        settings = wrap(self._plan.settings, small, min(width, _MEASURE * small), 2)
        if title:
            box = Box(left, top, width, len(title) * line_height(large))
            yield Label(box, title, large, "ink", bold=True)
            top = box.bottom + small // 3
        if settings:
            box = Box(left, top, width, len(settings) * line_height(small))
            yield Label(box, settings, small, "quiet")

    def _tables(self) -> Iterator[Label | Tile]:
        for number, table in enumerate(self._plan.tables):
            down, across = divmod(number, self._across.count)
            left = self._measures.margin + self._across.at(across)
            top = self._top + self._down.at(down)
            yield from self._heading_of(table, left, top)
            yield from self._axis_over_row(left, top)
            yield from self._table(table, left, top + self._heading)

    def _heading_of(self, table: Table, left: int, top: int) -> Iterator[Label]:
        """A table's heading."""
        if self._plan.rows and table.heading:
            size = self._heading_size
            lines = wrap(table.heading, size, self._across.size, 1, bold=True)
            box = Box(left, top, self._across.size, line_height(size))
            yield Label(box, lines, size, bold=True)

    def _axis_over_row(self, left: int, top: int) -> Iterator[Label]:
        """What varies along a row without a table, over the first value."""
        if self._plan.rows or not self._plan.columns.name:
            return
        m = self._measures
        if self._plan.input_first and self._columns.count > 1:
            left += self._columns.at(1)
        width = self.width - m.margin - left
        lines = wrap(self._plan.columns.name, m.em, width, 1)
        yield Label(Box(left, top, width, m.line), lines, m.em, "quiet")

    def _table(self, table: Table, left: int, top: int) -> Iterator[Label | Tile]:
        rows, columns = len(table.tiles), len(self._plan.columns.labels)
        for across, down in itertools.product(
            range(self._bands_across.count), range(self._bands_down.count)
        ):
            first_row, first_column = across * self._rows.count, down * self._columns.count
            yield from self._band(
                table,
                range(first_row, min(first_row + self._rows.count, rows)),
                range(first_column, min(first_column + self._columns.count, columns)),
                left + self._bands_across.at(across),
                top + self._bands_down.at(down),
            )

    def _band(
        self, table: Table, rows: Sequence[int], columns: Sequence[int], left: int, top: int
    ) -> Iterator[Label | Tile]:
        m = self._measures
        plan = self._plan
        first = left + m.row_head
        below = top + self._head
        if plan.rows:
            name = Box(first, top, self._bands_across.size - m.row_head, m.line)
            yield Label(name, (rightward(plan.columns),), m.em, "quiet")
            name = Box(left, below - m.pad - m.line, m.row_head - m.em, m.line)
            yield Label(name, (downward(plan.rows),), m.em, "quiet")
            for place, row in enumerate(rows):
                lines = label_lines(plan.rows, plan.rows.labels[row], m.em, m.row_head - m.em)
                height = len(lines) * m.line
                middle = below + self._rows.at(place) + m.row // 2
                yield Label(Box(left, middle - height // 2, m.row_head - m.em, height), lines, m.em)
        for place, column in enumerate(columns):
            x = first + self._columns.at(place)
            lines = label_lines(plan.columns, plan.columns.labels[column], m.em, m.column)
            height = len(lines) * m.line
            if lines:
                yield Label(Box(x, below - m.pad - height, m.column, height), lines, m.em)
            for row_place, row in enumerate(rows):
                y = below + self._rows.at(row_place) + (m.row - m.tile_height) // 2
                box = Box(x, y, m.tile_width, m.tile_height)
                yield Tile(box, table.tiles[row][column])
                if table.tiles[row][column] is None:
                    yield from self._not_painted(box)

    def _not_painted(self, tile: Box) -> Iterator[Label]:
        """Words in the middle of an empty tile, in one line or two, if they have room there."""
        m = self._measures
        for lines in (("not painted",), ("not", "painted")):
            widths = [text_width(line, m.em) for line in lines]
            if max(widths) <= tile.width - m.pad and len(lines) * m.line <= tile.height:
                top = tile.top + (tile.height - len(lines) * m.line) // 2
                for number, (line, width) in enumerate(zip(lines, widths, strict=True)):
                    left = tile.left + (tile.width - width) // 2
                    yield Label(
                        Box(left, top + number * m.line, width, m.line), (line,), m.em, "quiet"
                    )
                return

    def _foot(self) -> Iterator[Label]:
        if self._omitted:
            m = self._measures
            frames = "frame" if self._omitted == 1 else "frames"
            top = self.height - m.margin - m.line
            box = Box(m.margin, top, self.width - 2 * m.margin, m.line)
            yield Label(box, (f"and {self._omitted:,} more {frames}",), m.em, "quiet")
