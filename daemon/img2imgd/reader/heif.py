"""HEIC pictures, as phones and cameras take them, through libheif (the extra ``heif``).

libheif turns and mirrors them as the container says (ISO 23008-12, 6.5.10), and the plugin then
takes the orientation out of the EXIF data, which would turn them once more.
"""

from __future__ import annotations

from typing import BinaryIO

from PIL import ImageFile

from img2imgd.reader.unusable import lacks

_OTHERWISE = "export it as JPEG (on an iPhone: Settings, Camera, Formats, Most Compatible)."


def open_heif(file: BinaryIO) -> ImageFile.ImageFile:
    """The primary picture of a HEIF file, 8 bits a channel, upright when loaded.

    Raises:
        Unusable: libheif is not installed.
        SyntaxError, MemoryError: it is damaged, cut off, or too large.
    """
    try:
        import _pillow_heif  # noqa: F401 # pyright: ignore[reportUnusedImport, reportMissingModuleSource]
        from pillow_heif import HeifImageFile, options
    except ImportError:
        raise lacks("a HEIC picture", "pillow-heif", _OTHERWISE) from None
    options.DECODE_THREADS = 1  # one picture is read at a time, and threads cost address space
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
    return HeifImageFile(file)
