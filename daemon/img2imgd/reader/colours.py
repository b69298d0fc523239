"""Any picture's pixels as 8-bit sRGB: depth, colour model, profile, transparency."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from PIL import Image, ImageCms, TiffImagePlugin

_DEEP_GREY = ("I;16", "I;16B", "I;16L", "I;16N")
_SIXTEEN_BIT = 65535
_PROFILE_TAG = TiffImagePlugin.ICCPROFILE
# The colour space that a profile must be for, by Pillow's mode (ICC.1, 7.2.6).
_PROFILE_SPACE = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK", "LAB": "Lab "}


@dataclass
class _Pixels:
    """Colour in one of the modes of ``_PROFILE_SPACE``, and its mask of opacity."""

    colour: Image.Image
    opacity: Image.Image | None = None
    notes: list[str] = field(default_factory=list[str])


class NotNumbers(ValueError):
    """Floating-point pixels that cannot be shown."""


def to_rgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """A loaded picture as sRGB, transparent parts laid on white, and notes on what was done.

    Raises:
        NotNumbers: its pixels are infinite, or no numbers at all.
    """
    profile = image.info.get("icc_profile")
    pixels = _to_eight_bit(image)
    rgb = _to_srgb(pixels, profile if isinstance(profile, bytes) else b"")
    if pixels.opacity is None or pixels.opacity.getextrema() == (255, 255):
        return rgb, pixels.notes
    paper = Image.new("RGB", rgb.size, "white")
    paper.paste(rgb, mask=pixels.opacity)
    return paper, [*pixels.notes, "Its transparent parts were laid on white."]


def forget_other_pages(image: Image.Image) -> None:
    """Of a TIFF, forget a colour profile that another page than this one has.

    Pillow leaves it behind when it goes through the pages, be it only to count them.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _PROFILE_TAG not in image.tag_v2:
        image.info.pop("icc_profile", None)


def to_lab(image: Image.Image) -> Image.Image:
    """An sRGB picture in CIELAB (D50): bytes of L, and of a and b around 128."""
    converted = ImageCms.profileToProfile(
        image, _made_profile("sRGB"), _made_profile("LAB"), outputMode="LAB"
    )
    if converted is None:
        raise ValueError("its colours could not be converted")
    # As a picture of its own the mode LAB would give a and b as signed bytes.
    return Image.merge("RGB", converted.split())


def _to_eight_bit(image: Image.Image) -> _Pixels:
    mode = image.mode
    if mode in _DEEP_GREY or mode in ("I", "F"):
        return _deep_grey(image if mode == "F" else image.convert("I"), mode in _DEEP_GREY)
    if mode in ("La", "RGBa"):
        image = image.convert(mode.upper())  # colours divided by their opacity again
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return _Pixels(rgba.convert("RGB"), rgba.getchannel("A"))
    if mode == "1":
        return _Pixels(image.convert("L"))
    return _Pixels(image if mode in _PROFILE_SPACE else image.convert("RGB"))


def _deep_grey(image: Image.Image, sixteen_bit: bool) -> _Pixels:
    """Grey of more than 8 bits: 16-bit values divided by 257, others by the range they seem to use.

    Integers up to 65535 are taken as 16-bit, numbers within 0…1 and 0…255 as those ranges;
    anything else is stretched from its least to its greatest value, with a note.
    """
    low, high = _range(image)
    notes: list[str] = []
    if sixteen_bit or (image.mode == "I" and low >= 0 and high <= _SIXTEEN_BIT):
        low, high = 0.0, float(_SIXTEEN_BIT)
    elif low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    else:
        notes.append(f"Its values, {low:g} to {high:g}, were stretched to black and white.")
    scale = 255 / ((high - low) or 1.0)
    # Pillow wants the function as a line, and cuts the fraction off.
    grey = image.point(lambda value: value * scale + (0.5 - low * scale))
    return _Pixels(grey.convert("L"), notes=notes)


def _range(image: Image.Image) -> tuple[float, float]:
    extrema = image.getextrema()
    low, high = (float(value) for value in extrema if not isinstance(value, tuple))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise NotNumbers
    return low, high


def _to_srgb(pixels: _Pixels, profile_data: bytes) -> Image.Image:
    colour = pixels.colour
    source = _usable_profile(pixels, profile_data) if profile_data else None
    if source is None and colour.mode == "LAB":
        source = _made_profile("LAB")
    if source is None:
        if colour.mode == "CMYK" and not profile_data:
            pixels.notes.append("It has no colour profile, so its CMYK colours are a guess.")
        return colour.convert("RGB")
    if colour.mode == "L" and _space(profile_data) == "RGB ":
        colour = colour.convert("RGB")
    converted = ImageCms.profileToProfile(
        colour,
        source,
        _made_profile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if converted is None:
        raise ValueError("its colour profile could not be applied")
    return converted


def _usable_profile(pixels: _Pixels, data: bytes) -> ImageCms.ImageCmsProfile | None:
    """The embedded profile; None where it is sRGB, and, with a note, where it is of no use."""
    mode, space = pixels.colour.mode, _space(data)
    if space != _PROFILE_SPACE[mode] and not (space == "RGB " and mode == "L"):
        pixels.notes.append("Its colour profile is not for its kind of colours and was ignored.")
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        described = ImageCms.getProfileDescription(profile)
    except (OSError, ImageCms.PyCMSError):
        pixels.notes.append("Its colour profile is broken and was ignored.")
        return None
    return None if described.startswith("sRGB") else profile


def _space(profile_data: bytes) -> str:
    return profile_data[16:20].decode("latin-1")


def _made_profile(space: Literal["LAB", "sRGB"]) -> ImageCms.ImageCmsProfile:
    make = cast("Callable[[str], Any]", ImageCms.createProfile)  # pyright: ignore[reportUnknownMemberType]
    return ImageCms.ImageCmsProfile(make(space))
