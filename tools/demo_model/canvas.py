"""Three pictures painted at once: full colour, flat colour with white land, and outlines."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

CANVAS = 256
Colour = tuple[int, int, int]
Point = tuple[float, float]
WHITE: Colour = (255, 255, 255)


def smooth_noise(rng: np.random.Generator, cells: int, cells_y: int | None = None) -> np.ndarray:
    """Soft noise, CANVAS x CANVAS in about -1..1, with so many blobs across (and down)."""
    coarse = rng.uniform(-1, 1, (cells_y or cells, cells)).astype(np.float32)
    picture = Image.fromarray(coarse, mode="F").resize((CANVAS, CANVAS), Image.Resampling.BICUBIC)
    return np.asarray(picture)


def ridge(rng: np.random.Generator, rough: float, cells: int) -> np.ndarray:
    """Heights of a skyline, CANVAS values in about -1..1, rougher as `rough` grows to 1."""
    line = np.zeros(CANVAS)
    grid = np.linspace(0, 1, CANVAS)
    weight, total = 1.0, 0.0
    while cells < CANVAS:
        line += weight * np.interp(
            grid, np.linspace(0, 1, cells + 1), rng.uniform(-1, 1, cells + 1)
        )
        total += weight
        weight *= rough
        cells *= 2
        if weight < 0.03:
            break
    return line / total


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (below 1) or lighter (above 1)."""
    red, green, blue = (int(min(255, max(0, part * factor))) for part in colour)
    return red, green, blue


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour `share` of the way from the first to the second."""
    red, green, blue = (int(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


@dataclass
class Canvas:
    """What the drawing code paints on; every layer is CANVAS x CANVAS.

    `colour` is the lit picture, `flat` the same things in flat daylight colours on white paper,
    `lines` their outlines in black on white.
    """

    rng: np.random.Generator
    tint: tuple[float, float, float]
    haze: Colour
    haze_share: float
    colour: Image.Image = field(init=False)
    flat: Image.Image = field(init=False)
    lines: Image.Image = field(init=False)

    def __post_init__(self) -> None:
        self.colour = Image.new("RGB", (CANVAS, CANVAS), WHITE)
        self.flat = Image.new("RGB", (CANVAS, CANVAS), WHITE)
        self.lines = Image.new("L", (CANVAS, CANVAS), 255)

    def lit(self, colour: Colour, far: float = 0.0) -> Colour:
        """The colour in this scene's light, veiled by haze as `far` goes from 0 to 1."""
        red, green, blue = (
            int(min(255, part * light)) for part, light in zip(colour, self.tint, strict=True)
        )
        veil = min(1.0, self.haze_share + (1 - self.haze_share) * far * 0.75)
        if self.haze_share < 0.3:
            veil = min(veil, 0.75 * far)
        return mix((red, green, blue), self.haze, veil)

    def gradient(self, top: Colour, bottom: Colour, start: float, stop: float) -> Image.Image:
        """A full canvas running from `top` at height `start` to `bottom` at `stop` (pixels)."""
        rows = np.clip((np.arange(CANVAS) - start) / max(1.0, stop - start), 0, 1)[:, None]
        band = np.asarray(top) * (1 - rows) + np.asarray(bottom) * rows
        column = Image.fromarray(band.astype(np.uint8)[:, None, :])
        return column.resize((CANVAS, CANVAS), Image.Resampling.NEAREST)

    def shape(
        self,
        points: list[Point],
        colour: Colour,
        *,
        far: float = 0.0,
        bottom: Colour | None = None,
        grain: float = 0.0,
        outline: int = 2,
        flat: Colour | None = None,
    ) -> None:
        """Fill a polygon (canvas pixels) in all layers, with a gradient and grain if asked."""
        flat_colour = colour if flat is None else flat
        ImageDraw.Draw(self.flat).polygon(points, fill=flat_colour)
        pen = ImageDraw.Draw(self.lines)
        pen.polygon(points, fill=255)
        if outline:
            pen.line([*points, points[0]], fill=0, width=outline, joint="curve")
        top_colour = self.lit(colour, far)
        if bottom is None and grain == 0:
            ImageDraw.Draw(self.colour).polygon(points, fill=top_colour)
            return
        heights = [y for _, y in points]
        low = self.lit(bottom or colour, far)
        fill = self.gradient(top_colour, low, min(heights), min(CANVAS, max(heights)))
        if grain:
            fill = self._grained(fill, grain)
        mask = Image.new("L", (CANVAS, CANVAS), 0)
        ImageDraw.Draw(mask).polygon(points, fill=255)
        self.colour.paste(fill, (0, 0), mask)

    def _grained(self, fill: Image.Image, grain: float) -> Image.Image:
        pattern = 0.5 * smooth_noise(self.rng, 48, 96) + 0.5 * smooth_noise(self.rng, 8, 24)
        light = 1 + grain * pattern[..., None]
        return Image.fromarray(np.clip(np.asarray(fill) * light, 0, 255).astype(np.uint8))

    def ellipse(
        self, middle: Point, radii: Point, colour: Colour, *, far: float = 0.0, outline: int = 2
    ) -> None:
        """Fill an ellipse in all layers."""
        turns = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        points = [
            (middle[0] + radii[0] * np.cos(turn), middle[1] + radii[1] * np.sin(turn))
            for turn in turns
        ]
        self.shape(points, colour, far=far, outline=outline)

    def stroke(
        self,
        points: list[Point],
        colour: Colour,
        width: int,
        *,
        far: float = 0.0,
        outline: bool = True,
    ) -> None:
        """Draw a line of `width` canvas pixels in all layers, or in all but the outlines."""
        ImageDraw.Draw(self.colour).line(points, fill=self.lit(colour, far), width=width)
        ImageDraw.Draw(self.flat).line(points, fill=colour, width=width)
        if outline:
            ImageDraw.Draw(self.lines).line(points, fill=0, width=min(width, 2))

    def glow(self, middle: Point, radius: float, colour: Colour, strength: float) -> None:
        """Add light around a point to the colour layer only."""
        rows, columns = np.mgrid[0:CANVAS, 0:CANVAS]
        distance = np.hypot(columns - middle[0], rows - middle[1]) / radius
        light = (strength * np.exp(-(distance**1.3)))[..., None]
        lit = np.asarray(self.colour) * (1 - light) + np.asarray(colour) * light
        self.colour = Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))

    def veil(self, colour: Colour, share: np.ndarray) -> None:
        """Cover the colour layer with a colour, by a CANVAS x CANVAS share in 0..1."""
        cover = np.clip(share, 0, 1)[..., None]
        veiled = np.asarray(self.colour) * (1 - cover) + np.asarray(colour) * cover
        self.colour = Image.fromarray(veiled.astype(np.uint8))

    def soften(self, radius: float) -> None:
        """Blur the colour layer."""
        self.colour = self.colour.filter(ImageFilter.GaussianBlur(radius))
