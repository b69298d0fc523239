"""Animated PNG: the chunks around the pixels that Pillow compresses.

Source: "PNG Specification (Third Edition)", w3.org/TR/png-3, sections 4.9 and 11.3.6. The first
frame is also the still picture that programs without animation show.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image

from img2imgd.outputs.container import Head
from img2imgd.outputs.encode import PACKED
from img2imgd.outputs.png_chunks import png_chunks

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MOST = 65_535  # of numerator and denominator of a time


class ApngContainer:
    """Writes frames with every pixel as it was."""

    tick = 1
    longest_side = 2**31 - 1
    bytes_per_pixel = 3.1

    def pack(self, picture: Image.Image) -> bytes:
        """The compressed pixels of a still PNG, as one piece."""
        still = io.BytesIO()
        picture.save(still, "PNG", **PACKED)
        return b"".join(data for name, data in _chunks(still.getvalue()) if name == b"IDAT")

    def begin(self, file: BinaryIO, head: Head) -> None:
        """Write size, number of frames, loop and texts."""
        self._file, self._head, self._numbered = file, head, 0
        # 8 bits of red, green and blue; the only compression, filters by line, not interlaced.
        screen = struct.pack(">IIBBBBB", *head.size, 8, 2, 0, 0, 0)
        file.write(_SIGNATURE + _chunk(b"IHDR", screen))
        file.write(_chunk(b"acTL", struct.pack(">II", head.frames, head.plays)))
        for name, data, *_ in png_chunks(head.text).chunks:
            file.write(_chunk(name, data))

    def add(self, block: bytes, milliseconds: int) -> int:
        """Write a frame and its time."""
        first = self._numbered == 0
        self._file.write(_chunk(b"fcTL", self._number() + self._control(milliseconds)))
        # The first frame's pixels are the still picture's, which have no number.
        name, number = (b"IDAT", b"") if first else (b"fdAT", self._number())
        begun = self._file.tell() + 8 + len(number)
        self._file.write(_chunk(name, number + block))
        return begun

    def end(self) -> None:
        """Write the last chunk."""
        self._file.write(_chunk(b"IEND", b""))

    def _number(self) -> bytes:
        self._numbered += 1
        return struct.pack(">I", self._numbered - 1)

    def _control(self, milliseconds: int) -> bytes:
        """Size, place (the corner), time as a fraction of a second; over all that was before."""
        parts = 1000 if milliseconds <= _MOST else 100
        time = (milliseconds * parts // 1000, parts)
        return struct.pack(">IIIIHHBB", *self._head.size, 0, 0, *time, 0, 0)


def _chunk(name: bytes, data: bytes) -> bytes:
    check = zlib.crc32(data, zlib.crc32(name))
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)


def _chunks(still: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(still):
        length, name = struct.unpack_from(">I4s", still, at)
        yield name, still[at + 8 : at + 8 + length]
        at += 12 + length
