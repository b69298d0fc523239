"""How bright the bare paper is at each place of a sheet, by colour: found and divided out.

The sheet is looked at in square cells, small against a shadow and large against a line. Cells that
show bare paper tell its brightness; across those that are drawn on it is carried over from around
them. A shadow is paper, too: brightness falls smoothly into it, and its colour stays that of paper.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

from img2imgd.reader.paper.arrays import Colours, Mask, Pixels, Plane, ndimage

CELL = 14  # pixels of the picture that is looked at
_SMOOTH = 0.085  # log of brightness: so much it may change from a cell of paper to the next
_TINT = 0.075  # log of colour: so far a cell of paper may be from the paper's usual colour
_DARKEST_SHADOW = 0.22  # of the brightest paper
_ISLAND = 0.13  # log of brightness: paper enclosed by lines is so near to that around them
_STRIP = 512  # rows levelled at once, to save memory
_LEAST_GRAIN = 0.012  # darkness that is always taken for grain
_OFFSET, _STEPS = 0.2, 210.0  # darkness as a byte: from so far brighter than paper, in such steps
_GRAIN, _STROKE = 2.6, 4.2  # deviations of the grain: all paper, surely a stroke
_STEP, _AROUND = 0.12, 7  # log of brightness that differs within so many cells at a shadow's edge
_LINE = 11  # pixels: wider strokes fade where such an edge crosses them


@dataclass(frozen=True)
class Lighting:
    """``colours`` (rows × columns × 3, 0…255) of the bare paper at the middle of each cell.

    ``bare`` are the cells where it was seen; the others are filled from those around. ``edges`` are
    factors for it by pixel, 1 but for hard edges of shadows, which cells are too coarse for; None
    where there is no such edge.
    """

    colours: Colours
    bare: Mask
    edges: Plane | None = None


def find_lighting(image: Image.Image) -> Lighting:
    """What light falls on a sheet that fills the picture."""
    cells = _cells(image)
    luma = cells.mean(axis=3)
    # Upper half of each cell: lines and specks are not in it, glints neither.
    order = np.argsort(luma, axis=2)
    count = order.shape[2]
    upper = order[..., int(count * 0.55) : int(count * 0.97)]
    colours = np.take_along_axis(cells, upper[..., None], axis=2).mean(axis=2)
    bright = np.log(colours.mean(axis=2) + 2)
    low, high = np.percentile(luma, (25, 90), axis=2)
    spread = (high - low) / (high + 2)
    tint = np.log((colours + 2) / (colours.mean(axis=2, keepdims=True) + 2))
    bare = _bare(bright, spread.astype(np.float32), tint.astype(np.float32))
    filled = _carried_over(colours.astype(np.float32), bare)
    # Bare paper that lines enclose, such as a window's panes, is no part of the first surface.
    near = np.abs(bright - np.log(filled.mean(axis=2) + 2)) < _ISLAND
    bare |= near & (np.abs(tint - np.log((filled + 2) / (filled.mean(axis=2, keepdims=True) + 2)))
                    .max(axis=2) < _TINT) & (spread < _calm(spread))  # fmt: skip
    filled = _carried_over(colours.astype(np.float32), bare)
    smooth = np.stack([ndimage.gaussian_filter(filled[..., c], 0.8, mode="nearest")
                       for c in range(3)], axis=2)  # fmt: skip
    lighting = Lighting(smooth.astype(np.float32), bare)
    return replace(lighting, edges=_edges_of_shadows(image, lighting))


def darkness(pixels: Pixels, paper: Colours) -> Colours:
    """How much darker than bare paper each pixel is, by channel: 0 is paper, 1 black."""
    return np.subtract(1, pixels / np.maximum(paper, 1), dtype=np.float32)


def level(image: Image.Image, lighting: Lighting) -> Image.Image:
    """The picture with its paper white, whatever was drawn on it in its own tone and colour.

    ``image`` shows the whole of what ``lighting`` was found on, at any size.
    """
    width, height = image.size
    evidence = Image.new("L", image.size)
    for top in range(0, height, _STRIP):
        dark = _strip_darkness(image, lighting, top)
        strongest = ((dark.max(axis=2) + _OFFSET) * _STEPS).clip(0, 255)
        evidence.paste(Image.fromarray(strongest.astype(np.uint8)), (0, top))
    evidence = evidence.filter(ImageFilter.GaussianBlur(0.8))
    base, grain = _grain(evidence, lighting)
    begin = base + np.maximum(_LEAST_GRAIN, _GRAIN * grain)
    end = base + np.maximum(2 * _LEAST_GRAIN, _STROKE * grain)
    levelled = Image.new("RGB", image.size, "white")
    for top in range(0, height, _STRIP):
        dark = _strip_darkness(image, lighting, top)
        rows = evidence.crop((0, top, width, top + dark.shape[0]))
        least, most = (_strip_of(plane, image.size, top) for plane in (begin, end))
        share = np.asarray(rows, np.float32) / _STEPS - _OFFSET
        share = ((share - least) / (most - least)).clip(0, 1)
        share *= share * (3 - 2 * share)
        dark *= share[..., None]
        strip = ((1 - dark).clip(0, 1) * 255 + 0.5).astype(np.uint8)
        levelled.paste(Image.fromarray(strip), (0, top))
    return levelled


def _strip_darkness(image: Image.Image, lighting: Lighting, top: int) -> Colours:
    """Of the rows from ``top`` on."""
    width, height = image.size
    pixels = np.asarray(image.crop((0, top, width, min(height, top + _STRIP))))
    paper = np.stack(
        [_strip_of(lighting.colours[..., c], image.size, top) for c in range(3)], axis=2
    )
    if lighting.edges is not None:
        paper *= _strip_of(lighting.edges, image.size, top)[..., None]
    return darkness(pixels, paper)


def _strip_of(cells: Plane, size: tuple[int, int], top: int) -> Plane:
    """What cells tell of the rows from ``top`` on, of a picture of that (width, height)."""
    (width, height), (rows, columns) = size, cells.shape
    bottom = min(height, top + _STRIP)
    box = (0, top * rows / height, columns, bottom * rows / height)
    deep = Image.fromarray(np.ascontiguousarray(cells, np.float32))
    strip = deep.resize((width, bottom - top), Image.Resampling.BICUBIC, box=box)
    return np.asarray(strip, np.float32)


def _edges_of_shadows(image: Image.Image, lighting: Lighting) -> Plane | None:
    """How much brighter or darker bare paper is than the cells say, beside a hard shadow's edge.

    Lines are taken off by closing them; what then lies between the brightness of the paper on
    either side, in the paper's colour, is the edge.
    """
    bright, bare = np.log(lighting.colours.mean(axis=2) + 2), lighting.bare
    high = ndimage.maximum_filter(np.where(bare, bright, -np.inf), _AROUND)
    low = ndimage.minimum_filter(np.where(bare, bright, np.inf), _AROUND)
    zone = high - low > _STEP
    if not zone.any():
        return None
    rows, columns = (
        np.linspace(0, zone.shape[0], image.height, endpoint=False, dtype=np.int32),
        np.linspace(0, zone.shape[1], image.width, endpoint=False, dtype=np.int32),
    )
    cell = np.ix_(rows, columns)
    paper = np.stack([_whole_of(lighting.colours[..., c], image.size) for c in range(3)], axis=2)
    seen = np.stack([ndimage.gaussian_filter(np.asarray(image)[..., c].astype(np.float32), 1.2)
                     for c in range(3)], axis=2)  # fmt: skip
    share = seen / np.maximum(paper, 1)
    grey = share.mean(axis=2)
    closed = ndimage.gaussian_filter(ndimage.grey_closing(grey, _LINE), 1.5)
    least, most = (np.exp(np.where(zone, plane, 0))[cell] - 2 for plane in (low, high))
    level_ = closed * paper.mean(axis=2)
    tint = np.abs(np.log((share + 0.02) / (grey[..., None] + 0.02))).max(axis=2)
    fits = (level_ > 0.96 * least) & (level_ < 1.04 * most) & (tint < _TINT) & zone[cell]
    weight = ndimage.gaussian_filter(fits.astype(np.float32), 2.0)
    return (1 + weight * (closed - 1)).astype(np.float32)


def _whole_of(cells: Plane, size: tuple[int, int]) -> Plane:
    deep = Image.fromarray(np.ascontiguousarray(cells, np.float32))
    return np.asarray(deep.resize(size, Image.Resampling.BICUBIC), np.float32)


def _grain(evidence: Image.Image, lighting: Lighting) -> tuple[Plane, Plane]:
    """By cell: the usual darkness of bare paper, and the deviation of its grain from it.

    In shadow grain is coarser, because the camera's own noise is divided by less light.
    """
    rows, columns = lighting.bare.shape
    side = min(24, max(4, evidence.width // columns))  # a part of each cell is enough
    small = evidence.resize((columns * side, rows * side), Image.Resampling.NEAREST)
    blocks = np.asarray(small, np.float32).reshape(rows, side, columns, side).swapaxes(1, 2)
    values = blocks.reshape(rows, columns, side * side) / _STEPS - _OFFSET
    # Lines and ruling lie in bare cells, too, so grain is told by its brighter side alone: a tenth
    # of a normal distribution is below -1.28 deviations, three tenths are below -0.52.
    low, middle = np.percentile(values, (10, 30), axis=2)
    deviation = (middle - low) / 0.757
    stacked = np.stack([low + 1.282 * deviation, deviation], axis=2).astype(np.float32)
    if not lighting.bare.any():
        return np.zeros_like(stacked[..., 0]), np.zeros_like(stacked[..., 0])
    spread = _carried_over(stacked, lighting.bare)
    smooth = ndimage.uniform_filter(spread, (5, 5, 1), mode="nearest")
    return smooth[..., 0], smooth[..., 1]


def _cells(image: Image.Image) -> Colours:
    """Rows × columns × pixels of the cell × 3."""
    columns, rows = max(3, round(image.width / CELL)), max(3, round(image.height / CELL))
    whole = image.resize((columns * CELL, rows * CELL), Image.Resampling.BICUBIC)
    blocks = np.asarray(whole).reshape(rows, CELL, columns, CELL, 3).swapaxes(1, 2)
    return blocks.reshape(rows, columns, CELL * CELL, 3).astype(np.float32)


def _calm(spread: Plane) -> float:
    """The spread of brightness within a cell up to which it may be bare."""
    return float(np.clip(2.2 * np.percentile(spread, 30) + 0.01, 0.025, 0.16))


def _bare(bright: Plane, spread: Plane, tint: Colours) -> Mask:
    """The cells that show bare paper."""
    calm = spread < _calm(spread)
    if not calm.any():
        return np.ones_like(calm)
    # The paper's colour is that of most cells, of the brighter half of the calm ones.
    upper = calm & (bright >= np.median(bright[calm]) - 0.02)
    usual = np.median(tint[upper], axis=0)
    candidate = calm & (np.abs(tint - usual).max(axis=2) < _TINT)
    brightest = np.percentile(bright[candidate], 97) if candidate.any() else 0.0
    candidate &= bright > brightest + np.log(_DARKEST_SHADOW)
    labels = _smooth_regions(bright, candidate)
    sizes = np.bincount(labels[labels > 0]) if labels.max() else np.zeros(1, int)
    if sizes.size < 2:
        return candidate if candidate.any() else np.ones_like(calm)
    found = np.zeros_like(candidate)
    for label in np.flatnonzero(sizes):
        region = labels == label
        outer = region[0].sum() + region[-1].sum() + region[:, 0].sum() + region[:, -1].sum()
        # A hard shadow comes in over the sheet's edge; what is shaded lies within.
        if label == sizes.argmax() or (sizes[label] >= 12 and outer >= 4):
            found |= region
    return found


def _smooth_regions(bright: Plane, candidate: Mask) -> np.ndarray:
    """Numbers the regions of candidates in which brightness changes smoothly, from 1 on."""
    rows, columns = candidate.shape
    labels = np.zeros(candidate.shape, np.int32)
    values, open_ = bright.tolist(), candidate.tolist()
    number = 0
    for row, column in zip(*np.nonzero(candidate), strict=True):
        if labels[row, column]:
            continue
        number += 1
        labels[row, column] = number
        border = [(int(row), int(column))]
        while border:
            y, x = border.pop()
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if not (0 <= v < rows and 0 <= u < columns) or not open_[v][u] or labels[v, u]:
                    continue
                if abs(values[v][u] - values[y][x]) < _SMOOTH:
                    labels[v, u] = number
                    border.append((v, u))
    return labels


def _carried_over(colours: Colours, bare: Mask) -> Colours:
    """The colours of bare cells, and between them a surface that is as flat as it can be."""
    if not bare.any() or bare.all():
        return colours
    nearest = ndimage.distance_transform_edt(~bare, return_distances=False, return_indices=True)
    padded = np.pad(colours[nearest[0], nearest[1]], ((1, 1), (1, 1), (0, 0)), mode="edge")
    found: Colours = padded[1:-1, 1:-1]
    hidden = ~bare[..., None]
    for _ in range(200):  # Laplace's equation, by Jacobi's method
        around = padded[:-2, 1:-1] + padded[2:, 1:-1]
        around += padded[1:-1, :-2]
        around += padded[1:-1, 2:]
        around *= 0.25
        np.copyto(found, around, where=hidden)
        padded[0], padded[-1] = padded[1], padded[-2]
        padded[:, 0], padded[:, -1] = padded[:, 1], padded[:, -2]
    return found.copy()
