"""Is the end of a picture there? Decoders fill in what is missing, more often than they complain.

A copy that stopped half-way may also have its full length already, its tail still zeros.
"""

from __future__ import annotations

import re
from typing import BinaryIO

# 0xFF, then a marker code: no stuffed zero, fill byte or restart marker (ITU-T T.81, B.1.1).
_JPEG_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_JPEG_ALONE = frozenset({0x01, 0xD8})
_JPEG_END = 0xD9

# Compressed data never holds this many zeros in a row; a preallocated file's missing tail does.
_ZERO_TAIL = 4096


def ends_whole(file: BinaryIO, format_name: str) -> bool:
    """False when a picture's last part is missing, as far as its container shows that.

    JPEG: an end-of-image marker behind the last scan. PNG: the IEND chunk. WebP, AVIF, GIF: no
    long run of zeros at the end. For BMP, TIFF and PPM the decoder counts bytes itself.
    """
    if format_name == "JPEG":
        file.seek(0)
        return _jpeg_ends(file.read())
    if format_name == "PNG":
        return _png_ends(file)
    if format_name in ("WEBP", "AVIF", "GIF"):
        return not has_zero_tail(file)
    return True


def has_zero_tail(file: BinaryIO) -> bool:
    """True when the last 4 KiB of a file (that has so many) are zeros."""
    length = file.seek(0, 2)
    if length < _ZERO_TAIL:
        return False
    file.seek(length - _ZERO_TAIL)
    return not any(file.read(_ZERO_TAIL))


def _jpeg_ends(data: bytes) -> bool:
    position = 0
    while found := _JPEG_MARKER.search(data, position):
        marker, position = data[found.end() - 1], found.end()
        if marker == _JPEG_END:
            return True
        if marker not in _JPEG_ALONE:
            # Jumping over the segment keeps the thumbnail in the EXIF data from being the end.
            position += int.from_bytes(data[position : position + 2], "big")
    return False


def _png_ends(file: BinaryIO) -> bool:
    file.seek(8)
    while len(header := file.read(8)) == 8:
        if header[4:] == b"IEND":
            return len(file.read(4)) == 4
        file.seek(int.from_bytes(header[:4], "big") + 4, 1)
    return False
