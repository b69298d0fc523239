"""Strangers' texts in given widths: cleaned, measured, broken into lines, cut with an ellipsis."""

from __future__ import annotations

import math
import unicodedata
from functools import lru_cache

from PIL import ImageFont

from img2imgd.outputs.lettering import font

_LONGEST = 4000  # characters that are looked at; no sheet has room for more in three lines
_JOINERS = "\u200c\u200d"  # format characters that shape letters and show nothing themselves
_ELLIPSIS = "…"


def clean(text: str) -> str:
    """One line of what can be printed: no control characters, nothing that turns the direction."""
    kept = (
        " " if (kind := unicodedata.category(sign)) == "Cc"
        else "" if kind in ("Cf", "Cs") and sign not in _JOINERS
        else sign
        for sign in text[:_LONGEST]
    )  # fmt: skip
    cut = _ELLIPSIS if len(text) > _LONGEST else ""
    return " ".join("".join(kept).split()) + cut


@lru_cache(4096)
def text_width(text: str, size: int, *, bold: bool = False) -> int:
    """Pixels that a text takes in one line, cleaned."""
    line = clean(text)
    return math.ceil(font(size, line, bold=bold).getlength(line))


@lru_cache(1024)
def wrap(text: str, size: int, width: int, lines: int, *, bold: bool = False) -> tuple[str, ...]:
    """A text in at most ``lines`` lines of ``width`` pixels; what is left over is an ellipsis.

    Lines break at spaces, and within words that are longer than a line. All are measured in the
    one font that has the letters of the whole text.
    """
    rest = clean(text)
    face = font(size, rest, bold=bold)
    wrapped: list[str] = []
    while rest and len(wrapped) < lines:
        fits = _fitting(rest, face, width)
        if fits < len(rest) and len(wrapped) == lines - 1:
            cut = _fitting(rest, face, width, ending=_ELLIPSIS)
            space = rest.rfind(" ", cut // 2, cut + 1)
            wrapped.append(rest[: space if space > 0 else cut].rstrip() + _ELLIPSIS)
            break
        space = rest.rfind(" ", 0, fits + 1) if fits < len(rest) else -1
        end = space if space > 0 else max(fits, 1)
        wrapped.append(rest[:end])
        rest = rest[end:].lstrip()
    return tuple(wrapped)


def _fitting(text: str, face: ImageFont.FreeTypeFont, width: int, ending: str = "") -> int:
    """How many characters of a text, with ``ending``, go into ``width``; no letter loses a mark."""
    fits, beyond = 0, len(text) + 1
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        if face.getlength(text[:middle] + ending) <= width:
            fits = middle
        else:
            beyond = middle
    while 0 < fits < len(text) and unicodedata.category(text[fits])[0] == "M":
        fits -= 1
    return fits
