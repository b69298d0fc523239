"""Drawings on paper as a scanner or a phone sees them, and what they truly look like.

A drawing is a reflectance (height × width × 3, 1 is bare paper). Paper gives it colour, grain and
ruling; light a shade, a shadow, a fold; then a scanner turns it a little, or a phone takes it from
the side with the desk around it; noise and JPEG come last. All is drawn from a seed, so that tests,
figures and the pictures of the docs are of the same papers.
"""

from tools.papers.seeing import Light, Seen, as_jpeg, homography, photographed, scanned
from tools.papers.sheet import (
    CREAM,
    GREY,
    INK,
    PENCIL,
    SOFT_PENCIL,
    WHITE,
    YELLOW,
    Medium,
    Sheet,
)
from tools.papers.subjects import SUBJECTS, Point, Subject, cat, flower, hills, house

__all__ = [
    "CREAM",
    "GREY",
    "INK",
    "PENCIL",
    "SOFT_PENCIL",
    "SUBJECTS",
    "WHITE",
    "YELLOW",
    "Light",
    "Medium",
    "Point",
    "Seen",
    "Sheet",
    "Subject",
    "as_jpeg",
    "cat",
    "flower",
    "hills",
    "homography",
    "house",
    "photographed",
    "scanned",
]
