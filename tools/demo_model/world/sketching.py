"""How people draw a scene before it is a painting: pen, flat fills, pencil, scanned paper."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from .canvas import CANVAS, Canvas, smooth_noise

SIDE = CANVAS // 2


def _wobble(pixels: np.ndarray, rng: np.random.Generator, reach: float) -> np.ndarray:
    """The layer as an unsteady hand draws it, every point off by up to `reach` canvas pixels."""
    rows, columns = np.mgrid[0:CANVAS, 0:CANVAS].astype(np.float32)
    across = columns + reach * smooth_noise(rng, 7)
    down = rows + reach * smooth_noise(rng, 7)
    return cv2.remap(pixels, across, down, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)


@cache
def slant() -> np.ndarray:
    """The tone of slanting strokes side by side, uneven, SIDE x SIDE in about -1..1."""
    across = np.random.default_rng(5).uniform(-1, 1, (3 * SIDE // 8, 2 * SIDE // 64))
    size = (2 * SIDE, 3 * SIDE)
    bands = cv2.resize(across.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    return cv2.remap(bands, columns - rows + SIDE, columns + rows, cv2.INTER_LINEAR)


def _small(pixels: np.ndarray) -> np.ndarray:
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    return small / 255 if small.ndim == 3 else small[..., None] / 255


def _thicker(lines: np.ndarray, by: int) -> np.ndarray:
    if by < 1:
        return lines
    return cv2.erode(lines, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (by + 1, by + 1)))


def _pen_colour(rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.75:
        return rng.uniform(0.05, 0.2) + rng.uniform(-0.02, 0.02, 3).astype(np.float32)
    return np.array([(0.1, 0.16, 0.5), (0.35, 0.2, 0.12)][int(rng.integers(2))], np.float32)


def _paper(rng: np.random.Generator) -> np.ndarray:
    white = rng.uniform(0.95, 1.0)
    return np.array(
        [white, white - rng.uniform(0, 0.012), white - rng.uniform(0, 0.03)], np.float32
    )


def _tuned(flat: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The fills a little paler or stronger, as from another box of pens; white stays white."""
    fills = flat.astype(np.float32)
    grey = fills.mean(-1, keepdims=True)
    fills = grey + (fills - grey) * rng.uniform(0.75, 1.15)
    return 255 - (255 - fills) * rng.uniform(0.8, 1.08)


def _filled(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Flat colours inside thick pen lines."""
    reach = float(rng.uniform(0, 5))
    both = np.dstack([canvas.flat, canvas.lines])
    both = _wobble(both, rng, reach) if reach > 1 else both
    fills = _small(np.clip(_tuned(both[..., :3], rng), 0, 255).astype(np.uint8))
    line = _small(_thicker(both[..., 3], int(rng.integers(1, 7))))
    return fills * _paper(rng) * line + _pen_colour(rng) * (1 - line)


def _flat(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Flat colours without lines, as cut from paper."""
    fills = _wobble(canvas.flat, rng, float(rng.uniform(0, 6)))
    return _small(np.clip(_tuned(fills, rng), 0, 255).astype(np.uint8)) * _paper(rng)


def _lines(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Nothing but lines."""
    line = _small(_thicker(_wobble(canvas.lines, rng, float(rng.uniform(0, 6))),
                           int(rng.integers(1, 8))))  # fmt: skip
    return _paper(rng) * line + _pen_colour(rng) * (1 - line)


def _turned_slant(rng: np.random.Generator) -> np.ndarray:
    """Slanting strokes to one side or the other, never twice at the same place."""
    strokes = np.roll(slant(), rng.integers(0, SIDE, 2), (0, 1))
    return strokes[:, ::-1] if rng.random() < 0.5 else strokes


def _uneven(rng: np.random.Generator) -> np.ndarray:
    """Scanned paper: off-white, darker to one side, never quite even."""
    rows, columns = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j].astype(np.float32)
    slope = rng.uniform(-0.05, 0.05, 2)
    soft = cv2.resize(smooth_noise(rng, 4), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    level = rng.uniform(0.86, 0.97) + slope[0] * (rows - 0.5) + slope[1] * (columns - 0.5)
    return np.clip(level + 0.012 * soft, 0, 1)[..., None] * _paper(rng)


def _pencil(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """A scanned pencil drawing: grey lines that press harder here and there, some slant shading."""
    line = 1 - _small(_thicker(_wobble(canvas.lines, rng, float(rng.uniform(1, 6))),
                               int(rng.integers(0, 5))))  # fmt: skip
    press = cv2.resize(smooth_noise(rng, 24), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    dark = line * (0.62 + 0.16 * press[..., None])
    if rng.random() < 0.6:
        stripes = np.clip(0.5 + 0.8 * _turned_slant(rng), 0, 1)
        tone = 1 - _small(cv2.cvtColor(canvas.flat, cv2.COLOR_RGB2GRAY))
        dark = np.maximum(dark, 0.5 * tone * (0.55 + 0.45 * stripes[..., None]))
    return _uneven(rng) * (1 - dark)


def _crayon(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Coloured by slanting crayon strokes that leave the paper showing."""
    reach = float(rng.uniform(2, 6))
    both = _wobble(np.dstack([canvas.flat, canvas.lines]), rng, reach)
    fills = _small(np.clip(_tuned(both[..., :3], rng), 0, 255).astype(np.uint8))
    cover = np.clip(0.78 + 0.5 * _turned_slant(rng), 0.45, 1)[..., None]
    line = _small(_thicker(both[..., 3], int(rng.integers(1, 6))))
    paper = _paper(rng)
    coloured = paper * (1 - cover) + fills * cover
    return coloured * line + _pen_colour(rng) * (1 - line)


_DRAW: dict[str, tuple[float, Callable[[Canvas, np.random.Generator], np.ndarray]]] = {
    "filled": (0.48, _filled),
    "flat": (0.12, _flat),
    "lines": (0.14, _lines),
    "pencil": (0.14, _pencil),
    "crayon": (0.12, _crayon),
}
KINDS = tuple(_DRAW)


def sketch(canvas: Canvas, rng: np.random.Generator, kind: str | None = None) -> np.ndarray:
    """The canvas as a sketch of one of KINDS: 256 x 256 x 3 floats in about 0..1."""
    chosen = kind or str(rng.choice(KINDS, p=[weight for weight, _ in _DRAW.values()]))
    return _DRAW[chosen][1](canvas, rng)
