"""The demo's pictures on one sheet: what was asked, the sketch, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_TILE = 208  # pixels of a side
_GAP = 12
_WORDS = 2 * _TILE  # width of the column of words
_LABEL = 24
_INK, _SOFT, _PAPER = (36, 38, 44), (104, 108, 118), (255, 255, 255)
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_TITLE_SIZE, _TEXT_SIZE, _LINE = 19, 14, 20


@dataclass(frozen=True)
class Chapter:
    """One row: a title, the sidecar's lines, the sketch, and pictures with what to write below."""

    title: str
    sidecar: str
    sketch: Path
    pictures: Sequence[tuple[Path, str]]


def tell(chapters: Sequence[Chapter], target: Path) -> None:
    """Write the sheet as PNG: a row for each chapter, as wide as the longest needs.

    Raises OSError when a picture cannot be read or the sheet cannot be written.
    """
    columns = 1 + max(len(chapter.pictures) for chapter in chapters)
    row = _TILE + _LABEL + _GAP
    size = (_GAP + _WORDS + columns * (_TILE + _GAP) + _GAP, len(chapters) * row + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    for number, chapter in enumerate(chapters):
        _lay(sheet, chapter, _GAP + number * row)
    sheet.save(target, optimize=True)


def _lay(sheet: Image.Image, chapter: Chapter, top: int) -> None:
    pen = ImageDraw.Draw(sheet)
    title, text = ImageFont.load_default(_TITLE_SIZE), ImageFont.load_default(_TEXT_SIZE)
    pen.text((_GAP, top), chapter.title, _INK, title)
    words = _wrapped(pen, chapter.sidecar, text)
    for number, line in enumerate(words):
        pen.text((_GAP, top + 36 + number * _LINE), line, _SOFT, text)
    tiles = [(chapter.sketch, chapter.sketch.name), *chapter.pictures]
    for column, (path, label) in enumerate(tiles):
        left = 2 * _GAP + _WORDS + column * (_TILE + _GAP)
        with Image.open(path) as picture:
            tile = picture.convert("RGB").resize((_TILE, _TILE), Image.Resampling.LANCZOS)
        sheet.paste(tile, (left, top))
        middle = (left + _TILE / 2, top + _TILE + _LABEL / 2)
        pen.text(middle, label, _SOFT, text, anchor="mm")


def _wrapped(pen: ImageDraw.ImageDraw, sidecar: str, font: _Font) -> list[str]:
    """The sidecar's lines without its comments, broken where they would be too wide."""
    lines: list[str] = []
    for line in sidecar.splitlines():
        if line.startswith("#"):
            continue
        indent = line[: len(line) - len(line.lstrip())]
        held = ""
        for word in line.split():
            longer = f"{held} {word}" if held else indent + word
            if held and pen.textlength(longer, font) > _WORDS - _GAP:
                lines.append(held)
                longer = f"{indent}    {word}"
            held = longer
        lines.append(held)
    return lines
