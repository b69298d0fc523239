"""Layouts of contact sheets: everything in its place, whatever the counts, sizes and texts."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from img2imgd.outputs.sheet_fitting import lay_out
from img2imgd.outputs.sheet_layout import Box, Layout
from img2imgd.outputs.sheet_plan import Axis, SheetPlan, Table
from img2imgd.outputs.typesetting import text_width

MAX_SIDE, MAX_PIXELS = 8192, 16_000_000
PICTURE = Path("a.png")
STRENGTHS = tuple(f"{0.05 + 0.03 * number:.2f}" for number in range(31))


def row(*labels: str, name: str = "strength", title: str = "a cottage by a lake") -> SheetPlan:
    tiles = (tuple(PICTURE for _ in labels),)
    return SheetPlan(title, "50 steps · cat.png", Axis(name, labels), None, (Table("", tiles),))


def tables(rows: Axis, columns: Axis, count: int = 1, *, apart: bool = False) -> SheetPlan:
    tiles = tuple(tuple(PICTURE for _ in columns.labels) for _ in rows.labels)
    each = tuple(Table(f"seed {number}" if count > 1 else "", tiles) for number in range(count))
    return SheetPlan("a cottage", "50 steps", columns, rows, each, PICTURE if apart else None)


def numbers(count: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(count))


def laid(plan: SheetPlan, frame: tuple[int, int] = (512, 512), **caps: int) -> Layout:
    return lay_out(plan, frame, **{"max_side": MAX_SIDE, "max_pixels": MAX_PIXELS, **caps})


def places(layout: Layout) -> tuple[list[int], list[int]]:
    """Left edges of the columns and top edges of the rows of tiles."""
    boxes = [tile.box for tile in layout.tiles]
    return sorted({box.left for box in boxes}), sorted({box.top for box in boxes})


def overlap(one: Box, other: Box) -> bool:
    return (
        one.left < other.right and other.left < one.right
        and one.top < other.bottom and other.top < one.bottom
    )  # fmt: skip


def within(inner: Box, outer: Box) -> bool:
    return (
        outer.left <= inner.left and inner.right <= outer.right
        and outer.top <= inner.top and inner.bottom <= outer.bottom
    )  # fmt: skip


def assert_sound(layout: Layout, max_side: int = MAX_SIDE, max_pixels: int = MAX_PIXELS) -> None:
    """Within the caps and the paper; no two parts overlap; no label is cut or too small."""
    assert max(layout.width, layout.height) <= max_side
    assert layout.width * layout.height <= max_pixels
    paper = Box(12, 12, layout.width - 24, layout.height - 24)
    boxes = [part.box for part in (*layout.tiles, *layout.labels)]
    assert all(within(box, paper) for box in boxes)
    for label in layout.labels:
        assert label.size >= 12
        assert label.box.height >= len(label.lines) * label.size
        for line in label.lines:
            assert text_width(line, label.size, bold=label.bold) <= label.box.width
    empty = {tile.box for tile in layout.tiles if tile.path is None}
    boxes.sort(key=lambda box: (box.top, box.left, -box.width))
    for number, box in enumerate(boxes):
        for other in boxes[number + 1 :]:
            if other.top >= box.bottom:
                break
            written_on = box in empty and within(other, box)  # "not painted"
            assert written_on or not overlap(box, other)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 31, 60, 200, 1000])
def test_a_row_wraps_to_a_grid_that_fills_the_shape_of_a_screen(count: int) -> None:
    layout = laid(row(*numbers(count)))
    assert_sound(layout)
    assert len(layout.tiles) == count
    lefts, tops = places(layout)
    assert (len(tops) - 1) * len(lefts) < count <= len(tops) * len(lefts)
    if count > 4:
        assert 0.9 < layout.width / layout.height < 2.6


def test_31_strengths_stand_in_rows_of_eight_each_under_its_value() -> None:
    layout = laid(row(*STRENGTHS), (768, 768))
    lefts, tops = places(layout)
    assert (len(lefts), len(tops)) == (8, 4)
    heads = {label.lines[0]: label.box for label in layout.labels}
    for text, tile in zip(STRENGTHS, layout.tiles, strict=True):
        head = heads[text]
        assert head.left == tile.box.left
        assert 0 < tile.box.top - head.bottom < 20


def test_the_axis_of_a_grid_is_named_once_over_the_first_value() -> None:
    layout = laid(row(*STRENGTHS))
    (name,) = [label for label in layout.labels if label.lines == ("strength",)]
    (first,) = [label for label in layout.labels if label.lines == (STRENGTHS[0],)]
    assert name.box.left == first.box.left
    assert name.box.bottom <= first.box.top


def test_few_frames_keep_their_own_size() -> None:
    layout = laid(row(*numbers(5)))
    assert {(tile.box.width, tile.box.height) for tile in layout.tiles} == {(512, 512)}


@pytest.mark.parametrize("count", [1, 31, 300])
def test_small_frames_are_never_enlarged(count: int) -> None:
    layout = laid(row(*numbers(count)), (64, 48))
    assert {(tile.box.width, tile.box.height) for tile in layout.tiles} == {(64, 48)}
    assert_sound(layout)


def test_many_frames_shrink_and_keep_their_shape() -> None:
    layout = laid(row(*numbers(200)), (768, 512))
    box = layout.tiles[0].box
    assert 100 < box.width < 400
    assert box.width / box.height == pytest.approx(1.5, abs=0.02)


def test_a_table_of_12_by_5_is_whole_with_heads_in_line() -> None:
    columns, rows = Axis("strength", numbers(12)), Axis("guidance scale", tuple("abcde"))
    layout = laid(tables(rows, columns))
    assert_sound(layout)
    lefts, tops = places(layout)
    assert (len(lefts), len(tops)) == (12, 5)
    words = {line: label.box for label in layout.labels for line in label.lines}
    assert [words[text].left for text in columns.labels] == lefts
    side = layout.tiles[0].box.height
    for text, top in zip(rows.labels, tops, strict=True):
        middle = words[text].top + words[text].height / 2
        assert middle == pytest.approx(top + side / 2, abs=2)
        assert words[text].right < lefts[0]
    assert words["strength →"].left == lefts[0]
    assert words["guidance scale ↓"].right < lefts[0]


def test_styles_by_strengths_have_a_row_each_with_names_in_two_lines_at_most() -> None:
    styles = Axis("style", ("oil", "a very long style name, " * 9, "woodblock print of Edo"))
    layout = laid(tables(styles, Axis("strength", numbers(9))))
    assert_sound(layout)
    assert [len(part) for part in places(layout)] == [9, 3]
    (long,) = [label for label in layout.labels if label.lines[0].startswith("a very")]
    assert len(long.lines) == 2
    assert long.lines[1].endswith("…")


def test_a_long_table_is_folded_with_its_heads_repeated() -> None:
    layout = laid(tables(Axis("style", ("ink", "oil")), Axis("strength", STRENGTHS)))
    assert_sound(layout)
    lefts, tops = places(layout)
    bands = math.ceil(31 / len(lefts))
    assert bands > 1
    assert len(tops) == 2 * bands
    assert [label.lines for label in layout.labels].count(("ink",)) == bands
    assert 1 < layout.width / layout.height < 3


def test_a_tall_table_is_folded_sideways() -> None:
    layout = laid(tables(Axis("style", numbers(40)), Axis("strength", ("0.2", "0.8"))))
    assert_sound(layout)
    assert [label.lines for label in layout.labels].count(("0.8",)) > 1
    assert 0.4 < layout.width / layout.height < 3


def test_tables_have_their_headings_over_them() -> None:
    layout = laid(tables(Axis("style", ("ink", "oil")), Axis("strength", numbers(4)), count=3))
    assert_sound(layout)
    headings = [label.box for label in layout.labels if label.lines[0].startswith("seed ")]
    assert len(headings) == 3
    for heading, first in zip(headings, layout.tiles[::8], strict=True):
        assert heading.bottom < first.box.top


def test_the_input_of_a_table_stands_in_the_header() -> None:
    columns, rows = Axis("strength", numbers(12)), Axis("guidance scale", tuple("abcde"))
    layout = laid(tables(rows, columns, apart=True))
    assert_sound(layout)
    (word,) = [label.box for label in layout.labels if label.lines == ("input",)]
    apart, first = layout.tiles[0].box, layout.tiles[1].box
    assert word.bottom < apart.top
    assert apart.bottom < first.top
    assert len(layout.tiles) == 61


def test_a_wide_input_leaves_room_for_the_title() -> None:
    columns, rows = Axis("strength", numbers(2)), Axis("guidance scale", numbers(4))
    layout = laid(tables(rows, columns, apart=True), (2000, 100))
    assert_sound(layout)
    (title,) = [label.box for label in layout.labels if label.lines == ("a cottage",)]
    assert title.width > layout.width * 0.6


def test_a_frame_that_was_not_painted_says_so_within_its_tile() -> None:
    plan = SheetPlan("", "", Axis("", ("1", "2")), None, (Table("", ((PICTURE, None),)),))
    for side in (64, 512):
        layout = laid(plan, (side, side))
        words = [label.box for label in layout.labels if set(label.lines[0]) <= set("not painted")]
        assert words
        assert all(within(box, layout.tiles[1].box) for box in words)


@pytest.mark.parametrize(
    ("plan", "frames"),
    [
        (row(*numbers(100_000)), 100_000),
        (tables(Axis("seed", numbers(50)), Axis("strength", numbers(2000))), 100_000),
        (tables(Axis("seed", numbers(10)), Axis("strength", numbers(10)), count=1000), 100_000),
        (tables(Axis("seed", numbers(5000)), Axis("strength", numbers(2))), 10_000),
    ],
    ids=["row", "long table", "tables", "tall table"],
)
def test_what_has_no_room_is_left_out_and_told(plan: SheetPlan, frames: int) -> None:
    layout = laid(plan)
    assert_sound(layout)
    assert layout.omitted == frames - len(layout.tiles)
    assert len(layout.tiles) > 1000
    assert layout.labels[-1].lines == (f"and {layout.omitted:,} more frames",)
    assert min(layout.tiles[0].box.width, layout.tiles[0].box.height) >= 64


def test_one_frame_left_out_is_told_as_one() -> None:
    sheets = (
        laid(row(*numbers(13)), max_pixels=pixels) for pixels in range(160_000, 172_000, 1000)
    )
    first = next(sheet for sheet in sheets if sheet.omitted == 1)
    assert first.labels[-1].lines == ("and 1 more frame",)


def test_caps_without_room_for_a_tile_are_refused() -> None:
    with pytest.raises(ValueError, match="no room for a tile"):
        laid(row("1"), max_side=200)


labels = st.one_of(
    st.text(max_size=60),
    st.integers(0, 2**32 - 1).map(str),
    st.floats(0, 50).map(lambda value: f"{value:.3f}"),
)


@settings(max_examples=150, deadline=None)
@given(
    columns=st.lists(labels, min_size=1, max_size=70),
    rows=st.none() | st.lists(labels, min_size=1, max_size=20),
    count=st.integers(1, 5),
    texts=st.tuples(st.text(max_size=400), st.text(max_size=400), labels, labels),
    frame=st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    caps=st.tuples(st.integers(1500, 9000), st.integers(2_000_000, 20_000_000)),
    apart=st.booleans(),
    unpainted=st.booleans(),
)
def test_any_sheet_is_sound(
    columns: list[str],
    rows: list[str] | None,
    count: int,
    texts: tuple[str, str, str, str],
    frame: tuple[int, int],
    caps: tuple[int, int],
    apart: bool,
    unpainted: bool,
) -> None:
    title, constants, heading, name = texts
    path = None if unpainted else PICTURE
    tiles = tuple(tuple(path for _ in columns) for _ in rows or [""])
    plan = SheetPlan(
        title=title,
        settings=constants,
        columns=Axis(name if rows is None else "strength", tuple(columns)),
        rows=None if rows is None else Axis("guidance scale", tuple(rows)),
        tables=(Table(heading, tiles),) * (count if rows else 1),
        input=PICTURE if apart and rows else None,
    )
    layout = lay_out(plan, frame, max_side=caps[0], max_pixels=caps[1])
    assert_sound(layout, *caps)
    assert len(layout.tiles) + layout.omitted == plan.frame_count + (plan.input is not None)
