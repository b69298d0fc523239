"""What stands before the pixels of a PNG: that its colours are sRGB, and its texts."""

from __future__ import annotations

from collections.abc import Mapping

from PIL import PngImagePlugin

from img2imgd.outputs.orders import XMP

_PERCEPTUAL = b"\0"  # rendering intent, the content of an sRGB chunk (PNG 3rd edition, 11.3.2.5)


def png_chunks(text: Mapping[str, str]) -> PngImagePlugin.PngInfo:
    """An sRGB chunk and a text chunk for each keyword."""
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"sRGB", _PERCEPTUAL)
    for keyword, value in text.items():
        if keyword == XMP:
            chunks.add_itxt(keyword, value)  # the one form that readers of XMP look for
        else:
            chunks.add_text(keyword, value)
    return chunks
