"""Painted pixels to picture files that are whole, on disk, and say how they were made."""

from __future__ import annotations

import io
import logging
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from PIL import Image, ImageCms

from img2imgd.durable import write_file
from img2imgd.outputs.exif import exif_of
from img2imgd.outputs.orders import Encoding, FrameFile, Restoration, Tags
from img2imgd.outputs.png_chunks import png_chunks

log = logging.getLogger(__name__)

PACKED: dict[str, Any] = {"compress_level": 1, "compress_type": zlib.Z_RLE}
"""How a PNG's pixels are: zlib looks for runs of one byte only, since painted pictures hardly
repeat themselves otherwise: as small as at its level 4, in half of the time. Line art grows."""

_FULL_COLOUR = 90  # the JPEG quality from which on colours are kept at every pixel
_SEGMENT = 65_000  # bytes that one segment of a JPEG has room for, less its headers (ITU-T T.81)


def write_frame(file: FrameFile, size: tuple[int, int], pixels: bytes) -> None:
    """Write H×W×3 uint8 RGB bytes, durably, replacing an older file; tagged as sRGB.

    ``size`` is (width, height) of the pixels.

    Raises:
        ValueError: ``pixels`` has not ``width * height * 3`` bytes.
        OSError: the disk, as from ``durable.write_file``; no half file is left.
    """
    picture = Image.frombytes("RGB", size, pixels)
    if file.encoding.restoration is not None:
        picture = _restored(picture, file.encoding.restoration)
    write_file(file.path, encoded(picture, file.encoding, file.tags))


def write_png(target: Path, picture: Image.Image, text: Mapping[str, str]) -> None:
    """Write an RGB picture as a PNG, durably; ``text`` by the keywords of text chunks.

    Raises:
        OSError: the disk, as from ``durable.write_file``; no half file is left.
    """
    write_file(target, _png(picture, text))


def encoded(picture: Image.Image, encoding: Encoding, tags: Tags) -> bytes:
    """An RGB picture as a file's bytes."""
    if encoding.format == "png":
        return _png(picture, tags.by_keyword)
    file = io.BytesIO()
    if encoding.format == "jpeg":
        tags = _within_segments(tags)
        subsampling = 0 if encoding.quality >= _FULL_COLOUR else 2
        options: dict[str, Any] = {"subsampling": subsampling, "optimize": True}
    else:
        options = {"lossless": encoding.quality == 100, "method": 4}
    if tags.xmp:
        options["xmp"] = tags.xmp.encode()
    picture.save(
        file,
        encoding.format.upper(),
        quality=encoding.quality,
        icc_profile=srgb_profile(),
        exif=exif_of(tags.infotext) if tags.xmp else b"",
        **options,
    )
    return file.getvalue()


def _png(picture: Image.Image, text: Mapping[str, str]) -> bytes:
    """A PNG with an sRGB chunk and text chunks in front of its pixels."""
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=png_chunks(text), **PACKED)
    return file.getvalue()


@cache
def srgb_profile() -> bytes:
    """An ICC profile of sRGB, the same bytes whenever it is made."""
    make = cast("Any", ImageCms.createProfile)  # pyright: ignore[reportUnknownMemberType]
    profile = bytearray(ImageCms.ImageCmsProfile(make("sRGB")).tobytes())
    profile[24:36] = bytes(12)  # the date of its making (ICC.1, 7.2.8)
    return bytes(profile)


def _restored(picture: Image.Image, restoration: Restoration) -> Image.Image:
    left, top, width, height = restoration.inside
    # Cropped first: a resize with a box mixes in what lies around it, which is white padding.
    inner = picture.crop((left, top, left + width, top + height))
    return inner.resize(restoration.size, Image.Resampling.LANCZOS)


def _within_segments(tags: Tags) -> Tags:
    """The tags with what a JPEG has no room for left out: prompts of tens of thousands of bytes."""
    xmp, infotext = tags.xmp, tags.infotext
    if len(xmp.encode()) > _SEGMENT:
        log.warning("the recipe is too long for a JPEG and was left out of its metadata")
        xmp = tags.xmp_alone
    if len(infotext.encode("utf-16-be", "surrogatepass")) > _SEGMENT:
        log.warning("the prompt is too long for a JPEG and was left out of its metadata")
        infotext = ""
    return Tags(infotext, xmp, tags.xmp_alone)
