"""Labels burnt into frames: a quiet strip below the picture that says what this frame is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from img2imgd.outputs.lettering import font
from img2imgd.outputs.typesetting import clean

_PAPER, _INK = (24, 24, 27), (228, 228, 231)  # dark and light grey, 14:1 (WCAG asks for 4.5:1)
_SMALLEST, _USUAL, _LARGEST = 9, 12, 48  # pixels an em; less than usual only for long texts
_NARROWEST = 64  # pixels; there is no room for words in less
_HEIGHT, _MARGIN = 1.75, 0.6  # of an em

TALLEST = math.ceil(_LARGEST * _HEIGHT)
"""Pixels that a strip adds to a picture's height, at most."""


class LabelStrip:
    """A strip for frames of one size, in letters that suit every one of the texts.

    It stands below the picture, so that it hides nothing and reads as well on snow as by night, and
    begins its line at one place, so that only the value changes from frame to frame. ``note`` tells
    why texts were not written.
    """

    def __init__(self, texts: Sequence[str], picture: tuple[int, int]) -> None:
        self.picture = picture
        self._em = min(max(_USUAL, round(max(picture) / 32)), _LARGEST)
        longest = max(map(clean, texts), key=self._length, default="")
        while self._em > _SMALLEST and self._length(longest) > self._room:
            self._em -= 1
        wide = picture[0] >= _NARROWEST
        self.height = math.ceil(self._em * _HEIGHT) if longest and wide else 0
        too_narrow = f"It is {picture[0]} pixels wide, too narrow for labels."
        self.note = too_narrow if longest and not wide else ""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a frame with its strip; the picture's own if there is none."""
        width, height = self.picture
        return width, height + self.height

    def below(self, picture: Image.Image, text: str) -> Image.Image:
        """The picture with its text below it; a text too long for the width loses its middle."""
        if not self.height:
            return picture
        frame = Image.new("RGB", self.size, _PAPER)
        frame.paste(picture, (0, 0))
        middle = picture.height + self.height / 2
        written = self._shortened(clean(text))
        ImageDraw.Draw(frame).text(
            (round(self._em * _MARGIN), middle),
            written,
            fill=_INK,
            font=font(self._em, written),
            anchor="lm",
        )
        return frame

    @property
    def _room(self) -> float:
        return self.picture[0] - 2 * round(self._em * _MARGIN)

    def _length(self, text: str) -> float:
        return font(self._em, text).getlength(text)

    def _shortened(self, text: str) -> str:
        """The text, or its two ends: a setting's name is at the one and its value at the other."""
        shown, kept = text, len(text)
        while kept > 1 and (length := self._length(shown)) > self._room:
            kept = max(1, min(kept - 1, int(kept * self._room / length)))
            shown = f"{text[: kept // 2].rstrip()}…{text[kept // 2 - kept :].lstrip()}"
        return shown
