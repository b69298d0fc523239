"""The fonts that sheets and labels are written in; they come with the program."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import ImageFont

_FONTS = Path(__file__).with_name("fonts")
# Inter draws Latin, Greek, Cyrillic and the signs of General Punctuation up to Arrows and Maths.
_INTER = (range(0x0530), range(0x1E00, 0x2C00), range(0xA640, 0xA800))


def font(size: int, text: str = "", *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """A font of ``size`` pixels an em that has the letters of ``text``, as far as one does.

    Texts in scripts that Inter does not draw (Arabic, Hebrew, Armenian, Georgian …) are written in
    DejaVu Sans; Chinese, Japanese and Korean are in neither and appear as boxes.
    """
    if all(any(ord(sign) in part for part in _INTER) for sign in text):
        return _load("Inter-SemiBold.otf" if bold else "Inter-Regular.otf", size)
    return _load("DejaVuSans.ttf", size)


@cache
def _load(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONTS / name, size)
