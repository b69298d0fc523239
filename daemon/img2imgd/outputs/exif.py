"""EXIF of the outputs: who wrote them, and the infotext where its readers look for it."""

from __future__ import annotations

from PIL import ExifTags, Image

from img2imgd.outputs.xmp import PROGRAM

_COLOUR_IS_SRGB = 1  # of ColorSpace (EXIF 2.32, section 4.6.6)


def exif_of(infotext: str) -> bytes:
    """EXIF for JPEG and WebP, beginning with ``Exif\\0\\0``; the infotext is its UserComment."""
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = PROGRAM
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.ColorSpace] = _COLOUR_IS_SRGB
    if infotext:
        text = infotext.encode("utf-16-be", "surrogatepass")
        inner[ExifTags.Base.UserComment] = b"UNICODE\0" + text
    return exif.tobytes()
