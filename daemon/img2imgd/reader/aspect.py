"""Faxes and some scanners give a page more dots across than down; it is meant to look square."""

from __future__ import annotations

import math

from PIL import Image, TiffImagePlugin

_ACROSS, _DOWN, _ORIENTATION = 282, 283, 274  # XResolution, YResolution: TIFF 6.0, section 8
_SIDEWAYS = (5, 6, 7, 8)
_ALIKE = 1.02  # resolutions that differ by less are rounded ones
_MOST = 4.0  # a fax has 204 × 98 dots an inch, or 204 × 391; whatever is more is a mistake


def squared(image: Image.Image) -> tuple[int, int]:
    """Width and height of an opened TIFF in square pixels: its sparser side is the longer one.

    Where that would be more pixels than Pillow is allowed, the denser side is shortened instead.
    """
    width, height = image.size
    ratio = _ratio(image)
    if not 1 / _MOST <= ratio <= _MOST or 1 / _ALIKE < ratio < _ALIKE:
        return width, height
    if ratio > 1:
        stretched = (width, max(1, round(height * ratio)))
        shrunk = (max(1, round(width / ratio)), height)
    else:
        stretched = (max(1, round(width / ratio)), height)
        shrunk = (width, max(1, round(height * ratio)))
    fits = stretched[0] * stretched[1] <= (Image.MAX_IMAGE_PIXELS or math.inf)
    return stretched if fits else shrunk


def _ratio(image: Image.Image) -> float:
    """Dots across for each dot down, upright; 1 where that is not told."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return 1.0
    tags = image.tag_v2
    try:
        across, down = float(tags[_ACROSS]), float(tags[_DOWN])
        ratio = across / down
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return 1.0
    if not math.isfinite(ratio) or ratio <= 0:
        return 1.0
    return 1 / ratio if tags.get(_ORIENTATION) in _SIDEWAYS else ratio
