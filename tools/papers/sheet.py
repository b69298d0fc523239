"""A sheet of paper with a drawing on it, before anybody looks at it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from tools.papers.subjects import Line, Point, Subject

Reflectance = NDArray[np.float32]

WHITE, CREAM, YELLOW, GREY = (1.0, 1.0, 1.0), (0.99, 0.97, 0.91), (0.98, 0.92, 0.70), (0.8,) * 3
_FINE = 2  # lines are drawn at twice the size and reduced, so that their edges are soft


@dataclass(frozen=True)
class Medium:
    """What a line is made of: ``width`` in thousandths of the longer side."""

    colour: tuple[float, float, float]
    width: float
    grain: float  # share of the paper's tooth that stays bare
    pressure: tuple[float, float]  # from the lightest to the darkest line, 1 is the full colour


PENCIL = Medium((0.22, 0.22, 0.24), 2.2, 0.45, (0.55, 1.0))
SOFT_PENCIL = Medium((0.30, 0.30, 0.31), 3.2, 0.6, (0.35, 0.9))
INK = Medium((0.07, 0.07, 0.10), 2.6, 0.0, (1.0, 1.0))


@dataclass(frozen=True)
class Sheet:
    """A sheet of paper with a drawing, ``size`` (width, height) pixels of its own."""

    subject: Subject
    medium: Medium = PENCIL
    size: tuple[int, int] = (1000, 1400)
    paper: tuple[float, float, float] = WHITE
    texture: float = 0.012
    ruling: str = ""  # "lined", "squared", or none
    place: tuple[float, float, float] = (0.2, 0.3, 0.6)  # left, top, width in the sheet's width
    seed: int = 1
    coloured: str = ""  # "crayon" hatches the fills, "wash" paints them

    def reflectance(self) -> Reflectance:
        """The drawing alone."""
        rng = np.random.default_rng(self.seed)
        width, height = self.size
        found = np.ones((height, width, 3), np.float32)
        tooth = smooth_noise(rng, (height, width), 1.1)
        for outline, colour in self.subject.fills if self.coloured else ():
            inside = _filled(self.size, self._placed(outline))
            if self.coloured == "wash":
                inside = _blurred(inside, 2.0) * (1 + 0.12 * smooth_noise(rng, inside.shape, 30))
                _lay(found, inside.clip(0, 1), colour, 0.75)
            else:
                _lay(found, self._hatching(rng, outline, tooth), colour, 0.85)
        for outline in self.subject.hatched:
            _lay(found, self._hatching(rng, outline, tooth), self.medium.colour, 0.6)
        bare = 1 - self.medium.grain * (tooth > 0.35)
        light, dark = self.medium.pressure
        board = Image.new("L", (width * _FINE, height * _FINE))
        for line in self.subject.lines:
            self._stroke(rng, board, self._placed(line), float(rng.uniform(light, dark)))
        _lay(found, np.asarray(board.reduce(_FINE), np.float32) / 255 * bare, self.medium.colour, 1)
        return found

    def on_paper(self) -> tuple[Reflectance, NDArray[np.float32]]:
        """The sheet with the drawing on it; and the darkness of the drawing alone."""
        drawing = self.reflectance()
        rng = np.random.default_rng(self.seed + 1000)
        height, width = drawing.shape[:2]
        grain = self.texture * (
            0.7 * smooth_noise(rng, (height, width), 1.2)
            + 0.5 * smooth_noise(rng, (height, width), 6.0)
        )
        paper = np.asarray(self.paper, np.float32) * (0.96 + grain[..., None])
        paper *= _ruled(self.ruling, height, width)
        return (paper * drawing).astype(np.float32), 1 - drawing.min(axis=2)

    def _placed(self, line: Line) -> list[Point]:
        left, top, wide = self.place
        width = self.size[0]
        return [((left + wide * x) * width, (top + wide * y) * width) for x, y in line]

    def _stroke(
        self, rng: np.random.Generator, board: Image.Image, points: list[Point], pressure: float
    ) -> None:
        """A line drawn by hand: it wavers a little."""
        longer = max(self.size)
        shake = longer * 0.0012
        dense = _dense(points, longer / 70)
        wavering = [(x + rng.normal(0, shake), y + rng.normal(0, shake)) for x, y in dense]
        wide = max(1, round(self.medium.width / 1000 * longer * _FINE))
        fine = [(x * _FINE, y * _FINE) for x, y in _rounded(wavering)]
        ImageDraw.Draw(board).line(fine, fill=round(255 * pressure), width=wide, joint="curve")

    def _hatching(
        self, rng: np.random.Generator, outline: Line, tooth: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Close strokes from one side of a shape to the other."""
        placed = self._placed(outline)
        board = Image.new("L", self.size)
        draw, longer = ImageDraw.Draw(board), max(self.size)
        xs, ys = [x for x, _ in placed], [y for _, y in placed]
        wide, reach = max(1, round(longer * 0.0032)), max(ys) - min(ys)
        at = min(xs) - reach
        while at < max(xs):
            slip = float(rng.normal(0, longer * 0.002))
            draw.line([(at + slip, max(ys)), (at + reach * 0.8 + slip, min(ys))],
                      fill=int(rng.uniform(140, 255)), width=wide)  # fmt: skip
            at += longer * 0.0052
        strokes = np.asarray(board.filter(ImageFilter.GaussianBlur(0.7)), np.float32) / 255
        return strokes * _filled(self.size, placed) * (1 - 0.5 * (tooth > 0.3))


def _lay(
    found: Reflectance, share: NDArray[np.float32], colour: Sequence[float], strength: float
) -> None:
    for channel in range(3):
        found[..., channel] *= 1 - share * strength * (1 - colour[channel])


def _dense(points: Sequence[Point], step: float) -> list[Point]:
    found = [points[0]]
    for (ax, ay), (bx, by) in pairwise(points):
        pieces = max(1, round(math.hypot(bx - ax, by - ay) / step))
        found += [(ax + (bx - ax) * i / pieces, ay + (by - ay) * i / pieces)
                  for i in range(1, pieces + 1)]  # fmt: skip
    return found


def _rounded(points: list[Point]) -> list[Point]:
    """Corners cut twice (Chaikin), so that a hand and no ruler drew it."""
    for _ in range(2):
        cut = [points[0]]
        for (ax, ay), (bx, by) in pairwise(points):
            cut += [(0.75 * ax + 0.25 * bx, 0.75 * ay + 0.25 * by),
                    (0.25 * ax + 0.75 * bx, 0.25 * ay + 0.75 * by)]  # fmt: skip
        points = [*cut, points[-1]]
    return points


def _filled(size: tuple[int, int], outline: Sequence[Point]) -> NDArray[np.float32]:
    board = Image.new("L", size)
    ImageDraw.Draw(board).polygon(list(outline), fill=255)
    return np.asarray(board, np.float32) / 255


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, ...], grain: float
) -> NDArray[np.float32]:
    """Noise of deviation 1 whose grains are so many pixels wide."""
    height, width = shape[:2]
    small = (max(2, round(height / grain)), max(2, round(width / grain)))
    values = Image.fromarray(rng.standard_normal(small, np.float32))
    return np.asarray(values.resize((width, height), Image.Resampling.BICUBIC), np.float32)


def _blurred(values: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    picture = Image.fromarray((values * 255).astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255


def _ruled(ruling: str, height: int, width: int) -> NDArray[np.float32]:
    found = np.ones((height, width, 3), np.float32)
    if not ruling:
        return found
    step, colour = round(width / (26 if ruling == "lined" else 42)), (0.72, 0.83, 0.93)
    for y in range(step, height, step):
        found[y : y + 2] = colour
    if ruling == "squared":
        for x in range(step, width, step):
            found[:, x : x + 2] = colour
    return found
