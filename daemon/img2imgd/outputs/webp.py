"""Animated WebP: a RIFF container around the still WebPs that Pillow encodes.

Source: "WebP Container Specification", developers.google.com/speed/webp/docs/riff_container. No
colour profile is written: without one, the colours are sRGB.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image

from img2imgd.outputs.container import Head
from img2imgd.outputs.exif import exif_of

LOSSLESS = 100  # the quality from which on pixels are kept exactly

_EXIF, _XMP, _ANIMATION = 0x08, 0x04, 0x02  # flags of VP8X
_OVERWRITE = 0x02  # flag of ANMF: the frame is not blended with the one before
_RIFF = 8  # bytes of a chunk's name and length
_PIXELS = (b"VP8 ", b"VP8L")


class WebpContainer:
    """Writes frames compressed with ``quality`` 1 to 99, or 100 for lossless ones."""

    tick = 1
    longest_side = 16_383
    bytes_per_pixel = 3.1

    def __init__(self, quality: int) -> None:
        self._quality = quality

    def pack(self, picture: Image.Image) -> bytes:
        """The chunk with the pixels out of a still WebP."""
        still = io.BytesIO()
        # Lossless, the quality is the effort instead; more than 75 hardly saves anything.
        exact = self._quality >= LOSSLESS
        picture.save(still, "WEBP", lossless=exact, quality=75 if exact else self._quality)
        return b"".join(
            _chunk(name, data) for name, data in _chunks(still.getvalue()) if name in _PIXELS
        )

    def begin(self, file: BinaryIO, head: Head) -> None:
        """Write canvas and loop."""
        self._file, self._head = file, head
        self._exif = exif_of(head.infotext).removeprefix(b"Exif\0\0") if head.text else b""
        flags = _ANIMATION | (_EXIF if self._exif else 0) | (_XMP if head.xmp else 0)
        file.write(b"RIFF\0\0\0\0WEBP")
        file.write(_chunk(b"VP8X", struct.pack("<I", flags) + _corner(head.size)))
        file.write(_chunk(b"ANIM", struct.pack("<IH", 0xFFFFFFFF, head.plays)))

    def add(self, block: bytes, milliseconds: int) -> int:
        """Write a frame and its time."""
        times = struct.pack("<I", milliseconds)[:3] + bytes([_OVERWRITE])
        frame = bytes(6) + _corner(self._head.size) + times
        self._file.write(struct.pack("<4sI", b"ANMF", len(frame) + len(block)) + frame)
        begun = self._file.tell()
        self._file.write(block)
        return begun

    def end(self) -> None:
        """Write the texts, and into the head how long the file is."""
        if self._exif:
            self._file.write(_chunk(b"EXIF", self._exif))
        if self._head.xmp:
            self._file.write(_chunk(b"XMP ", self._head.xmp))
        length = self._file.tell()
        self._file.seek(4)
        self._file.write(struct.pack("<I", length - _RIFF))
        self._file.seek(length)


def _corner(size: tuple[int, int]) -> bytes:
    """Width and height, each less one, in 24 bits."""
    return b"".join(struct.pack("<I", side - 1)[:3] for side in size)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack("<4sI", name, len(data)) + data + bytes(len(data) % 2)


def _chunks(still: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = _RIFF + len(b"WEBP")
    while at < len(still):
        name, length = struct.unpack_from("<4sI", still, at)
        yield name, still[at + _RIFF : at + _RIFF + length]
        at += _RIFF + length + length % 2
