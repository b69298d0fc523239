"""A drawing on paper: looked at in small, then made a clean picture of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from img2imgd.reader.geometry import with_room
from img2imgd.reader.paper.arrays import Pixels, Plane, Points, homography
from img2imgd.reader.paper.light import Lighting, find_lighting, level
from img2imgd.reader.paper.sheet import find_sheet
from img2imgd.reader.paper.skew import find_skew
from img2imgd.reader.paper.trimming import find_strokes
from img2imgd.reader.protocol import SizeRule

LOOKED_AT = 1200  # pixels of the longer side
_LEAST = 8  # pixels of the shorter side
_FINER = 2.0  # times as many pixels as are wanted are worked on
_INSET = 0.004  # of the sheet's sides: its border may be off by so much
_LEAST_TURN = 0.2  # degrees: less is not seen, and turning softens lines
_MARGIN = 0.04  # around what is drawn, in parts of its longer side
_MOST_ASPECT = 2.5  # a longer and narrower drawing keeps more of the paper beside it


@dataclass(frozen=True)
class Look:
    """A sheet seen in small: what :func:`find_drawing` and the judgement on it go by.

    ``corners`` are those of the sheet in the picture, in parts of its sides, and None where it
    fills the picture; ``size`` is the sheet's, (width, height) in pixels of the picture. ``small``
    shows the sheet alone, ``levelled`` the same on white, and ``dark`` is how dark what is drawn on
    it is, from 0 to 1.
    """

    corners: Points | None
    size: tuple[float, float]
    small: Image.Image
    lighting: Lighting
    levelled: Pixels
    dark: Plane


@dataclass(frozen=True)
class Drawing:
    """Which part of a picture is the drawing, and in what light it lies.

    ``turned`` is how far it lies to the right of upright, in degrees; ``box`` is left, top, width
    and height of what is kept, in parts of the sheet's width, from the sheet's middle, once it is
    upright; ``size`` the same in whole pixels of the picture. What ``box`` has beyond the sheet
    becomes white.
    """

    look: Look
    turned: float
    box: tuple[float, float, float, float]
    size: tuple[int, int]
    notes: tuple[str, ...]


def look_at(image: Image.Image, seen: tuple[int, int]) -> Look:
    """The sheet in a picture that is ``seen`` (width, height) pixels large, maybe reduced here."""
    factor = max(1, int(max(image.size) / (2 * LOOKED_AT)))
    image = image.reduce(factor) if factor > 1 else image
    found = find_sheet(np.asarray(image))
    corners = None if found is None else _inset(found.corners) / np.asarray(image.size)
    size = (float(seen[0]), float(seen[1])) if corners is None else _size_of(corners, seen)
    scale = min(1.0, LOOKED_AT / max(size), image.width / seen[0])
    shrunk = (max(_LEAST, round(size[0] * scale)), max(_LEAST, round(size[1] * scale)))
    small = _sheet_of(image, corners, shrunk)
    lighting = find_lighting(small)
    levelled = np.asarray(level(small, lighting))
    dark = 1 - levelled.min(axis=2) / np.float32(255)
    return Look(corners, size, small, lighting, levelled, dark)


def find_drawing(look: Look, seen: tuple[int, int], rule: SizeRule) -> Drawing:
    """What of the sheet is kept, with room for the size asked for, and what was done in words."""
    # A sheet whose borders are seen lies straight once it is cut out along them.
    turned = (find_skew(look.dark) or 0.0) if look.corners is None else 0.0
    if abs(turned) < _LEAST_TURN or min(look.small.size) == _LEAST:
        turned = 0.0  # of a strip that small shows wider than it is, angles are not told
    upright = _upright(look.dark, turned)
    strokes = find_strokes(upright)
    across, down = look.size[0] / look.small.width, look.size[1] / look.small.height
    height, width = upright.shape
    left, top, right, bottom = strokes.box or _whole_of(look.dark, upright)
    wide, high = (right - left) * across, (bottom - top) * down
    border = 0.0 if strokes.box is None else _MARGIN * max(wide, high)
    wide, high = wide + 2 * border, high + 2 * border
    wide, high = max(wide, high / _MOST_ASPECT), max(high, wide / _MOST_ASPECT)
    size = with_room(wide, high, rule)
    box = (
        ((left + right - width) / 2 * across - size[0] / 2) / look.size[0],
        ((top + bottom - height) / 2 * down - size[1] / 2) / look.size[0],
        size[0] / look.size[0],
        size[1] / look.size[0],
    )
    whole = (max(1, round(size[0])), max(1, round(size[1])))
    return Drawing(look, turned, box, whole, _notes(look, turned, whole, seen, strokes.box is None))


def clean(
    image: Image.Image, seen: tuple[int, int], drawing: Drawing, target: int | None
) -> Image.Image:
    """The drawing upright on white paper, from the picture it was found in or a reduced copy of it.

    With a ``target``, the longer side wanted in pixels, it may be smaller than in the picture, but
    is twice as large as wanted, as far as the picture goes.
    """
    look = drawing.look
    scale = image.width / seen[0]
    enough = scale if target is None else _FINER * target / max(drawing.size)
    if (factor := int(scale / enough)) > 1:
        image = image.reduce(factor)
        scale = image.width / seen[0]
    sheet = (max(1, round(look.size[0] * scale)), max(1, round(look.size[1] * scale)))
    levelled = level(_sheet_of(image, look.corners, sheet), look.lighting)
    left, top, wide, high = (value * sheet[0] for value in drawing.box)
    x, y = sheet[0] / 2, sheet[1] / 2
    size = (max(1, round(wide)), max(1, round(high)))
    if drawing.turned == 0.0:
        paper = Image.new("RGB", size, "white")
        paper.paste(levelled, (-round(left + x), -round(top + y)))
        return paper
    return levelled.transform(
        size, Image.Transform.AFFINE, _turning(drawing.turned, (left, top), (x, y)),
        Image.Resampling.BICUBIC, fillcolor="white",
    )  # fmt: skip


def _inset(corners: Points) -> Points:
    """The corners a little nearer to their middle."""
    middle = corners.mean(axis=0)
    return middle + (corners - middle) * (1 - 2 * _INSET)


def _size_of(corners: Points, seen: tuple[int, int]) -> tuple[float, float]:
    """Width and height of the sheet in pixels of the picture, as if seen from above."""
    points = corners * np.asarray(seen)
    sides = np.hypot(*(np.roll(points, -1, axis=0) - points).T)
    width, height = float(sides[0] + sides[2]) / 2, float(sides[1] + sides[3]) / 2
    aspect = _true_aspect(points - np.asarray(seen) / 2, math.hypot(*seen))
    if aspect is not None and 0.75 < aspect / (width / height) < 1.33:
        stretch = math.sqrt(aspect / (width / height))
        width, height = width * stretch, height / stretch
    return width, height


def _true_aspect(points: Points, diagonal: float) -> float | None:
    """Width through height of a rectangle whose corners are seen so, from the picture's middle.

    Zhang and He, Whiteboard Scanning and Image Enhancement (2003). None where the picture would
    have to be taken through no ordinary lens.
    """
    one, two, four, three = (np.asarray((x, y, diagonal)) / diagonal for x, y in points)
    if abs(np.cross(two, four) @ three) < 1e-9 or abs(np.cross(three, four) @ two) < 1e-9:
        return None
    across = (np.cross(one, four) @ three) / (np.cross(two, four) @ three) * two - one
    down = (np.cross(one, four) @ two) / (np.cross(three, four) @ two) * three - one
    if abs(across[2] * down[2]) < 1e-4:
        return None
    focal = -(across[0] * down[0] + across[1] * down[1]) / (across[2] * down[2])
    if not 0.3 < focal < 9:  # squares of a wide angle's and of a tele lens's, in diagonals
        return None
    lengths = [math.sqrt((v[0] ** 2 + v[1] ** 2) / focal + v[2] ** 2) for v in (across, down)]
    return lengths[0] / lengths[1]


def _sheet_of(image: Image.Image, corners: Points | None, size: tuple[int, int]) -> Image.Image:
    """The sheet alone, seen from above."""
    if corners is None:
        return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)
    own = np.asarray([(0, 0), (size[0], 0), size, (0, size[1])], np.float64)
    coefficients = homography(own, corners * np.asarray(image.size))
    return image.transform(
        size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC
    )


def _upright(dark: Plane, turned: float) -> Plane:
    """The sheet turned upright, on a plane on which all of it has room."""
    if turned == 0.0:
        return dark
    height, width = dark.shape
    cosine, sine = math.cos(math.radians(turned)), abs(math.sin(math.radians(turned)))
    size = (math.ceil(width * cosine + height * sine), math.ceil(width * sine + height * cosine))
    turning = _turning(turned, (-size[0] / 2, -size[1] / 2), (width / 2, height / 2))
    image = Image.fromarray(np.ascontiguousarray(dark))
    return np.asarray(
        image.transform(size, Image.Transform.AFFINE, turning, Image.Resampling.BILINEAR)
    )


def _turning(
    turned: float, corner: tuple[float, float], middle: tuple[float, float]
) -> tuple[float, float, float, float, float, float]:
    """Pillow's AFFINE from a picture whose top left is at ``corner``, seen from the middle."""
    cosine, sine = math.cos(math.radians(turned)), math.sin(math.radians(turned))
    left, top = corner
    return (
        cosine, -sine, middle[0] + cosine * left - sine * top,
        sine, cosine, middle[1] + sine * left + cosine * top,
    )  # fmt: skip


def _whole_of(dark: Plane, upright: Plane) -> tuple[int, int, int, int]:
    """The box of a sheet that stays whole."""
    (height, width), (high, wide) = dark.shape, upright.shape
    left, top = (wide - width) // 2, (high - height) // 2
    return left, top, left + width, top + height


def _notes(
    look: Look, turned: float, size: tuple[int, int], seen: tuple[int, int], empty: bool
) -> tuple[str, ...]:
    done: list[str] = []
    if look.corners is not None:
        done.append("cut out along the sheet's borders")
    if turned:
        done.append(f"turned by {abs(turned):.1f}° to the {'left' if turned > 0 else 'right'}")
    done.append("paper levelled to white")
    if empty:
        done.append("but nothing drawn was found, so the sheet stays whole")
    else:
        done.append(f"trimmed to {size[0]:,}×{size[1]:,} of {seen[0]:,}×{seen[1]:,}")
    return (f"Prepared as a sketch: {', '.join(done)}.",)
