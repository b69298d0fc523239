"""What the worker is asked to write: plain values, no Pillow, since the supervisor imports this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from img2imgd.outputs.sheet_plan import SheetPlan
from img2imgd.request import GifSettings
from img2imgd.request.outputs import FormatName

FRAME_FORMATS = ("PNG", "JPEG", "WEBP")
"""What frames are encoded as, by Pillow's names; nothing else is opened as one."""

XMP = "XML:com.adobe.xmp"
"""The keyword of an XMP packet among a file's texts, as PNG names it."""

INFOTEXT = "parameters"
"""The keyword of generation parameters, which readers look for in a place of its own."""


@dataclass(frozen=True)
class Tags:
    """Texts to write into a file: A1111's infotext and an XMP packet, each perhaps empty.

    ``xmp_alone`` is the packet without the recipe, for a carrier that has no room for it.
    """

    infotext: str = ""
    xmp: str = ""
    xmp_alone: str = ""

    @property
    def by_keyword(self) -> dict[str, str]:
        """The texts there are, by the keywords of PNG's text chunks."""
        return {key: text for key, text in ((INFOTEXT, self.infotext), (XMP, self.xmp)) if text}


@dataclass(frozen=True)
class Restoration:
    """Gives a painted picture the size of the original.

    ``inside`` (left, top, width, height) is the part without padding, ``size`` what it becomes.
    """

    inside: tuple[int, int, int, int]
    size: tuple[int, int]


@dataclass(frozen=True)
class Encoding:
    """How pixels become a file: ``quality`` is for JPEG and WebP (100: lossless WebP)."""

    format: FormatName = "png"
    quality: int = 92
    restoration: Restoration | None = None


@dataclass(frozen=True)
class FrameFile:
    """A file that a painted frame becomes."""

    path: Path
    encoding: Encoding = field(default_factory=Encoding)
    tags: Tags = field(default_factory=Tags)


@dataclass(frozen=True)
class AnimationFrame:
    """A picture's file, and what is written below it where labels are asked for."""

    path: Path
    label: str = ""


@dataclass(frozen=True)
class Animation:
    """An animation to be made: frames in order, all of one size, into one file.

    ``text`` is metadata by keyword: an XMP packet and an infotext.
    """

    frames: tuple[AnimationFrame, ...]
    target: Path
    settings: GifSettings = field(default_factory=GifSettings)
    text: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Sheet:
    """A contact sheet to be made, of at most ``max_side`` pixels a side; ``text`` by keyword."""

    plan: SheetPlan
    target: Path
    max_side: int = 8192
    text: Mapping[str, str] = field(default_factory=dict[str, str])
