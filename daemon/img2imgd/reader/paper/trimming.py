"""Where on a levelled sheet the drawing is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from img2imgd.reader.paper.arrays import Mask, Plane, ndimage

_STROKE = 0.07  # darkness from which on something may be drawn
_SPECK = 7  # pixels: smaller things are dust
_EDGE = 0.02  # of the longer side: what lies wholly so near the sheet's edge may be its shadow
_BORDER = 0.0015  # of the longer side: which begins at the very border, where no hand signs
_SIGNED = 0.12  # darkness of a signature there
_RULED = 0.02  # darkness of a whole row's median, from which on it is a ruled line


@dataclass(frozen=True)
class Strokes:
    """``mask`` of what is drawn, ``dark`` without ruling, ``box`` around it: left, top, right,
    bottom in pixels; None where nothing is drawn.
    """

    mask: Mask
    dark: Plane
    box: tuple[int, int, int, int] | None


def find_strokes(dark: Plane) -> Strokes:
    """What is drawn on a levelled sheet (0 is paper, 1 black)."""
    free = without_ruling(dark)
    mask = ndimage.gaussian_filter(free, 0.6) > _STROKE
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    if count == 0:
        return Strokes(mask, free, None)
    sizes, darkest = (
        np.bincount(labels.ravel()),
        ndimage.maximum(free, labels, np.arange(count + 1)),
    )
    keep = np.zeros(count + 1, np.bool_)
    for number, place in enumerate(ndimage.find_objects(labels), 1):
        at_edge = _near(place, dark.shape, _EDGE)
        signed = darkest[number] >= _SIGNED and not _touches(place, dark.shape, _BORDER)
        keep[number] = sizes[number] >= _SPECK and (signed or not at_edge)
    mask = keep[labels]
    if not mask.any():
        return Strokes(mask, free, None)
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Strokes(mask, free, (int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1))


def _near(place: tuple[slice, slice], shape: tuple[int, ...], share: float) -> bool:
    """Whether all of it lies so near to one of the sheet's edges."""
    reach = share * max(shape)
    return any(
        p.stop < reach or p.start > side - reach for p, side in zip(place, shape, strict=True)
    )


def _touches(place: tuple[slice, slice], shape: tuple[int, ...], share: float) -> bool:
    """Whether any of it does."""
    reach = share * max(shape)
    return any(
        p.start < reach or p.stop > side - reach for p, side in zip(place, shape, strict=True)
    )


def without_ruling(dark: Plane) -> Plane:
    """The darkness without ruled lines from one side of the sheet to the other.

    Half of the pixels of such a row are as dark as its line; no drawing does that to many rows.
    """
    ruling = np.zeros_like(dark)
    for axis in (0, 1):
        rows = _typical(dark, 1 - axis)
        ruled = rows > _RULED
        if _runs(ruled) >= 3 and ruled.mean() < 0.6:
            ruling = np.maximum(ruling, np.expand_dims(rows * ruled, 1 - axis))
    # What is drawn over a line is darker than the line.
    return np.where(dark > 1.3 * ruling, dark, np.float32(0))


def _typical(dark: Plane, axis: int) -> Plane:
    # A line that lies a little aslant is in a row for a part of its length only.
    thick = ndimage.maximum_filter1d(dark, 3, axis=1 - axis)
    return np.asarray(np.percentile(thick, 40, axis=axis), np.float32)


def _runs(values: Mask) -> int:
    return int((np.diff(values.astype(np.int8), prepend=0) == 1).sum())
