"""Drawings on paper as a scanner or a phone sees them, and what they truly look like.

A drawing is a reflectance (height × width × 3, 1 is bare paper). Paper gives it colour, grain and
ruling; light a shade, a shadow, a fold; then a scanner turns it a little, or a phone takes it from
the side with the desk around it; noise and JPEG come last. All is drawn from a seed, so that tests,
figures and the pictures of the docs are of the same papers.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Reflectance = NDArray[np.float32]
Point = tuple[float, float]
Line = Sequence[Point]

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
class Subject:
    """Lines and filled shapes (outline, colour) in parts of the sheet's width, from the top left.

    ``hatched`` are shapes that the medium shades.
    """

    lines: Sequence[Line]
    fills: Sequence[tuple[Line, tuple[float, float, float]]] = ()
    hatched: Sequence[Line] = ()


@dataclass(frozen=True)
class Light:
    """``shade``: how much darker the far corner is; ``shadow``: of a hand over the sheet's corner;
    ``fold``: of the crease across the middle; ``tint``: the lamp's colour.
    """

    shade: float = 0.0
    shadow: float = 0.0
    fold: float = 0.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Seen:
    """A sheet as it is seen. ``darkness`` (height × width, 0…1) is the drawing alone on the sheet.

    ``corners`` are the sheet's in the picture (x, y in pixels: top left, top right, bottom right,
    bottom left), ``turned`` how far the sheet lies to the right of upright, in degrees.
    """

    picture: Image.Image
    darkness: NDArray[np.float32]
    corners: NDArray[np.float64]
    turned: float = 0.0


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
        tooth = _smooth_noise(rng, (height, width), 1.1)
        for outline, colour in self.subject.fills if self.coloured else ():
            inside = _filled(self.size, self._placed(outline))
            if self.coloured == "wash":
                inside = _blurred(inside, 2.0) * (1 + 0.12 * _smooth_noise(rng, inside.shape, 30))
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
            0.7 * _smooth_noise(rng, (height, width), 1.2)
            + 0.5 * _smooth_noise(rng, (height, width), 6.0)
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


def scanned(
    sheet: Sheet,
    turned: float = 0.0,
    light: Light = Light(),
    noise: float = 0.008,
    around: tuple[float, float, float] | None = None,
    seed: int = 1,
) -> Seen:
    """As a scanner sees it; with ``around``, the lid's colour shows where the sheet lies askew."""
    paper, darkness = sheet.on_paper()
    rng = np.random.default_rng(seed)
    width, height = sheet.size
    edge = 0 if around is None else round(0.06 * width)
    fill = tuple(sheet.paper[i] * 0.96 if around is None else around[i] for i in range(3))
    wide, high = width + 2 * edge, height + 2 * edge
    angle = math.radians(turned)
    corners = [
        (x * math.cos(angle) - y * math.sin(angle) + wide / 2,
         x * math.sin(angle) + y * math.cos(angle) + high / 2)
        for x, y in ((-width / 2, -height / 2), (width / 2, -height / 2),
                     (width / 2, height / 2), (-width / 2, height / 2))
    ]  # fmt: skip
    scene = _seen_from(paper, np.asarray(corners), (wide, high), np.asarray(fill, np.float32))
    return Seen(_developed(_lit(scene, light), rng, noise), darkness, np.asarray(corners), turned)


def photographed(
    sheet: Sheet,
    corners: Sequence[Point] = ((0.16, 0.12), (0.80, 0.09), (0.90, 0.90), (0.08, 0.86)),
    size: tuple[int, int] = (1500, 2000),
    light: Light = Light(0.35, 0.35, 0.0, (1.0, 0.96, 0.86)),
    noise: float = 0.012,
    desk: str = "wood",
    seed: int = 1,
) -> Seen:
    """As a phone sees it, on a desk; ``corners`` of the sheet in parts of the picture."""
    paper, darkness = sheet.on_paper()
    rng = np.random.default_rng(seed)
    wide, high = size
    at = np.asarray([(x * wide, y * high) for x, y in corners])
    around = _desk(rng, size, desk)
    scene = _seen_from(paper, at, size, around)
    return Seen(_developed(_lit(scene, light), rng, noise), darkness, at)


def as_jpeg(picture: Image.Image, quality: int = 85) -> Image.Image:
    """The picture after a JPEG file."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    file.seek(0)
    with Image.open(file) as read:
        read.load()
        return read.convert("RGB")


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


def _smooth_noise(
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


def _lit(scene: Reflectance, light: Light) -> Reflectance:
    height, width = scene.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / width, y / height
    brightness = 1 - light.shade * (0.35 * x + 0.45 * y + 0.2 * ((x - 0.5) ** 2 + (y - 0.5) ** 2))
    if light.shadow:  # its edge is soft, as a hand's or a phone's is
        inside = 1 / (1 + np.exp(-(0.55 * x + y - 1.05 + 0.05 * np.sin(9 * x)) / 0.03))
        brightness *= 1 - light.shadow * inside
    if light.fold:
        far = y - 0.47
        brightness *= 1 + light.fold * 0.35 * np.sign(far) * np.exp(-np.abs(far) / 0.12)
        brightness *= 1 - light.fold * np.exp(-((far * height / 2.5) ** 2))
    return scene * brightness[..., None] * np.asarray(light.tint, np.float32)


def _desk(rng: np.random.Generator, size: tuple[int, int], kind: str) -> Reflectance:
    wide, high = size
    colour = {"wood": (0.50, 0.34, 0.21), "grey": (0.42, 0.42, 0.43), "dark": (0.09, 0.08, 0.08),
              "white": (0.80, 0.79, 0.77)}[kind]  # fmt: skip
    found = np.tile(np.asarray(colour, np.float32), (high, wide, 1))
    if kind != "wood":
        return found * (1 + 0.02 * _smooth_noise(rng, (high, wide), 2.0))[..., None]
    rings = np.asarray(
        Image.fromarray(rng.standard_normal((high // 6, max(2, wide // 260)), np.float32)).resize(
            size, Image.Resampling.BICUBIC
        )
    )
    fibres = np.asarray(
        Image.fromarray(rng.standard_normal((high // 2, wide // 40), np.float32)).resize(
            size, Image.Resampling.BICUBIC
        )
    )
    y = np.arange(high, dtype=np.float32)[:, None]
    boards = 1 - 0.45 * ((y % (high / 4.3)) < 4)
    return found * ((1 + 0.10 * rings + 0.07 * fibres) * boards)[..., None]


def _seen_from(
    sheet: Reflectance,
    corners: NDArray[np.float64],
    size: tuple[int, int],
    around: NDArray[np.float32],
) -> Reflectance:
    """The sheet laid so that its corners come to lie there, over what is around it."""
    height, width = sheet.shape[:2]
    own = [(0, 0), (width, 0), (width, height), (0, height)]
    coefficients = homography(corners, np.asarray(own, np.float64))
    # PIL has no floating-point transform of three channels.
    deep = [Image.fromarray(np.ascontiguousarray(sheet[..., c])) for c in range(3)]
    opaque = Image.new("F", (width, height), 1.0)
    laid = [
        np.asarray(one.transform(size, Image.Transform.PERSPECTIVE, coefficients,
                                 Image.Resampling.BILINEAR))
        for one in (*deep, opaque)
    ]  # fmt: skip
    share = laid[3][..., None]
    return (np.stack(laid[:3], axis=2) + (1 - share) * around).astype(np.float32)


def homography(source: NDArray[np.float64], target: NDArray[np.float64]) -> list[float]:
    """The eight numbers with which Pillow's PERSPECTIVE takes each source point to its target."""
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return [float(value) for value in np.linalg.solve(np.asarray(rows), target.reshape(-1))]


def _developed(scene: Reflectance, rng: np.random.Generator, noise: float) -> Image.Image:
    grain = rng.standard_normal((*scene.shape[:2], 1), np.float32) * noise
    colour = rng.standard_normal(scene.shape, np.float32) * noise * 0.5
    return Image.fromarray(((scene + grain + colour).clip(0, 1) * 255 + 0.5).astype(np.uint8))


def _arc(x: float, y: float, radius: float, begin: float = 0, end: float = 360) -> list[Point]:
    steps = max(6, round(abs(end - begin) / 15))
    angles = [math.radians(begin + (end - begin) * i / steps) for i in range(steps + 1)]
    return [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles]


def house() -> Subject:
    """A house with a fence on a straight ground: it has upright and level lines."""
    wall = [(0.25, 0.45), (0.75, 0.45), (0.75, 0.9), (0.25, 0.9), (0.25, 0.45)]
    roof = [(0.18, 0.46), (0.5, 0.14), (0.82, 0.46), (0.18, 0.46)]
    door = [(0.45, 0.9), (0.45, 0.66), (0.57, 0.66), (0.57, 0.9)]
    panes = [[(x, 0.54), (x + 0.1, 0.54), (x + 0.1, 0.64), (x, 0.64), (x, 0.54)]
             for x in (0.31, 0.61)]  # fmt: skip
    fence = [[(x, 0.9), (x, 0.78)] for x in (0.02, 0.08, 0.14, 0.86, 0.92, 0.98)]
    sun = _arc(0.9, 0.14, 0.08)
    return Subject(
        [wall, roof, door, *panes, *fence, [(0, 0.9), (1, 0.9)], [(0.0, 0.82), (0.25, 0.82)],
         [(0.75, 0.82), (1.0, 0.82)], sun],
        [(wall, (0.92, 0.72, 0.45)), (roof, (0.75, 0.22, 0.18)), (sun, (0.98, 0.83, 0.2)),
         (door, (0.35, 0.25, 0.55))],
        [roof],
    )  # fmt: skip


def cat() -> Subject:
    """A cat: curves alone, nothing that is level or upright."""
    head, body = _arc(0.36, 0.34, 0.17), _arc(0.52, 0.70, 0.27, -130, 170)
    ears = [[(0.22, 0.25), (0.19, 0.06), (0.33, 0.17)], [(0.42, 0.18), (0.54, 0.09), (0.51, 0.27)]]
    tail = [(0.78, 0.78), (0.93, 0.7), (0.97, 0.52), (0.88, 0.41), (0.83, 0.46)]
    whiskers = [[(0.32, 0.40), (0.08, 0.33)], [(0.32, 0.42), (0.07, 0.45)],
                [(0.41, 0.41), (0.63, 0.37)], [(0.41, 0.43), (0.62, 0.49)]]  # fmt: skip
    eyes = [_arc(0.30, 0.31, 0.025), _arc(0.43, 0.32, 0.025)]
    return Subject(
        [head, body, *ears, tail, *whiskers, *eyes, _arc(0.37, 0.4, 0.03, 20, 170)],
        [(head, (0.95, 0.68, 0.35)), (body, (0.93, 0.6, 0.3))],
        [_arc(0.52, 0.70, 0.2)],
    )


def hills() -> Subject:
    """Hills at a slope, trees and a bird: the longest lines are slanted."""
    first = [(0, 0.62), (0.22, 0.33), (0.38, 0.52), (0.6, 0.22), (1.0, 0.7)]
    second = [(0, 0.85), (0.3, 0.7), (0.55, 0.78), (1.0, 0.66)]
    trees = [_arc(x, y, 0.06) for x, y in ((0.2, 0.66), (0.78, 0.6), (0.9, 0.62))]
    trunks = [[(x, y), (x + 0.01, y + 0.13)] for x, y in ((0.2, 0.72), (0.78, 0.66), (0.9, 0.68))]
    bird = [(0.7, 0.12), (0.75, 0.09), (0.78, 0.13), (0.82, 0.08), (0.88, 0.12)]
    return Subject(
        [first, second, *trees, *trunks, bird],
        [([*first, (1, 0.9), (0, 0.9)], (0.55, 0.68, 0.85)),
         *((tree, (0.2, 0.55, 0.3)) for tree in trees),
         ([*second, (1, 0.95), (0, 0.95)], (0.62, 0.8, 0.4))],
        [trees[0], trees[1]],
    )  # fmt: skip


def flower() -> Subject:
    """A flower with a bent stem."""
    petals = [_arc(0.5 + 0.16 * math.cos(a), 0.3 + 0.16 * math.sin(a), 0.1)
              for a in (0.3, 1.35, 2.4, 3.45, 4.5, 5.55)]  # fmt: skip
    stem = [(0.5, 0.42), (0.54, 0.6), (0.5, 0.8), (0.52, 1.05)]
    leaf = [(0.52, 0.72), (0.7, 0.6), (0.84, 0.62), (0.72, 0.74), (0.52, 0.78)]
    return Subject(
        [*petals, _arc(0.5, 0.3, 0.07), stem, leaf],
        [*((petal, (0.85, 0.3, 0.5)) for petal in petals), (leaf, (0.3, 0.6, 0.3))],
        [_arc(0.5, 0.3, 0.07)],
    )


SUBJECTS: dict[str, Callable[[], Subject]] = {
    draw.__name__: draw for draw in (house, cat, hills, flower)
}
