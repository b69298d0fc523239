"""What the outputs are like: files, metadata, sheets, as written, with gaps, and as settled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, structs

from img2imgd.document import Check, Refused, Settings, found
from img2imgd.document.wording import wording
from img2imgd.request.gif import GifSettings

FormatName = Literal["png", "jpeg", "webp"]
Metadata = Literal["full", "minimal", "none"]
SUFFIXES: Mapping[FormatName, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
LONGEST_SIDES: Mapping[FormatName, int] = {"png": 2**31 - 1, "jpeg": 65_500, "webp": 16_383}
"""Pixels that a side may have: libjpeg's and libwebp's limits, and the PNG standard's."""


def _format(value: Any) -> Any:
    return "jpeg" if value == "jpg" else value


Format = Annotated[FormatName, Check(_format)]
Quality = Annotated[int, Meta(ge=1, le=100)]
SheetSide = Annotated[int, Meta(ge=512, le=30_000)]

_SYNONYMS = {
    "original": "input", "source": "input", "first": "input", "size": "max_side",
    "max_size": "max_side", "width": "max_side",
}  # fmt: skip


class SheetKeys(Settings, frozen=True):
    """A contact sheet as a request writes it; what is absent comes from ``outputs.sheet``."""

    synonyms: ClassVar[Mapping[str, str]] = _SYNONYMS

    input: Annotated[bool | None, Meta(description="The picture itself is the first tile.")] = None
    max_side: Annotated[SheetSide | None, Meta(description="Longest side in pixels.")] = None

    def given(self) -> dict[str, Any]:
        """The keys that have a value."""
        return {key: value for key, value in structs.asdict(self).items() if value is not None}


class SheetSettings(Settings, frozen=True):
    """A contact sheet with nothing left open."""

    synonyms: ClassVar[Mapping[str, str]] = _SYNONYMS

    input: Annotated[bool, Meta(description="The picture itself is the first tile.")] = False
    max_side: Annotated[SheetSide, Meta(description="Longest side in pixels.")] = 8192


def flag_or_keys(what: str) -> Check:
    """The check of a key that is true, false, or a mapping such as ``what``."""

    def check(value: Any) -> Any:
        if value is None or isinstance(value, bool | dict):
            return value  # pyright: ignore[reportUnknownVariableType]
        advice = wording(bool, (), value)[1]
        raise Refused(f"must be true, false, or {what}; found {found(value)}.", advice)

    return Check(check)


SheetFlag = Annotated[bool | SheetSettings, flag_or_keys("such as {input: true}")]


class OutputSettings(Settings, frozen=True):
    """How outputs are written where a request says nothing."""

    format: Annotated[Format, Meta(description="png, jpeg or webp.")] = "png"
    quality: Annotated[
        Quality, Meta(description="Of JPEG and WebP; 100 is lossless WebP. PNG has none.")
    ] = 92
    metadata: Annotated[
        Metadata, Meta(description="full: the recipe; minimal: that an AI made it; none.")
    ] = "full"
    restore_size: Annotated[
        bool, Meta(description="Outputs are as large as the picture that was dropped.")
    ] = False
    gif: Annotated[GifSettings, Meta(description="Animations where nothing else is asked for.")] = (
        GifSettings()
    )
    sheet: Annotated[SheetFlag, Meta(description="A contact sheet for jobs of several frames.")] = (
        SheetSettings()
    )
