"""Pixels to PNG files that are whole and on disk."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, PngImagePlugin

from img2imgd.durable import write_file

_XMP = "XML:com.adobe.xmp"
_PERCEPTUAL = b"\0"  # rendering intent, the content of an sRGB chunk (PNG 3rd edition, 11.3.2.5)


def write_png(
    target: Path,
    width: int,
    height: int,
    pixels: bytes,
    text: Mapping[str, str] | None = None,
) -> None:
    """Write H×W×3 uint8 RGB bytes as an sRGB-tagged PNG, durably, replacing an older one.

    ``text`` becomes text chunks by keyword (1 to 79 Latin-1 characters), in front of the pixels;
    an XMP packet goes under ``XML:com.adobe.xmp``.

    Raises:
        ValueError: ``pixels`` has not ``width * height * 3`` bytes.
        OSError: the disk, as from ``durable.write_file``; no half file is left.
    """
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"sRGB", _PERCEPTUAL)
    for keyword, value in (text or {}).items():
        if keyword == _XMP:
            chunks.add_itxt(keyword, value)  # the one form that readers of XMP look for
        else:
            chunks.add_text(keyword, value)
    encoded = io.BytesIO()
    Image.frombytes("RGB", (width, height), pixels).save(encoded, "PNG", pnginfo=chunks)
    write_file(target, encoded.getvalue())
