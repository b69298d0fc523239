"""Three pictures painted at once: lit colour, flat colours on white paper, and outlines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import cv2
import numpy as np

CANVAS = 512
Colour = tuple[int, int, int]
Point = tuple[float, float]
_FIXED = 4  # bits behind the point in cv2's coordinates


def smooth_noise(rng: np.random.Generator, cells: int, cells_y: int | None = None) -> np.ndarray:
    """Soft noise, CANVAS x CANVAS float32 in about -1..1, with so many blobs across (and down)."""
    coarse = rng.uniform(-1, 1, (cells_y or cells, cells)).astype(np.float32)
    return cv2.resize(coarse, (CANVAS, CANVAS), interpolation=cv2.INTER_CUBIC)


def ridge(rng: np.random.Generator, rough: float, cells: int) -> np.ndarray:
    """Heights of a skyline, CANVAS values in about -1..1, rougher as `rough` grows to 1."""
    line = np.zeros(CANVAS)
    grid = np.linspace(0, 1, CANVAS)
    weight, total = 1.0, 0.0
    while cells < CANVAS / 2 and weight > 0.03:
        knots = rng.uniform(-1, 1, cells + 3)
        place = grid * cells
        left = place.astype(int)
        share = place - left
        smooth = share * share * (3 - 2 * share)
        line += weight * (knots[left] * (1 - smooth) + knots[left + 1] * smooth)
        total += weight
        weight *= rough
        cells *= 2
    return line / total


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (below 1) or lighter (above 1)."""
    red, green, blue = (int(min(255, max(0, part * factor))) for part in colour)
    return red, green, blue


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour `share` of the way from the first to the second."""
    red, green, blue = (int(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def jitter(rng: np.random.Generator, colour: Colour, reach: float) -> Colour:
    """The colour a little lighter or darker, warmer or colder, by chance."""
    moved = np.asarray(colour) * rng.uniform(1 - reach, 1 + reach) + rng.uniform(-90, 90, 3) * reach
    red, green, blue = (int(part) for part in np.clip(moved, 0, 255))
    return red, green, blue


def under(line: np.ndarray, bottom: float = CANVAS + 4) -> list[Point]:
    """The polygon between a skyline (CANVAS heights) and `bottom`, both in canvas pixels."""
    points: list[Point] = [(float(x), float(line[x])) for x in range(0, CANVAS, 4)]
    points.append((CANVAS, float(line[-1])))
    return [(-4.0, points[0][1]), *points, (CANVAS + 4, points[-1][1]), (CANVAS + 4, bottom),
            (-4.0, bottom)]  # fmt: skip


def box(left: float, top: float, right: float, bottom: float) -> list[Point]:
    """The four corners of an upright box."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def oval(middle: Point, radii: Point, corners: int = 36) -> list[Point]:
    """Points around an ellipse."""
    turns = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return [
        (middle[0] + radii[0] * float(np.cos(turn)), middle[1] + radii[1] * float(np.sin(turn)))
        for turn in turns
    ]


@dataclass(frozen=True)
class Light:
    """How a time of day looks: the sky from top to horizon, and what the light does to the land.

    `tint` multiplies every colour of the land, `glow` is what the lit side of a thing turns to,
    `haze` what distance turns to, `haze_share` how much of it lies on everything.
    """

    sky_top: Colour
    sky_middle: Colour
    sky_low: Colour
    tint: tuple[float, float, float]
    glow: Colour
    glow_share: float
    shadow: float
    haze: Colour
    haze_share: float
    disc: Colour
    cloud: Colour
    cloud_shade: Colour


@dataclass
class Canvas:
    """What the drawing code paints on; every layer is CANVAS x CANVAS.

    `colour` (x 3, bytes, RGB) is the lit picture, `flat` the same things in flat daylight colours
    on white paper, `lines` (bytes) their outlines in black on white. `sun` is where the light comes
    from in canvas pixels, or None under a closed sky.
    """

    rng: np.random.Generator
    light: Light
    sun: Point | None = None
    far: float = 0.0
    shining: bool = False
    colour: np.ndarray = field(init=False)
    flat: np.ndarray = field(init=False)
    lines: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.colour = np.full((CANVAS, CANVAS, 3), 255, np.uint8)
        self.flat = np.full((CANVAS, CANVAS, 3), 255, np.uint8)
        self.lines = np.full((CANVAS, CANVAS), 255, np.uint8)

    @contextmanager
    def at(self, far: float) -> Iterator[None]:
        """Paint at a distance: 0 is near, 1 is lost in the haze."""
        before, self.far = self.far, far
        yield
        self.far = before

    @contextmanager
    def own_light(self) -> Iterator[None]:
        """Paint what shines by itself (sun, clouds, lamps): no tint, no haze, no shade."""
        before, self.shining = self.shining, True
        yield
        self.shining = before

    def lit(self, colour: Colour) -> Colour:
        """The colour in this scene's light, at the present distance."""
        if self.shining:
            return colour
        tint, haze = self.light.tint, self.light.haze_share
        red, green, blue = (int(min(255, part * by)) for part, by in zip(colour, tint, strict=True))
        veil = haze * (0.35 + 0.65 * min(1.0, 3 * self.far)) + (1 - haze) * 0.8 * self.far
        return mix((red, green, blue), self.light.haze, min(1.0, veil))

    def _facing(self, columns: np.ndarray) -> np.ndarray:
        """From -1 (away from the light) to 1 (towards it) across the columns of one thing."""
        middle = (columns[0] + columns[-1]) / 2
        half = max(1.0, (columns[-1] - columns[0]) / 2)
        toward = -0.5 if self.sun is None else np.clip((self.sun[0] - middle) / 120, -1, 1)
        return (columns - middle) / half * toward

    def shape(
        self,
        points: Sequence[Point],
        colour: Colour,
        *,
        bottom: Colour | None = None,
        round_light: float = 0.0,
        outline: int = 3,
        flat: Colour | None = None,
    ) -> None:
        """Fill a polygon (canvas pixels) in all layers.

        `bottom` is the colour at its lowest point, `round_light` how much lighter the side towards
        the sun is, `outline` the width of the pen (0 leaves it out), `flat` its colour on paper.
        """
        corners = np.asarray(points, dtype=np.float64)
        fixed = np.round(corners * (1 << _FIXED)).astype(np.int32)[:, None]
        left, top = np.floor(corners.min(0)).astype(int) - 1
        right, low = np.ceil(corners.max(0)).astype(int) + 2
        paper = colour if flat is None else flat
        cv2.fillPoly(self.flat, [fixed], paper, cv2.LINE_AA, _FIXED)
        cv2.fillPoly(self.lines, [fixed], 255, cv2.LINE_AA, _FIXED)
        if outline:
            cv2.polylines(self.lines, [fixed], True, 0, outline, cv2.LINE_AA, _FIXED)
        if bottom is None and not round_light:
            cv2.fillPoly(self.colour, [fixed], self.lit(colour), cv2.LINE_AA, _FIXED)
            return
        x0, y0, x1, y1 = max(0, left), max(0, top), min(CANVAS, right), min(CANVAS, low)
        if x0 >= x1 or y0 >= y1:
            return
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        moved = fixed - np.array([x0, y0]) * (1 << _FIXED)
        cv2.fillPoly(mask, [moved.astype(np.int32)], 255, cv2.LINE_AA, _FIXED)
        down = np.clip((np.arange(y0, y1) - top) / max(1, min(low, CANVAS) - top), 0, 1)
        first, last = np.asarray(self.lit(colour)), np.asarray(self.lit(bottom or colour))
        fill = (first + (last - first) * down[:, None])[:, None, :].astype(np.float32)
        if round_light and not self.shining:
            side = self._facing(np.arange(x0, x1).astype(np.float32))
            warm = np.asarray(self.light.glow, np.float32)
            towards = (np.clip(side, 0, 1) * round_light * self.light.glow_share)[None, :, None]
            away = (np.clip(-side, 0, 1) * round_light * self.light.shadow)[None, :, None]
            fill = (fill * (1 - towards) + warm * towards) * (1 - away)
        cover = (mask.astype(np.float32) / 255)[..., None]
        part = self.colour[y0:y1, x0:x1]
        part[:] = np.clip(part * (1 - cover) + fill * cover, 0, 255).astype(np.uint8)

    def ellipse(self, middle: Point, radii: Point, colour: Colour, **how: object) -> None:
        """Fill an ellipse in all layers; `how` as in `shape`."""
        self.shape(oval(middle, radii), colour, **how)  # pyright: ignore[reportArgumentType]

    def stroke(
        self, points: Sequence[Point], colour: Colour, width: float, *, outline: bool = True
    ) -> None:
        """Draw a line of `width` canvas pixels in all layers, or in all but the outlines."""
        fixed = np.round(np.asarray(points) * (1 << _FIXED)).astype(np.int32)[:, None]
        thick = max(1, round(width))
        cv2.polylines(self.colour, [fixed], False, self.lit(colour), thick, cv2.LINE_AA, _FIXED)
        cv2.polylines(self.flat, [fixed], False, colour, thick, cv2.LINE_AA, _FIXED)
        if outline:
            cv2.polylines(self.lines, [fixed], False, 0, min(thick, 3), cv2.LINE_AA, _FIXED)

    def wash(self, points: Sequence[Point], colour: Colour, share: float) -> None:
        """Lay a transparent colour (as it is, unlit) over a polygon of the colour layer only."""
        corners = np.asarray(points, dtype=np.float64)
        x0, y0 = np.clip(np.floor(corners.min(0)).astype(int) - 1, 0, CANVAS)
        x1, y1 = np.clip(np.ceil(corners.max(0)).astype(int) + 2, 0, CANVAS)
        if x0 >= x1 or y0 >= y1:
            return
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        fixed = np.round((corners - (x0, y0)) * (1 << _FIXED)).astype(np.int32)[:, None]
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _FIXED)
        cover = (mask * np.float32(share / 255))[..., None]
        part = self.colour[y0:y1, x0:x1]
        part[:] = (part * (1 - cover) + np.asarray(colour, np.float32) * cover).astype(np.uint8)

    def blend(self, colour: Colour, share: np.ndarray) -> None:
        """Cover the colour layer with a colour, by a CANVAS x CANVAS share in 0..1."""
        cover = np.clip(share, 0, 1).astype(np.float32)[..., None]
        self.colour[:] = self.colour * (1 - cover) + np.asarray(colour, np.float32) * cover

    def glow(self, middle: Point, radius: float, colour: Colour, strength: float) -> None:
        """Light around a point, on the colour layer only."""
        rows, columns = np.ogrid[0:CANVAS, 0:CANVAS]
        across = (columns - np.float32(middle[0])) ** 2 / np.float32(radius**2)
        down = (rows - np.float32(middle[1])) ** 2 / np.float32(radius**2)
        self.blend(colour, strength * np.exp(-((across + down) ** np.float32(0.65))))

    def shadow(self, x: float, foot: float, half: float) -> None:
        """The soft shadow of something `half` wide with its foot at (x, foot), away from the sun.

        On the colour layer only. A low sun throws a long one, no sun a faint one underneath.
        """
        lean, reach, depth = 0.0, 1.1, 0.25 * self.light.shadow
        if self.sun is not None:
            height = max(0.1, (foot - self.sun[1]) / CANVAS)
            reach = 1.0 + min(1.3, 0.35 / height)
            lean = -np.sign(self.sun[0] - x) * half * min(1.6, 0.4 / height)
            depth = 0.55 * self.light.shadow
        if half < 2:
            return
        middle, radii = (x + lean, foot + half * 0.05), (half * reach, max(3.0, half * 0.2))
        x0, x1 = (
            int(max(0, middle[0] - 1.5 * radii[0])),
            int(min(CANVAS, middle[0] + 1.5 * radii[0])),
        )
        y0, y1 = (
            int(max(0, middle[1] - 1.5 * radii[1])),
            int(min(CANVAS, middle[1] + 1.5 * radii[1])),
        )
        if x0 >= x1 or y0 >= y1:
            return
        rows, columns = np.ogrid[y0:y1, x0:x1]
        away = np.hypot((columns - middle[0]) / radii[0], (rows - middle[1]) / radii[1])
        dark = (depth * np.clip(1.5 - away, 0, 1)[..., None]).astype(np.float32)
        part = self.colour[y0:y1, x0:x1]
        part[:] = (part * (1 - dark) + np.array([20, 24, 48], np.float32) * dark * 0.6).astype(
            np.uint8
        )
