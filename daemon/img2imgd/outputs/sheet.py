"""Contact sheets: all frames of a job on one sheet of paper, with what sets them apart."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, islice
from pathlib import Path

from PIL import Image, ImageDraw

from img2imgd.outputs.encode import write_png
from img2imgd.outputs.lettering import font
from img2imgd.outputs.orders import FRAME_FORMATS
from img2imgd.outputs.sheet_fitting import SMALLEST_TILE, lay_out
from img2imgd.outputs.sheet_layout import Box, Label, Layout
from img2imgd.outputs.sheet_plan import SheetPlan

MAX_SIDE = 8192
MAX_PIXELS = 16_000_000

_PAPER = (255, 255, 255)
_TONES = {"ink": (28, 28, 28), "quiet": (104, 104, 104)}
_EDGE = (222, 222, 222)  # around tiles, so that white pictures end somewhere
_EMPTY = (246, 246, 246)
_ASCENT = 1.02  # ems over the baseline that letters reach in both fonts, accents included
_DESCENT = 0.25
_UNPAINTED = (256, 256)  # the tiles' size when there is no picture at all


def write_sheet(
    plan: SheetPlan,
    target: Path,
    *,
    max_side: int = MAX_SIDE,
    max_pixels: int = MAX_PIXELS,
    text: Mapping[str, str] | None = None,
) -> str:
    """Paint a contact sheet as a PNG, durably, replacing an older one; ``text`` as in write_png.

    Frames are reduced, never enlarged, and one is in memory at a time. The sheet keeps within
    ``max_side`` pixels a side and ``max_pixels`` in all (three bytes each, about four times over
    while it is written). Returns what a person should know of it: how many frames found no room,
    usually nothing.

    Raises:
        ValueError: the caps have no room for a single tile.
        OSError: a frame cannot be read or the target not be written; no half file is left.
    """
    frame = _largest_frame(plan, most=max_pixels // SMALLEST_TILE**2)
    layout = lay_out(plan, frame, max_side=max_side, max_pixels=max_pixels)
    paper = _paint(layout)
    write_png(target, paper, text or {})
    return _note(target.name, plan.frame_count, layout.omitted)


def _largest_frame(plan: SheetPlan, most: int) -> tuple[int, int]:
    """The width and height that hold every frame; no more are looked at than a sheet can show."""
    tiles = chain.from_iterable(row for table in plan.tables for row in table.tiles)
    frames = islice(tiles, int(plan.input_first), None)
    sizes = [_size(path) for path in islice(filter(None, frames), most)] or [_UNPAINTED]
    return max(width for width, _ in sizes), max(height for _, height in sizes)


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path, formats=FRAME_FORMATS) as picture:
        return picture.size


def _paint(layout: Layout) -> Image.Image:
    paper = Image.new("RGB", (layout.width, layout.height), _PAPER)
    for tile in layout.tiles:
        if tile.path is None:
            _paint_empty(paper, tile.box)
        else:
            _paint_frame(paper, tile.box, tile.path)
    for label in layout.labels:
        paint_label(paper, label)
    return paper


def _paint_frame(paper: Image.Image, place: Box, path: Path) -> None:
    """A frame in the middle of its place, reduced to it if it is larger."""
    with Image.open(path, formats=FRAME_FORMATS) as picture:
        share = min(1, place.width / picture.width, place.height / picture.height)
        width, height = (max(1, round(side * share)) for side in picture.size)
        picture.draft("RGB", (2 * width, 2 * height))  # decodes a large JPEG at a half … an eighth
        reduced = picture if picture.mode == "RGB" else picture.convert("RGB")
        if reduced.size != (width, height):
            reduced = reduced.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)
        left = place.left + (place.width - width) // 2
        top = place.top + (place.height - height) // 2
        _paint_edge(paper, Box(left, top, width, height))
        paper.paste(reduced, (left, top))


def _paint_empty(paper: Image.Image, place: Box) -> None:
    _paint_edge(paper, place)
    paper.paste(_EMPTY, (place.left, place.top, place.right, place.bottom))


def _paint_edge(paper: Image.Image, box: Box) -> None:
    edge = (box.left - 1, box.top - 1, box.right, box.bottom)
    ImageDraw.Draw(paper).rectangle(edge, outline=_EDGE)


def paint_label(paper: Image.Image, label: Label) -> None:
    """Write a label; whatever marks are piled on its letters, nothing leaves its box."""
    box = label.box
    mask = Image.new("L", (box.width, box.height))
    draw = ImageDraw.Draw(mask)
    face = font(label.size, "".join(label.lines), bold=label.bold)
    line = box.height / max(1, len(label.lines))
    in_line = (line + (_ASCENT - _DESCENT) * label.size) / 2
    for number, words in enumerate(label.lines):
        baseline = round(line * number + in_line)
        draw.text((0, baseline), words, 255, face, anchor="ls")
    paper.paste(_TONES[label.tone], (box.left, box.top), mask)


def _note(name: str, frames: int, omitted: int) -> str:
    if not omitted:
        return ""
    shown = f"{frames - omitted:,} of {frames:,} frames"
    return f"{name} shows {shown}; there is no room for more in a size that can be seen."
