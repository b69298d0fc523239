"""How far a sheet lies askew, told by straight lines on it: ruling, a frame, a horizon, walls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from img2imgd.reader.paper.arrays import Plane, ndimage

_MOST = 15.0  # degrees looked for to either side
_COARSE, _FINE = 0.5, 0.05  # degrees from one try to the next
_NEAR = 3.0  # degrees that an edge's own direction may be off its line's
_SHORTEST = 0.14  # of the shorter side: a line counts from this length on
_SEVERAL = 3  # lines that must agree
_CLEAR = 1.6  # times as much as at any other angle must speak for it
_STRENGTH = 0.012  # darkness from one pixel to the next, of an edge
_EDGES = 60_000  # points of edges that are looked at, the strongest


def find_skew(dark: Plane) -> float | None:
    """Degrees by which the lines on a levelled sheet (0 is paper) fall off to the right.

    Turning the picture by as much to the left makes them level or upright. None where too few
    straight lines agree: a drawing without them stays as it lies.

    The method is Hough's, of edges with their direction (Duda and Hart 1972; Ballard 1981), over
    level and upright lines together.
    """
    edges = _edges(dark)
    if edges is None:
        return None
    least = _SHORTEST * min(dark.shape)
    angles = np.arange(-_MOST - 3, _MOST + 3 + _COARSE / 2, _COARSE)
    support = np.asarray([_support(edges, float(a), least, 2.0)[0] for a in angles])
    best = float(angles[support.argmax()])
    elsewhere = support[np.abs(angles - best) > 3.0].max()
    if abs(best) > _MOST or support.max() < _CLEAR * elsewhere:
        return None
    fine = np.arange(best - 0.8, best + 0.8 + _FINE / 2, _FINE)
    sharp = np.asarray([_support(edges, float(a), least, 1.0) for a in fine])
    if sharp[:, 1].max() < _SEVERAL:
        return None
    weights = np.clip(sharp[:, 0] - 0.6 * sharp[:, 0].max(), 0, None)
    return float((fine * weights).sum() / weights.sum())


_Edges = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


def _edges(dark: Plane) -> list[_Edges] | None:
    """Along, across and direction in degrees of the edges of level lines, then of upright ones."""
    smooth = ndimage.gaussian_filter(dark, 1.0)
    down, right = np.gradient(smooth)
    strength = np.hypot(down, right)
    least = _STRENGTH
    ys, xs = np.nonzero(strength > least)
    if ys.size < 100:
        return None
    if ys.size > _EDGES:
        level = np.partition(strength[ys, xs], -_EDGES)[-_EDGES]
        ys, xs = np.nonzero(strength > level)
    gx, gy = right[ys, xs], down[ys, xs]
    x, y = xs.astype(np.float32), ys.astype(np.float32)
    level_angle = np.degrees(np.arctan(-gx / np.where(gy == 0, 1e-6, gy)))
    upright_angle = np.degrees(np.arctan(gy / np.where(gx == 0, 1e-6, gx)))
    found: list[_Edges] = []
    # An upright line turned to the right by an angle is a level one of x and -y.
    for along, across, angle in ((x, y, level_angle), (-y, x, upright_angle)):
        near = np.abs(angle) < _MOST + 6
        found.append((along[near], across[near], angle[near].astype(np.float32)))
    return found


def _support(edges: list[_Edges], angle: float, least: float, bin_: float) -> tuple[float, int]:
    """How strongly lines speak for an angle, and how many there are."""
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    total, lines = 0.0, 0
    for along, across, direction in edges:
        near = np.abs(direction - angle) < _NEAR
        if near.sum() < least:
            continue
        place = across[near] * cosine - along[near] * sine
        counts = np.bincount(((place - place.min()) / bin_).astype(np.int64))
        counts = counts + np.append(counts[1:], 0)  # a line may lie between two bins
        long = counts > least * bin_ / 1.0
        total += float((counts[long].astype(np.float64) ** 2).sum())
        # Both edges of a line count as one.
        lines += int((np.diff(np.flatnonzero(long), prepend=-99) > 8 / bin_).sum())
    return total, lines
