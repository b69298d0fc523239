"""Is the end of a picture there? Decoders fill in what is missing, more often than they complain.

A copy that stopped half-way may also have its full length already, its tail still zeros.
"""

from __future__ import annotations

import re
import zlib
from typing import BinaryIO, Literal

# 0xFF, then a marker code: no stuffed zero, fill byte or restart marker (ITU-T T.81, B.1.1).
_JPEG_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_JPEG_ALONE = frozenset({0x01, 0xD8})
_JPEG_END = 0xD9

CUT_OFF = "cut off: the picture ends before its last line"

# Compressed data never holds this many zeros in a row; a preallocated file's missing tail does.
_ZERO_TAIL = 4096

_PDF_TAIL = 65_536  # bytes that are looked at for a PDF's end mark
_PDF_END = re.compile(rb"%%EOF.{0,1024}\Z", re.DOTALL)  # ISO 32000-1, Annex H, note 18


def find_flaw(file: BinaryIO, format_name: str) -> str | None:
    """What is wrong with a picture as a file, as far as its container shows that; None if nothing.

    JPEG: no end-of-image marker behind the last scan. PNG: no IEND chunk, or a wrong checksum of
    a critical chunk. WebP, AVIF, HEIF, GIF: a long run of zeros at the end. PDF: no end mark near
    its end. For BMP, TIFF, PPM and PSD the decoder counts bytes itself.
    """
    if format_name == "JPEG":
        file.seek(0)
        return None if _jpeg_ends(file.read()) else CUT_OFF
    if format_name == "PNG":
        return _png_flaw(file)
    if format_name in ("WEBP", "AVIF", "HEIF", "GIF"):
        return CUT_OFF if has_zero_tail(file) else None
    if format_name == "PDF":
        return None if _pdf_ends(file) else CUT_OFF
    return None


def has_zero_tail(file: BinaryIO) -> bool:
    """True when the last 4 KiB of a file (that has so many) are zeros."""
    length = file.seek(0, 2)
    if length < _ZERO_TAIL:
        return False
    file.seek(length - _ZERO_TAIL)
    return not any(file.read(_ZERO_TAIL))


def list_of_pages_is_cut(file: BinaryIO) -> bool:
    """True of a TIFF whose last directory does not reach its own end: what follows it is unknown.

    Pillow takes such a page for the last one.
    """
    file.seek(0)
    head = file.read(16)
    order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"
    big = head[2:4] in (b"+\0", b"\0+")
    counted, entry, size = (8, 20, 8) if big else (2, 12, 4)
    at = int.from_bytes(head[8:16] if big else head[4:8], order)
    seen: set[int] = set()
    while at and at not in seen:
        seen.add(at)
        file.seek(at)
        entries = int.from_bytes(file.read(counted), order)
        file.seek(at + counted + entries * entry)
        follows = file.read(size)
        if len(follows) < size:
            return True
        at = int.from_bytes(follows, order)
    return False


def _pdf_ends(file: BinaryIO) -> bool:
    file.seek(max(0, file.seek(0, 2) - _PDF_TAIL))
    return _PDF_END.search(file.read().rstrip(b"\0")) is not None


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


def _png_flaw(file: BinaryIO) -> str | None:
    file.seek(8)
    while len(header := file.read(8)) == 8:
        length, kind = int.from_bytes(header[:4], "big"), header[4:]
        data, checksum = file.read(length), file.read(4)
        if len(checksum) < 4:
            return CUT_OFF
        # A capital letter marks a chunk without which there is no picture; Pillow checks no IDAT.
        if kind[:1].isupper() and zlib.crc32(data, zlib.crc32(kind)) != int.from_bytes(checksum):
            return "damaged: a checksum in it is wrong"
        if kind == b"IEND":
            return None
    return CUT_OFF
