"""What the writers of GIF, WebP and APNG have in common: frames go in one by one, already packed.

Pillow packs the pixels of one frame; the containers around them are written here, because Pillow's
own writers merge equal neighbours into one frame (docs/adr/0006 and 0008).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from PIL import Image

from img2imgd.outputs.orders import INFOTEXT, XMP

MOST_LOOPS = 65_535


@dataclass(frozen=True)
class Head:
    """What is known before the first frame.

    ``size`` is (width, height) in pixels, ``frames`` counts every one that is added, ``loop`` is
    how often all of them repeat after the first play (0: for ever). ``text`` is by keyword.
    """

    size: tuple[int, int]
    frames: int
    loop: int
    text: Mapping[str, str]

    @property
    def plays(self) -> int:
        """How often they are shown altogether, for formats that count so; 0: for ever."""
        return min(self.loop + 1, MOST_LOOPS) if self.loop else 0

    @property
    def xmp(self) -> bytes:
        """The XMP packet, or nothing."""
        return self.text.get(XMP, "").encode()

    @property
    def infotext(self) -> str:
        """The generation parameters, or nothing."""
        return self.text.get(INFOTEXT, "")


class Container(Protocol):
    """Writes one animation; :meth:`begin` may be called again to start over in an emptied file."""

    tick: int
    """The format's unit of time in milliseconds."""

    longest_side: int
    """The most pixels a side can have."""

    bytes_per_pixel: float
    """The most that a frame needs, however noisy it is."""

    def pack(self, picture: Image.Image) -> bytes:
        """An RGB picture as the block that :meth:`add` takes."""
        ...

    def begin(self, file: BinaryIO, head: Head) -> None:
        """Write what stands before the frames."""
        ...

    def add(self, block: bytes, milliseconds: int) -> int:
        """Write a frame at the end of the file; returns where in it the block begins."""
        ...

    def end(self) -> None:
        """Write what stands behind the frames."""
        ...
