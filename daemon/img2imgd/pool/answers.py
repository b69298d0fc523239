"""The reader's answers, taken as what they should be, whatever a picture made of its process.

Each raises TypeError, ValueError or LookupError for an answer that is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from img2imgd.errors import shown
from img2imgd.reader.protocol import GLANCE, Glance, Paged, PictureInfo, Prepared, Viewed


def picture_info(answer: Mapping[str, Any]) -> PictureInfo:
    """What an answer to "inspect" tells."""
    return PictureInfo(
        width=int(answer["width"]),
        height=int(answer["height"]),
        format=str(answer["format"]),
        frames=int(answer["frames"]),
        mode=str(answer["mode"]),
        infotext=_text_or_none(answer["infotext"]),
        recipe=_text_or_none(answer["recipe"]),
    )


def prepared_report(answer: Mapping[str, Any]) -> Prepared:
    """What an answer to "prepare" tells."""
    left, top, wide, high = map(int, answer["inside"])
    width, height = map(int, answer["original"])
    return Prepared(
        int(answer["width"]),
        int(answer["height"]),
        notes=tuple(shown(note) for note in answer["notes"]),
        inside=(left, top, wide, high),
        original=(width, height),
        sha256=str(answer["sha256"]),
    )


def viewed_report(answer: Mapping[str, Any]) -> Viewed:
    """What an answer to "view" tells."""
    width, height = map(int, answer["original"])
    return Viewed(int(answer["width"]), int(answer["height"]), (width, height))


def glance_report(answer: Mapping[str, Any]) -> Glance:
    """What an answer to "glance" tells."""
    colours = bytes.fromhex(answer["colours"])
    if len(colours) != 3 * GLANCE * GLANCE:
        raise ValueError(f"{len(colours)} bytes of colours")
    return Glance(int(answer["width"]), int(answer["height"]), colours)


def paged_report(answer: Mapping[str, Any]) -> Paged:
    """What an answer to "count pages" or "extract page" tells."""
    return Paged(int(answer["pages"]))


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)
