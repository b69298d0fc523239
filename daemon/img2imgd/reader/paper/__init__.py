"""Drawings on paper, scanned or photographed: found, and made clean pictures of.

It needs numpy and scipy, so it is imported when the first picture is to be prepared this way.
"""

from img2imgd.reader.paper.drawing import (
    Drawing,
    Look,
    clean,
    find_drawing,
    look_at,
)
from img2imgd.reader.paper.judging import is_drawing, never_was_paper

__all__ = [
    "Drawing",
    "Look",
    "clean",
    "find_drawing",
    "is_drawing",
    "look_at",
    "never_was_paper",
]
