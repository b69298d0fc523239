"""A small copy of a picture to look at: upright, in sRGB, on white, without metadata."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps

from img2imgd.errors import EnvironmentFault, PictureError
from img2imgd.reader.aspect import squared
from img2imgd.reader.colours import NotNumbers, to_lab, to_rgb
from img2imgd.reader.kinds import EXPORT
from img2imgd.reader.opening import opened
from img2imgd.reader.protocol import GLANCE, Glance, ReaderLimits, Viewed, shown

_SHRINK_FIRST = 3.0  # a box filter brings it to three times the size, Lanczos does the rest
_SMALL = 512  # pixels: a thumbnail may be coarser than what is looked at closely
_ENOUGH_TO_GLANCE = 4 * GLANCE
_LONGEST = 16_383  # pixels that a side of a WebP may have


def view(path: Path, file: BinaryIO, target: BinaryIO, side: int, limits: ReaderLimits) -> Viewed:
    """Write a WebP of the first frame into ``target``, no side longer than ``side`` pixels.

    A smaller picture keeps its size.

    Raises:
        PictureError: it cannot be read; the message says why.
        EnvironmentFault: the target's disk, or the storage under the picture, fails.
    """
    small, original = _small_copy(path, file, min(side, _LONGEST), limits)
    _write(path, small, target)
    return Viewed(small.width, small.height, original)


def glance(path: Path, file: BinaryIO, limits: ReaderLimits) -> Glance:
    """What a picture looks like from afar; raises as :func:`view`."""
    small, (width, height) = _small_copy(path, file, _ENOUGH_TO_GLANCE, limits)
    parts = small.resize((GLANCE, GLANCE), Image.Resampling.BOX)
    return Glance(width, height, to_lab(parts).tobytes())


def _small_copy(
    path: Path, file: BinaryIO, side: int, limits: ReaderLimits
) -> tuple[Image.Image, tuple[int, int]]:
    """The first frame upright, in sRGB, with no side longer than that; and its own size."""
    with opened(path, file, limits) as image:
        if image.format in ("JPEG", "MPO", "PDF"):
            # The decoder may leave out detail that a much smaller picture cannot show.
            share = min(1.0, _SHRINK_FIRST * side / max(image.size))
            whole = image.size
            image.draft(None, (int(image.width * share) + 1, int(image.height * share) + 1))
        else:
            whole = squared(image)
        image.load()
        try:
            upright = ImageOps.exif_transpose(image)
        except Exception:  # noqa: BLE001 - the pixels are whole; only the EXIF data is not
            upright = image.copy()
        try:
            rgb, _ = to_rgb(upright)
        except NotNumbers:
            raise PictureError(
                f"{shown(path)} holds pixels that are not numbers.", EXPORT
            ) from None
        if image.format == "TIFF" and rgb.size != whole:
            rgb = rgb.resize(whole, Image.Resampling.BICUBIC)
        turned = (upright.width > upright.height) != (image.width > image.height)
        small = _shrunk(rgb, side)
    width, height = whole[::-1] if turned else whole
    return small, (width, height)


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=_SHRINK_FIRST)


def _write(path: Path, image: Image.Image, target: BinaryIO) -> None:
    image.info = {}
    encoded = io.BytesIO()
    image.save(encoded, "WEBP", quality=78 if max(image.size) <= _SMALL else 88, method=3)
    try:
        target.write(encoded.getvalue())
        target.flush()
    except OSError as fault:
        raise EnvironmentFault(
            f"A small copy of {shown(path)} cannot be written: {fault.strerror or fault}.",
            "Look at the space on the disk of the state folder.",
        ) from fault
