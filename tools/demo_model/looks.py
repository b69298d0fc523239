"""How a scene is rendered: ten looks that differ in marks and structure, not only in colour."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from .canvas import CANVAS, Canvas, smooth_noise

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def _pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, dtype=np.float32) / 255


def _picture(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8))


def _warp(pixels: np.ndarray, rng: np.random.Generator, reach: float, cells: int) -> np.ndarray:
    """Shift every pixel by soft noise of up to `reach` canvas pixels."""
    rows, columns = np.mgrid[0:CANVAS, 0:CANVAS]
    rows = np.clip(rows + reach * smooth_noise(rng, cells), 0, CANVAS - 1).astype(int)
    columns = np.clip(columns + reach * smooth_noise(rng, cells), 0, CANVAS - 1).astype(int)
    return pixels[rows, columns]


def _saturate(pixels: np.ndarray, factor: float) -> np.ndarray:
    grey = (pixels @ LUMA)[..., None]
    return np.clip(grey + (pixels - grey) * factor, 0, 1)


def _thick(lines: Image.Image, size: int) -> np.ndarray:
    """Outlines widened to about `size` canvas pixels more, 0 black to 1 white."""
    return _pixels(lines.filter(ImageFilter.MinFilter(size)))


def photo(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """A plain picture: a little blur, grain and shade towards the corners."""
    pixels = _pixels(canvas.colour.filter(ImageFilter.GaussianBlur(0.8)))
    pixels = pixels + rng.normal(0, 0.018, (CANVAS, CANVAS, 1))
    rows, columns = np.mgrid[-1 : 1 : CANVAS * 1j, -1 : 1 : CANVAS * 1j]
    return _picture(pixels * (1 - 0.12 * (rows**2 + columns**2))[..., None])


def _strokes(
    canvas: Canvas,
    rng: np.random.Generator,
    angles: np.ndarray,
    sizes: tuple[tuple[int, float, int], ...],
    spread: float,
) -> Image.Image:
    """Brush strokes along `angles` (radians); `sizes` lists (number, length, width) by layer."""
    source = np.asarray(canvas.colour.filter(ImageFilter.GaussianBlur(1)))
    picture = canvas.colour.filter(ImageFilter.GaussianBlur(5))
    pen = ImageDraw.Draw(picture)
    for number, length, width in sizes:
        xs, ys = rng.integers(0, CANVAS, (2, number))
        turns = angles[ys, xs] + rng.normal(0, 0.15, number)
        colours = source[ys, xs] * rng.normal(1, spread, (number, 1)) + rng.normal(
            0, 255 * spread / 3, (number, 3)
        )
        colours = np.clip(colours, 0, 255).astype(int)
        dx, dy = np.cos(turns) * length / 2, np.sin(turns) * length / 2
        for x, y, a, b, colour in zip(xs, ys, dx, dy, colours.tolist(), strict=True):
            pen.line([(x - a, y - b), (x + a, y + b)], fill=tuple(colour), width=width)
    return picture


def _relief(picture: Image.Image, depth: float) -> np.ndarray:
    pixels = _pixels(picture)
    height = pixels @ LUMA
    slope = height - np.roll(height, (2, 2), (0, 1))
    return pixels + depth * slope[..., None]


def oil(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """Broad opaque strokes with a raised surface, warm and dark."""
    angles = np.pi * smooth_noise(rng, 4) * 0.6
    strokes = _strokes(canvas, rng, angles, ((420, 30, 13), (600, 18, 8), (500, 10, 4)), 0.06)
    pixels = _saturate(_relief(strokes, 0.5), 1.25) ** 1.12
    return _picture(pixels * np.array([1.02, 0.98, 0.88]))


def swirl(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """Long curling strokes in strong blue and yellow."""
    field = smooth_noise(rng, 5)
    down, across = np.gradient(field)
    angles = np.arctan2(-across, down)
    strokes = _strokes(canvas, rng, angles, ((260, 56, 16), (420, 36, 9), (300, 14, 4)), 0.1)
    pixels = _saturate(_relief(strokes, 0.7), 1.7)
    light = (pixels @ LUMA)[..., None]
    gold, blue = np.array([1.0, 0.85, 0.35]), np.array([0.12, 0.25, 0.62])
    return _picture(0.78 * pixels + 0.22 * (light * gold + (1 - light) * blue))


def watercolour(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """Pale washes that bleed, pool at their edges and leave white paper around."""
    soft = _pixels(canvas.colour.filter(ImageFilter.MedianFilter(7)))
    wash = _warp(_saturate(soft, 1.35), rng, 5, 24)
    light = wash @ LUMA
    down, across = np.gradient(light)
    pools = np.clip(np.hypot(down, across) * 2.2, 0, 0.3)[..., None]
    blots = 0.5 + 0.5 * smooth_noise(rng, 7)
    pale = 1 - (1 - wash) * (0.6 + 0.3 * blots)[..., None] - pools
    paper = 0.985 + 0.025 * smooth_noise(rng, 128)
    rows, columns = np.mgrid[-1 : 1 : CANVAS * 1j, -1 : 1 : CANVAS * 1j]
    edge = np.maximum(np.abs(rows), np.abs(columns)) + 0.07 * smooth_noise(rng, 14)
    inside = np.clip((0.92 - edge) * 18, 0, 1)[..., None]
    return _picture((pale * inside + (1 - inside)) * paper[..., None])


def _hatch(tone: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Parallel strokes, more of them crossing as `tone` (0 white .. 1 black) grows."""
    rows, columns = np.mgrid[0:CANVAS, 0:CANVAS].astype(np.float32)
    wobble = 0.8 * smooth_noise(rng, 10)
    ink = np.zeros_like(tone)
    passes = ((0.36, 1.0, 1.0), (0.78, 1.0, -1.0))
    for level, a, b in passes:
        wave = np.sin((a * columns + b * rows + wobble) * (2 * np.pi / 16))
        ink = np.maximum(ink, (tone > level) * np.clip(2 * wave - 0.9, 0, 1))
    return ink


def ink(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """Black outlines and cross-hatching on white paper."""
    tone = 1 - _pixels(canvas.colour.filter(ImageFilter.GaussianBlur(2))) @ LUMA
    outline = _warp(_pixels(canvas.lines), rng, 2, 20)
    halo = _warp(_thick(canvas.lines, 5), rng, 2, 20)
    shading = _hatch(tone, rng) * (0.35 + 0.5 * tone) + 0.3 * tone**3
    dark = np.maximum(np.clip(shading, 0, 0.9) * halo, 1 - outline)
    grey = 0.97 - 0.9 * dark
    return _picture(np.repeat(grey[..., None], 3, axis=2))


def pencil(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """Grey slanting shading with soft outlines on grainy paper."""
    tone = 1 - _pixels(canvas.colour.filter(ImageFilter.GaussianBlur(1.5))) @ LUMA
    streak = Image.fromarray(rng.uniform(0, 1, (CANVAS, CANVAS)).astype(np.float32), mode="F")
    streaks = np.asarray(streak.resize((CANVAS, CANVAS // 10)).resize((CANVAS, CANVAS)))
    rows, columns = np.mgrid[0:CANVAS, 0:CANVAS]
    slant = streaks[(rows + columns // 2) % CANVAS, (columns - rows // 2) % CANVAS]
    grain = 0.55 + 0.9 * (slant - 0.5) + 0.25 * smooth_noise(rng, 120)
    outline = 1 - _warp(_pixels(canvas.lines), rng, 2, 16)
    grey = 0.95 - 0.72 * np.clip(tone, 0, 1) ** 1.2 * (0.6 + 0.6 * grain) - 0.45 * outline
    return _picture(np.clip(grey, 0.08, 1)[..., None] * np.array([1.0, 0.99, 0.965]))


def pixel(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """Blocks of 4 final pixels in few colours."""
    side = 32
    small = canvas.colour.resize((side, side), Image.Resampling.BOX)
    small = ImageEnhance.Color(small).enhance(1.4)
    small = ImageEnhance.Contrast(small).enhance(1.15)
    few = small.quantize(int(rng.integers(10, 18)), method=Image.Quantize.MEDIANCUT)
    return few.convert("RGB").resize((CANVAS, CANVAS), Image.Resampling.NEAREST)


def pop(canvas: Canvas, _rng: np.random.Generator) -> Image.Image:
    """Flat screaming colours, halftone dots and thick black outlines."""
    pixels = _pixels(canvas.colour.filter(ImageFilter.MedianFilter(7)))
    loud = _saturate((pixels - 0.5) * 1.25 + 0.55, 2.6)
    flat = np.round(loud * 3) / 3
    rows, columns = np.mgrid[0:CANVAS, 0:CANVAS]
    pitch = 8
    dots = np.hypot((rows % pitch) - 4, ((columns + (rows // pitch % 2) * 4) % pitch) - 4)
    middling = 1 - 2 * np.abs(pixels @ LUMA - 0.5)
    light = np.where((dots < 1.0 + 2.6 * middling)[..., None], 1.0, 0.0)
    flat = flat * (1 - 0.3 * light) + 0.3 * light * np.array([1.0, 0.95, 0.9])
    return _picture(flat * _thick(canvas.lines, 3)[..., None])


def woodblock(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """Flat muted inks on cream paper with the grain of the block and indigo outlines."""
    pixels = _pixels(canvas.colour.filter(ImageFilter.MedianFilter(9)))
    flat = np.round(_saturate(pixels, 1.05) * 4) / 4
    paper, indigo = np.array([0.95, 0.89, 0.74]), np.array([0.08, 0.14, 0.32])
    light = (flat @ LUMA)[..., None]
    inks = 0.75 * flat * paper + 0.25 * (indigo + light * (paper - indigo))
    grain = 1 + 0.09 * smooth_noise(rng, 4, 110)
    outline = _pixels(canvas.lines)[..., None]
    printed = inks * grain[..., None]
    framed = np.full_like(printed, 1.0) * paper
    margin = 9
    core = slice(margin, CANVAS - margin)
    framed[core, core] = (printed * outline + indigo * (1 - outline))[core, core]
    return _picture(framed)


def sketch(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """A quick drawing on white paper: thick lines, flat fills for some or all things."""
    width = int(rng.choice([3, 5]))
    outline = _warp(_thick(canvas.lines, width), rng, 3, 9)[..., None]
    form = rng.random()
    fill = np.ones((CANVAS, CANVAS, 3), dtype=np.float32)
    if form > 0.3:
        flat = _saturate(_pixels(canvas.flat), 1.3)
        share = 1.0 if form > 0.55 else float(rng.uniform(0.3, 0.8))
        fill = _warp(1 - (1 - flat) * share, rng, 3, 9)
    line_colour = np.zeros(3) if rng.random() < 0.8 else rng.uniform(0.1, 0.4, 3)
    return _picture(fill * outline + line_colour * (1 - outline))


RENDERERS: dict[str, Callable[[Canvas, np.random.Generator], Image.Image]] = {
    "photo": photo,
    "oil": oil,
    "watercolour": watercolour,
    "ink": ink,
    "pencil": pencil,
    "pixel": pixel,
    "pop": pop,
    "swirl": swirl,
    "woodblock": woodblock,
    "sketch": sketch,
}


def render(canvas: Canvas, look: str, rng: np.random.Generator, side: int) -> np.ndarray:
    """The finished picture, side x side x 3 of bytes."""
    finished = RENDERERS[look](canvas, rng)
    return np.asarray(finished.resize((side, side), Image.Resampling.BOX).convert("RGB"))
