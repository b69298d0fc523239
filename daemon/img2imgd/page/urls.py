"""The page's addresses: made here, taken apart in the routes."""

from __future__ import annotations

import os
from urllib.parse import quote

THUMB, LARGE = 384, 1600  # the longest side of a view, in pixels
SIDES = (THUMB, LARGE)
_MOST_DIGITS = 19  # more may not fit into 64 bits


def file_url(path: str) -> str:
    """Of a file of the outbox; bytes of its path that are no UTF-8 are encoded like the others."""
    return f"/files/{quote(os.fsencode(path))}"


def input_url(job: str, side: int) -> str:
    """Of a view of the picture that a job is about."""
    return f"/views/{quote(job)}/input?side={side}"


def frame_url(job: str, index: int, side: int) -> str:
    """Of a view of a frame."""
    return f"/views/{quote(job)}/frames/{index}?side={side}"


def preview_url(job: str, index: int, step: int | None = None) -> str:
    """Of a frame of a running job: as it is staged, or as it looks after ``step`` of its steps."""
    at = "" if step is None else f"?step={step}"
    return f"/views/{quote(job)}/preview/{index}{at}"


def number_of(text: str) -> int | None:
    """A number that stands in an address or a form; None for what is none, or far too long."""
    return int(text) if len(text) < _MOST_DIGITS and text.isascii() and text.isdecimal() else None
