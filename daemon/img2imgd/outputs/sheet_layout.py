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
from typing import Literal

from img2imgd.outputs.sheet_measures import Measures, label_lines, line_height
from img2imgd.outputs.sheet_plan import SheetPlan, Table
from img2imgd.outputs.typesetting import text_width, wrap

_SMALLEST_PAPER = 480  # pixels; a title needs that much
_TITLES = (18, 56)  # pixels an em of the title
_TITLE_SHARE = 1 / 75  # its size, in widths of the paper
_SETTINGS_SHARE = 0.62  # size of the line under it, in sizes of the title
_TALLEST_INPUT = 14  # ems that the input takes beside the title


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
    tone: Literal["ink", "quiet"] = "ink"
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
        self._header, self._input = self._set_header()
        parts = [part.box.bottom for part in (*self._header, *self._input)]
        self._top = max(parts) + 2 * m.em if parts else m.margin
        self.height = self._top + self._down.length + m.margin
        if omitted:
            self.height += m.em + m.line

    def layout(self) -> Layout:
        """Everything at its place."""
        labels: list[Label] = list(self._header)
        tiles: list[Tile] = list(self._input)
        for number, table in enumerate(self._plan.tables):
            down, across = divmod(number, self._across.count)
            left = self._measures.margin + self._across.at(across)
            top = self._top + self._down.at(down)
            labels += self._heading_of(table, left, top)
            for part in self._table(table, left, top + self._heading):
                (labels if isinstance(part, Label) else tiles).append(part)
        return Layout(
            self.width, self.height, (*labels, *self._foot()), tuple(tiles), self._omitted
        )

    def _set_tracks(self, arrangement: Arrangement) -> None:
        """The lines of equal things, from the tiles of a band up to the tables on the paper."""
        plan, m = self._plan, self._measures
        name = text_width(plan.columns.name, m.em) if plan.rows else 0
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

    def _set_header(self) -> tuple[list[Label], list[Tile]]:
        """Title and settings, beside the input if it is none of the tiles."""
        m = self._measures
        left = top = m.margin
        labels: list[Label] = []
        tiles: list[Tile] = []
        if self._plan.input:
            share = min(1, _TALLEST_INPUT * m.em / m.tile_height)
            size = max(1, round(m.tile_width * share)), max(1, round(m.tile_height * share))
            label = Label(Box(left, top, max(size[0], 4 * m.em), m.line), ("input",), m.em)
            labels.append(label)
            tiles.append(Tile(Box(left, label.box.bottom + m.pad, *size), self._plan.input))
            left = label.box.right + 2 * m.em
        width = self.width - m.margin - left
        title_size = min(max(_TITLES[0], round(self.width * _TITLE_SHARE)), _TITLES[1])
        for text, lines, size, tone in (
            (self._plan.title, 3, title_size, "ink"),
            (self._plan.settings, 2, round(title_size * _SETTINGS_SHARE), "quiet"),
        ):
            size = max(m.em, size)
            bold = tone == "ink"
            wrapped = wrap(text, size, width, lines, bold=bold)
            if wrapped:
                box = Box(left, top, width, len(wrapped) * line_height(size))
                labels.append(Label(box, wrapped, size, tone, bold))
                top = box.bottom + size // 3
        return labels, tiles

    def _heading_of(self, table: Table, left: int, top: int) -> Iterator[Label]:
        """A table's heading; over the one row of a wrapped grid, what it is that varies."""
        if not self._heading:
            return
        size = self._heading_size
        in_table = self._plan.rows is not None
        width = self._across.size if in_table else self.width - 2 * self._measures.margin
        lines = wrap(
            table.heading if in_table else self._plan.columns.name, size, width, 1, bold=in_table
        )
        tone = "ink" if in_table else "quiet"
        yield Label(Box(left, top, width, line_height(size)), lines, size, tone, in_table)

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
            yield Label(name, (plan.columns.name,), m.em, "quiet")
            name = Box(left, below - m.pad - m.line, m.row_head - m.em, m.line)
            yield Label(name, (plan.rows.name,), m.em, "quiet")
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
                yield Tile(Box(x, y, m.tile_width, m.tile_height), table.tiles[row][column])

    def _foot(self) -> Iterator[Label]:
        if self._omitted:
            m = self._measures
            frames = "frame" if self._omitted == 1 else "frames"
            top = self.height - m.margin - m.line
            box = Box(m.margin, top, self.width - 2 * m.margin, m.line)
            yield Label(box, (f"and {self._omitted:,} more {frames}",), m.em, "quiet")
