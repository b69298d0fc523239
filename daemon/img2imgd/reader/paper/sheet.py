"""Where the sheet lies in a photograph or scan that shows more than the sheet."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from img2imgd.reader.paper.arrays import Mask, Pixels, Plane, Points, ndimage

_LONGEST = 400  # pixels of the copy that is searched
_LEAST, _MOST = 0.12, 0.985  # of the picture that a sheet may cover
_OPENED = (
    5,
    15,
)  # pixels: narrower bright things are no part of the sheet, such as pebbles beside it
_DIRECTIONS = 180  # a corner of a sheet is the furthest point in a fourth of them
_LIKENESS = 0.965  # intersection over union of the region found and the shape made of it
_DARKER = 0.90  # what lies around is at most so bright, or so white, as the sheet
_FRAME = 0.012  # of the longer side: so near to the picture's edge a side lies on it
_SQUARE = 2.0  # degrees that a corner may be off where the picture's edge cuts the sheet


@dataclass(frozen=True)
class Found:
    """A sheet, in pixels of the picture searched.

    ``corners`` are its top left, top right, bottom right and bottom left; ``likeness`` says how
    well four straight sides fit.
    """

    corners: Points
    likeness: float


def find_sheet(pixels: Pixels) -> Found | None:
    """The sheet's corners; None where its borders cannot be seen, or are not four straight lines.

    The paper is looked for as the largest region that is brighter, or whiter, than what lies
    around it, at several thresholds; the one that four lines fit best is taken.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, _LONGEST / max(width, height))
    small = Image.fromarray(pixels).resize(
        (max(8, round(width * scale)), max(8, round(height * scale))), Image.Resampling.BOX
    )
    colours = np.asarray(small)
    darkest, brightest = (_smooth(plane) for plane in (colours.min(axis=2), colours.max(axis=2)))
    whiteness = 255 * (darkest + 4) / (brightest + 4)
    best: Found | None = None
    for plane in (darkest, whiteness):
        for level in _levels(plane):
            found = None
            for across in _OPENED:
                found = found or _fitted(plane > level, across, darkest, whiteness)
            if found is not None and (best is None or found.likeness > best.likeness):
                best = found
    if best is None:
        return None
    return Found(best.corners / scale, best.likeness)


def _levels(plane: Plane) -> list[float]:
    """Thresholds to try: between as many pixels each, and at even steps of brightness."""
    shares = np.percentile(plane, np.linspace(5, 88, 8))
    steps = np.linspace(float(shares[0]), float(shares[-1]), 9)[1:-1]
    return [float(level) for level in np.unique(np.concatenate((shares, steps)).round())]


def _smooth(plane: NDArray[np.uint8]) -> Plane:
    """Lines drawn on the paper are closed, and grain is taken off."""
    closed = Image.fromarray(ndimage.grey_closing(plane, 5))
    return np.asarray(closed.filter(ImageFilter.MedianFilter(5)), np.float32)


def _fitted(bright: Mask, across: int, darkest: Plane, whiteness: Plane) -> Found | None:
    region = _largest(bright, across)
    if region is None or not _LEAST <= region.mean() <= _MOST:
        return None
    corners = _four_corners(_hull(region))
    if corners is None:
        return None
    corners = _along_the_edge(region, corners)
    if corners is None or not _is_plausible(corners, region.shape):
        return None
    inside = drawn(corners, region.shape)
    likeness = float((inside & region).sum() / (inside | region).sum())
    if likeness < _LIKENESS or not _stands_out(inside, darkest, whiteness):
        return None
    return Found(corners, likeness)


def drawn(corners: Points, shape: tuple[int, ...]) -> Mask:
    """The pixels within a polygon."""
    board = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(board).polygon([(float(x), float(y)) for x, y in corners], fill=1)
    return np.asarray(board, np.bool_)


def _largest(bright: Mask, across: int) -> Mask | None:
    """The largest region, opened by a square, its holes filled."""
    # scipy's own binary operations, and its filling of holes, are ten times slower.
    eroded = ndimage.minimum_filter(bright.view(np.uint8), across, mode="constant")
    opened = ndimage.maximum_filter(eroded, across, mode="constant")
    labels, count = ndimage.label(opened)
    if count == 0:
        return None
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    outside = ndimage.label(np.pad(labels != sizes.argmax(), 1, constant_values=True))[0]
    filled: Mask = (outside != outside[0, 0])[1:-1, 1:-1]
    return filled


def _hull(region: Mask) -> Points:
    """Corners of the region's convex hull, clockwise: those furthest in each of many directions."""
    rows = np.flatnonzero(region.any(axis=1))
    lefts = region[rows].argmax(axis=1)
    rights = region.shape[1] - region[rows, ::-1].argmax(axis=1)
    xs, ys = np.concatenate((lefts, rights)), np.concatenate((rows, rows))
    points = np.concatenate((np.column_stack((xs, ys)), np.column_stack((xs, ys + 1))))
    angles = np.linspace(0, 2 * np.pi, _DIRECTIONS, endpoint=False)
    furthest = (points @ np.stack((np.cos(angles), np.sin(angles)))).argmax(axis=0)
    return points[furthest[furthest != np.roll(furthest, 1)]].astype(np.float64)


def _four_corners(hull: Points) -> Points | None:
    """The largest quadrilateral among the hull's corners, from the top left clockwise."""
    while len(hull) > 10:  # the corner that the shape would miss least goes first
        before, after = np.roll(hull, 1, axis=0), np.roll(hull, -1, axis=0)
        hull = np.delete(hull, _triangles(before, hull, after).argmin(), axis=0)
    if len(hull) < 4:
        return None
    fours = hull[list(combinations(range(len(hull)), 4))]
    x, y = fours[..., 0], fours[..., 1]
    areas = np.abs((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1))
    corners = fours[areas.argmax()]
    # The corner nearest to the picture's top left is the sheet's.
    return np.roll(corners, -int(corners.sum(axis=1).argmin()), axis=0)


def _triangles(a: Points, b: Points, c: Points) -> Plane:
    return np.abs((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1])
                  - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]))  # fmt: skip


def _along_the_edge(region: Mask, corners: Points) -> Points | None:
    """The corners where lines meet that are fitted to the region's edge along each side."""
    padded = np.pad(region, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    edge = padded.copy()
    edge[1:-1, 1:-1] &= ~inner
    ys, xs = np.nonzero(edge)
    points = np.column_stack((xs - 0.5, ys - 0.5))  # the middles of pixels, unpadded
    middle = points.mean(axis=0)
    reach = 0.02 * max(region.shape)
    lines: list[tuple[Points, float]] = []
    for at in range(4):
        begin, end = corners[at], corners[(at + 1) % 4]
        length = float(np.hypot(*(end - begin)))
        if length < 0.08 * max(region.shape):
            return None
        along = (end - begin) / length
        across = np.asarray((-along[1], along[0]))
        offset, place = (points - begin) @ across, (points - begin) @ along / length
        near = points[(np.abs(offset) < reach) & (place > 0.06) & (place < 0.94)]
        if len(near) < 0.5 * length:
            return None
        away = np.abs((near - near.mean(axis=0)) @ _normal(near))
        near = near[away <= max(0.7, 2 * float(np.median(away)))]
        centre, normal = near.mean(axis=0), _normal(near)
        # The pixels of the edge belong to the sheet, so that it ends half a pixel further out.
        outward: Points = normal if float((centre - middle) @ normal) > 0 else -normal
        lines.append((outward, float(outward @ centre) + 0.5))
    met = [_meet(lines[at - 1], lines[at]) for at in range(4)]
    if any(point is None for point in met):
        return None
    return np.asarray(met, np.float64)


def _normal(points: NDArray[np.floating[Any]]) -> Points:
    """The direction across a line through the points (total least squares)."""
    centred = points - points.mean(axis=0)
    axes: Points = np.asarray(np.linalg.eigh(centred.T @ centred)[1], np.float64)
    return axes[:, 0]


def _meet(one: tuple[Points, float], other: tuple[Points, float]) -> Points | None:
    normals = np.stack((one[0], other[0]))
    if abs(np.linalg.det(normals)) < 0.3:
        return None
    return np.asarray(np.linalg.solve(normals, np.asarray((one[1], other[1]))), np.float64)


def _is_plausible(corners: Points, shape: tuple[int, ...]) -> bool:
    """Whether a sheet can look so: near to a rectangle, and not just the picture's own frame."""
    height, width = shape[:2]
    reach = _FRAME * max(shape)
    x, y = corners.T
    if x.min() < -2 * reach or y.min() < -2 * reach:
        return False
    if x.max() > width + 2 * reach or y.max() > height + 2 * reach:
        return False
    on_frame = 0
    for at in range(4):
        (ax, ay), (bx, by) = corners[at], corners[(at + 1) % 4]
        on_frame += (
            max(ax, bx) < reach or min(ax, bx) > width - reach
            or max(ay, by) < reach or min(ay, by) > height - reach
        )  # fmt: skip
    sides = np.roll(corners, -1, axis=0) - corners
    angles = np.degrees(np.arctan2(sides[:, 1], sides[:, 0]))
    off = np.abs((np.roll(angles, -1) - angles) % 360 - 90)
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    if on_frame == 4 or off.max() > 38 or lengths.max() > 6 * lengths.min():
        return False
    return on_frame == 0 or bool(off.max() < _SQUARE)


def _stands_out(inside: Mask, darkest: Plane, whiteness: Plane) -> bool:
    """Whether what lies around is darker or more colourful than the sheet, also right beside it.

    A frame that is drawn on paper has paper on both of its sides.
    """
    step = max(2, round(0.012 * max(inside.shape)))
    away = ndimage.distance_transform_cdt(~inside, "taxicab")
    far = away > step
    if far.mean() < 0.004:
        return False
    ring = far & (away <= 3 * step)
    deep = ndimage.distance_transform_cdt(np.pad(inside, 1), "taxicab")[1:-1, 1:-1]
    core = deep > step
    rim = core & (deep <= 3 * step)
    if not ring.any() or not core.any():
        return False
    for plane in (darkest, whiteness):
        around, beside = np.median(plane[far]), np.percentile(plane[ring], 75)
        if around < _DARKER * np.median(plane[core]) and beside < _DARKER * np.median(plane[rim]):
            return bool(np.median(darkest[core]) > 60)
    return False
