"""Whether a picture is a drawing on paper, which may be made clean, or anything else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from img2imgd.reader.paper.arrays import Mask, ndimage
from img2imgd.reader.paper.drawing import Look
from img2imgd.reader.paper.trimming import find_strokes

_FLAT = 0.3  # what never was on paper has one white, exactly; a JPEG of a scan has up to a fifth
_BARE, _WHITE = 0.55, 0.65
_INKED = 0.002, 0.3
_LIGHT = 165.0
_TINT = 0.46  # paper that has yellowed, in a warm lamp's light
_UNEVEN = 0.004  # paper under any lamp has half of that, a desk or a bent book's page twice
_WRITTEN = 0.6
_LETTER, _MARKS = 0.06, 40  # of the longer side; so many marks are needed for writing
_SOLID, _WIDE, _DARK = 0.005, 0.012, 0.66  # a cow's black spots are less, a tree in snow more


@dataclass(frozen=True)
class Traits:
    """What tells a drawing from other pictures; shares are of the sheet's area."""

    bare: float  # cells that show bare paper
    white: float  # pixels that levelling made white
    inked: float  # pixels with something drawn on them
    light: float  # brightness of the paper's best lit part, 0…255
    tint: float  # how far the paper's colour is from grey, 0…1
    uneven: float  # how far brightness is from changing evenly from cell to cell of paper
    written: float  # share of the ink in marks that are as small as letters
    solid: float  # pixels of dark areas that are wider than any line


def traits(look: Look) -> Traits:
    """What is measured of a sheet."""
    colours = look.lighting.colours
    paper = colours[look.lighting.bare] if look.lighting.bare.any() else colours.reshape(-1, 3)
    best = paper[paper.mean(axis=1) >= np.percentile(paper.mean(axis=1), 80)].mean(axis=0)
    strokes = find_strokes(look.dark)
    return Traits(
        bare=float(look.lighting.bare.mean()),
        white=float((look.dark < 0.02).mean()),
        inked=float(strokes.mask.mean()),
        light=float(best.mean()),
        tint=float((best.max() - best.min()) / (best.max() + 1)),
        uneven=_uneven(look),
        written=_written(strokes.mask),
        solid=_solid(look),
    )


def is_drawing(look: Look) -> bool:
    """True for a drawing on paper, scanned or photographed; False where there is any doubt."""
    found = traits(look)
    return (
        found.bare > _BARE
        and found.white > _WHITE
        and _INKED[0] < found.inked < _INKED[1]
        and found.light > _LIGHT
        and found.tint < _TINT
        and found.uneven < _UNEVEN
        and found.written < _WRITTEN
        and found.solid < _SOLID
    )


def _uneven(look: Look) -> float:
    """Light falls off smoothly over a flat sheet. Edges of shadows are in a few cells only."""
    bright, bare = np.log(look.lighting.colours.mean(axis=2) + 2), look.lighting.bare
    rows = bare[:, 1:-1] & bare[:, :-2] & bare[:, 2:]
    bends = np.abs(bright[:, 2:] - 2 * bright[:, 1:-1] + bright[:, :-2])[rows]
    return float(np.percentile(bends, 75)) if bends.size else 1.0


def _solid(look: Look) -> float:
    """Pens and brushes leave lines and washes; what is dark, sharp and wide is a thing."""
    across = max(3, round(_WIDE * max(look.dark.shape)))
    dark = ndimage.uniform_filter(look.levelled.max(axis=2), 3) < 255 * (1 - _DARK)
    eroded = ndimage.minimum_filter(dark.astype(np.uint8), across, mode="constant")
    return float(ndimage.maximum_filter(eroded, across, mode="constant").mean())


def never_was_paper(image: Image.Image) -> bool:
    """True where much of the picture is of exactly one colour, as only programs paint it."""
    small = image.resize((min(600, image.width), min(600, image.height)), Image.Resampling.NEAREST)
    pixels = np.asarray(small, np.uint32)
    codes = (pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]).ravel()
    return bool(np.unique(codes, return_counts=True)[1].max() > _FLAT * codes.size)


def _written(mask: Mask) -> float:
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    if count < _MARKS:
        return 0.0
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    boxes = ndimage.find_objects(labels)
    extents = np.asarray([max(b[0].stop - b[0].start, b[1].stop - b[1].start) for b in boxes])
    small = extents < _LETTER * max(mask.shape)
    return float(sizes[small].sum() / sizes.sum())
