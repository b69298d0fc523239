"""What the rest of the program knows of the reader. No Pillow here: the supervisor imports this."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Fit = Literal["cover", "contain", "stretch"]
Prepare = Literal["none", "sketch", "auto"]

GLANCE = 64
"""Parts of a picture's side that a :class:`Glance` tells apart."""


@dataclass(frozen=True)
class ReaderLimits:
    """What a picture may cost: file size, pixels after decoding, memory and computing time.

    ``memory_mb`` caps the address space of the child process; None takes what the largest picture
    allowed needs. ``cpu_seconds`` is for one request.
    """

    max_file_mb: int = 200
    max_pixels: int = 100_000_000
    memory_mb: int | None = None
    cpu_seconds: int = 60

    @property
    def memory(self) -> int:
        """The cap on memory in megabytes."""
        # Measured: 21 bytes a pixel at most (turned, composited, encoded), and the file itself.
        return self.memory_mb or 500 + self.max_file_mb + 25 * self.max_pixels // 1_000_000


@dataclass(frozen=True)
class SizeRule:
    """How large the prepared picture becomes, in pixels; every side is a multiple of ``multiple``.

    ``size`` is the longest side (aspect kept), a pair (width, height), or ``keep``. ``fit`` says
    what a pair does with another aspect: crop to the centre, pad with white, or stretch. With
    ``whole``, sides that are rounded stretch the picture by that little instead of cutting it: the
    result can be laid over the original again. ``prepare`` says what is done before with a drawing
    on paper: nothing; it is straightened, levelled and trimmed; or that where it looks like one.
    """

    size: int | tuple[int, int] | Literal["keep"]
    fit: Fit = "cover"
    multiple: int = 64
    whole: bool = False
    prepare: Prepare = "none"


@dataclass(frozen=True)
class PictureInfo:
    """What a picture's header tells. Sides in pixels, as seen (after the EXIF orientation).

    ``mode`` is Pillow's word for the pixels (``RGB``, ``P``, ``I;16`` …); ``infotext`` the
    generation parameters in A1111's form, ``recipe`` img2imgd's own in JSON, if it carries any.
    """

    width: int
    height: int
    format: str
    frames: int
    mode: str
    infotext: str | None
    recipe: str | None = None


@dataclass(frozen=True)
class Prepared:
    """A picture made ready: sides in pixels, and what a person should know about the way there.

    ``inside`` is the part of it (left, top, width, height) that shows the picture, without padding;
    ``original`` the size in pixels of what that part shows, as it was dropped. ``sha256`` is that
    of the dropped file.
    """

    width: int
    height: int
    notes: tuple[str, ...]
    inside: tuple[int, int, int, int]
    original: tuple[int, int]
    sha256: str


@dataclass(frozen=True)
class Viewed:
    """A small copy to look at: its sides in pixels, and (width, height) of the picture itself."""

    width: int
    height: int
    original: tuple[int, int]


@dataclass(frozen=True)
class Glance:
    """What a picture looks like from afar: its sides in pixels, and CIELAB colours of a small copy.

    ``colours`` are L, a, b of each of its ``GLANCE`` × ``GLANCE`` parts, row by row, a byte each:
    L from 0 to 255, a and b around 128.
    """

    width: int
    height: int
    colours: bytes

    def difference(self, other: Glance) -> float:
        """ΔE (CIE 1976) of the part that differs most; infinite for another shape of picture."""
        if (self.width, self.height) != (other.width, other.height):
            return math.inf
        one, two = self.colours, other.colours
        return max(
            math.dist(
                (one[at] / 2.55, one[at + 1], one[at + 2]),
                (two[at] / 2.55, two[at + 1], two[at + 2]),
            )
            for at in range(0, len(one), 3)
        )  # fmt: skip


@dataclass(frozen=True)
class Paged:
    """How many pages a document has."""

    pages: int


def shown(path: Path) -> str:
    """A file's name for a message: newlines, control characters and broken bytes are escaped."""
    return path.name if path.name.isprintable() else ascii(path.name)
