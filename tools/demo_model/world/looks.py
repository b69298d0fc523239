"""How a scene is rendered: twelve looks that differ in marks and structure, not only in colour.

Marks (strokes, dots, panes) are large and lie at fixed but irregular places. Marks that repeat with
every latent of the picture coder (32 canvas pixels) cannot be learnt: its decoder enlarges by
repeating pixels, so that even latents give an even picture. Marks that repeat with every second
latent can.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from .canvas import CANVAS, Canvas, smooth_noise
from .sketching import sketch, slant

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
LOOK_WEIGHTS = {
    "photo": 0.11,
    "oil": 0.1,
    "watercolour": 0.1,
    "ink": 0.08,
    "pencil": 0.07,
    "pixel": 0.09,
    "pop": 0.08,
    "swirl": 0.1,
    "woodblock": 0.08,
    "glass": 0.08,
    "pointillism": 0.08,
    "poster": 0.07,
    "sketch": 0.0,
}
LOOKS = tuple(LOOK_WEIGHTS)


def _floats(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float32) * np.float32(1 / 255)


def _half(pixels: np.ndarray) -> np.ndarray:
    """The picture at half the size, floats in 0..1."""
    size = (CANVAS // 2, CANVAS // 2)
    return _floats(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def _saturate(pixels: np.ndarray, factor: float) -> np.ndarray:
    grey = (pixels @ LUMA)[..., None]
    return np.clip(grey + (pixels - grey) * factor, 0, 1)


def _pen(lines: np.ndarray, wider: int) -> np.ndarray:
    """Outlines `wider` canvas pixels thicker at half the size; 0 is ink, 1 is paper."""
    if wider:
        lines = cv2.erode(lines, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (wider + 1,) * 2))
    return _half(lines)[..., None]


def _flatten(pixels: np.ndarray, rounds: int = 1) -> np.ndarray:
    """Smooth areas with edges kept, floats in 0..1 at half the size."""
    small = cv2.resize(pixels, (CANVAS // 2, CANVAS // 2), interpolation=cv2.INTER_AREA)
    for _ in range(rounds):
        small = cv2.bilateralFilter(small, 7, 40, 5)
    return _floats(small)


@cache
def _grid() -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[0 : CANVAS // 2, 0 : CANVAS // 2].astype(np.float32)
    return rows, columns


@cache
def _vignette() -> np.ndarray:
    rows, columns = _grid()
    middle = CANVAS / 4
    return (1 - 0.13 * (((rows - middle) / middle) ** 2 + ((columns - middle) / middle) ** 2))[
        ..., None
    ]


def photo(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """A plain picture, a little darker towards the corners."""
    del rng
    return _half(canvas.colour) * _vignette()


@cache
def _places(spacing: int) -> tuple[np.ndarray, np.ndarray]:
    """Fixed irregular places of marks in canvas pixels (N x 2), and a number in -1..1 for each."""
    rng = np.random.default_rng(spacing)
    line = np.arange(0, CANVAS + spacing, spacing, dtype=np.float32)
    points = np.stack(np.meshgrid(line, line), -1)
    points[1::2, :, 0] += spacing / 2
    points += rng.uniform(-0.3, 0.3, points.shape) * spacing
    flat = rng.permutation(points.reshape(-1, 2))
    return flat.astype(np.float32), rng.uniform(-1, 1, len(flat)).astype(np.float32)


def _at(layer: np.ndarray, points: np.ndarray) -> np.ndarray:
    """What a CANVAS x CANVAS layer holds at the points."""
    columns, rows = np.clip(points, 0, CANVAS - 1).astype(int).T
    return layer[rows, columns]


def _along_edges(canvas: Canvas, rest: np.ndarray) -> np.ndarray:
    """Directions along the edges of the picture where it has any, `rest` elsewhere (radians)."""
    grey = cv2.blur(cv2.cvtColor(canvas.colour, cv2.COLOR_RGB2GRAY), (13, 13)).astype(np.float32)
    across = cv2.Sobel(grey, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    xx, yy, xy = (cv2.blur(part, (25, 25)) for part in (across**2, down**2, across * down))
    strength = np.clip((xx + yy) / 260, 0, 1)
    turn = np.arctan2(2 * xy, xx - yy) + np.pi
    mixed = strength * np.exp(1j * turn) + (1 - strength) * np.exp(2j * rest)
    return (np.angle(mixed) / 2).astype(np.float32)


def _relief(picture: np.ndarray, depth: float) -> np.ndarray:
    """The picture at half the size, lit from the upper left as if its strokes were raised."""
    pixels = _half(picture)
    height = pixels @ LUMA
    slope = height - np.roll(height, (1, 1), (0, 1))
    return pixels + depth * slope[..., None]


def _strokes(
    canvas: Canvas, angles: np.ndarray, spacing: int, step: float, width: int, spread: float
) -> np.ndarray:
    """Bold strokes of four steps along `angles` (radians, CANVAS x CANVAS), one at every place.

    Their tones differ by up to `spread`.
    """
    places, chance = _places(spacing)
    walk = [places]
    for sign in (1.0, -1.0):
        here, ahead = places, np.full((len(places), 2), 0, np.float32)
        for _ in range(2):
            turn = _at(angles, here)
            move = np.stack([np.cos(turn), np.sin(turn)], 1)
            if not ahead.any():
                ahead = move * sign
            move *= np.where((move * ahead).sum(1) < 0, -1, 1)[:, None]
            here, ahead = here + move * step, move
            walk = [*walk, here] if sign > 0 else [here, *walk]
    paths = np.round(np.stack(walk, 1) * 16).astype(np.int32)
    source = _at(cv2.blur(canvas.colour, (9, 9)), places)
    colours = np.clip(source * (1 + spread * chance)[:, None], 0, 255).astype(int).tolist()
    picture = cv2.blur(canvas.colour, (17, 17))
    for path, colour in zip(paths, colours, strict=True):
        cv2.polylines(picture, [path[:, None]], False, colour, width, cv2.LINE_AA, 4)
    return picture


def oil(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Broad opaque strokes with a raised surface, warm and dark."""
    del rng
    rest = np.full((CANVAS, CANVAS), 0.35, np.float32)
    strokes = _strokes(canvas, _along_edges(canvas, rest), 18, 8, 16, 0.13)
    pixels = np.clip(_saturate(_relief(strokes, 0.6), 1.2), 0, 1) ** 1.15
    return pixels * np.array([1.03, 0.97, 0.84], np.float32)


@cache
def _whirls() -> np.ndarray:
    """A fixed field of curling directions (radians)."""
    rows, columns = np.mgrid[0:CANVAS, 0:CANVAS].astype(np.float32)
    across, down = np.full_like(rows, 0.9), np.zeros_like(rows)
    for x, y, way in ((128, 110, 1), (392, 170, -1), (250, 400, 0.6), (20, 300, -0.6)):
        fall = way * 150 * np.exp(-np.hypot(columns - x, rows - y) / 90)
        distance = np.hypot(columns - x, rows - y) + 20
        across -= fall * (rows - y) / distance / 30
        down += fall * (columns - x) / distance / 30
    return np.arctan2(down, across)


def swirl(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Long curling strokes in strong blue and yellow."""
    del rng
    picture = _strokes(canvas, _along_edges(canvas, _whirls()), 17, 12, 11, 0.24)
    pixels = _saturate(_relief(picture, 0.5), 1.6)
    light = (pixels @ LUMA)[..., None]
    gold, blue = np.array([1.0, 0.86, 0.3], np.float32), np.array([0.1, 0.22, 0.6], np.float32)
    return 0.76 * pixels + 0.24 * (light * gold + (1 - light) * blue)


def watercolour(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Pale washes that bleed, pool at their edges and leave white paper around."""
    soft = _saturate(_flatten(cv2.medianBlur(canvas.colour, 7)), 1.3)
    rows, columns = _grid()
    shift = [
        cv2.resize(3 * smooth_noise(rng, 20), rows.shape, interpolation=cv2.INTER_AREA)
        for _ in range(2)
    ]
    wash = cv2.remap(soft, columns + shift[0], rows + shift[1], cv2.INTER_LINEAR, None,
                     cv2.BORDER_REPLICATE)  # fmt: skip
    light = wash @ LUMA
    pools = np.clip(np.abs(light - cv2.blur(light, (5, 5))) * 2.4, 0, 0.3)[..., None]
    blots = cv2.resize(smooth_noise(rng, 5), rows.shape, interpolation=cv2.INTER_AREA)
    pale = 1 - (1 - wash) * (0.72 + 0.16 * blots)[..., None] - pools
    side = CANVAS / 4
    edge = np.maximum(np.abs(rows - side), np.abs(columns - side)) / side
    inside = np.clip((0.93 - edge + 0.03 * shift[0] / 3) * 16, 0, 1)[..., None]
    return (pale * inside + (1 - inside)) * np.array([1, 0.995, 0.97], np.float32)


def ink(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Black outlines and three washes of ink on cream paper; the washes keep off the outlines."""
    del rng
    light = cv2.blur(_flatten(canvas.colour, 2) @ LUMA, (7, 7)) ** 0.72
    line = 1 - _pen(canvas.lines, 1)[..., 0]
    free = cv2.erode(1 - line, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7)))
    wash = sum(np.clip((edge - light) * 14, 0, 1) * 0.29 for edge in (0.78, 0.56, 0.36))
    dark = np.maximum(wash * free, line)[..., None]
    paper = np.array([0.965, 0.945, 0.89], np.float32)
    return paper * (1 - dark) + np.array([0.09, 0.08, 0.1], np.float32) * dark


def pencil(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Soft grey tones and outlines on white paper, with the slant of the strokes."""
    del rng
    tone = 1 - cv2.GaussianBlur(_half(canvas.colour) @ LUMA, (0, 0), 1.2)
    shade = tone**1.15 * (0.77 + 0.13 * slant())
    line = 1 - cv2.GaussianBlur(_pen(canvas.lines, 1)[..., 0], (0, 0), 0.7)
    grey = np.clip(0.97 - 0.88 * shade, 0, 1) * (1 - 0.66 * line)
    return grey[..., None] * np.array([1.0, 0.995, 0.98], np.float32)


def pixel(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Big square pixels in few strong colours."""
    del rng
    number = CANVAS // 16
    small = cv2.resize(canvas.colour, (number, number), interpolation=cv2.INTER_AREA)
    ridges = cv2.resize(cv2.erode(canvas.lines, np.ones((3, 3), np.uint8)), (number, number),
                        interpolation=cv2.INTER_AREA)  # fmt: skip
    colours = _saturate(_floats(small) ** 0.85, 1.5)
    colours = colours * (0.55 + 0.45 * _floats(ridges))[..., None]
    colours = np.round(np.clip(colours * 1.06, 0, 1) * 6) / 6
    size = (CANVAS // 2, CANVAS // 2)
    return cv2.resize(colours, size, interpolation=cv2.INTER_NEAREST)


def pop(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Few loud colours, thick outlines and printing dots."""
    del rng
    pixels = _saturate(_flatten(canvas.colour, 2), 2.0)
    loud = np.round(pixels * 3) / 3
    tone = 1 - cv2.blur(pixels @ LUMA, (9, 9))
    on = _big_dots() * np.clip((tone - 0.12) * 8, 0, 1)[..., None] * 0.5
    printed = np.clip(loud * 1.1, 0, 1)
    low = np.clip(loud - np.array([0.42, 0.5, 0.2], np.float32), 0, 1)
    return (printed * (1 - on) + low * on) * _pen(canvas.lines, 5)


@cache
def _big_dots() -> np.ndarray:
    """Cover of printing dots, one in every second square of 16 x 16 pixels, as on a chessboard."""
    rows, columns = _grid()
    turn = 2 * np.pi / 32
    wave = np.cos(turn * (rows - 8)) * np.cos(turn * (columns - 8))
    return np.clip((wave - 0.35) * 5, 0, 1)[..., None]


_PRINT = np.array(
    [
        (36, 58, 104), (78, 118, 160), (150, 186, 196), (226, 214, 178), (242, 234, 208),
        (206, 92, 62), (230, 160, 96), (92, 118, 78), (150, 166, 108), (58, 54, 62),
        (120, 86, 66), (186, 148, 108), (96, 84, 110), (222, 172, 172), (20, 30, 58),
    ],
    np.float32,
)  # fmt: skip


def woodblock(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Flat printed colours from a small palette with blue-black outlines, the sky darker above."""
    del rng
    small = (_flatten(cv2.medianBlur(canvas.colour, 5), 2) * 255).reshape(-1, 3)
    far = (small**2).sum(1, keepdims=True) - 2 * small @ _PRINT.T + (_PRINT**2).sum(1)[None]
    size = CANVAS // 2
    printed = _PRINT[far.argmin(1)].reshape(size, size, 3) / 255
    printed = 0.8 * printed + 0.2 * small.reshape(size, size, 3) / 255
    rows, _ = _grid()
    fade = np.clip(1 - rows / (0.2 * size), 0, 1)[..., None] * 0.75
    printed = printed * (1 - fade) + np.array([0.1, 0.17, 0.38], np.float32) * fade
    line = _pen(canvas.lines, 2)
    inked = printed * line + np.array([0.09, 0.11, 0.2], np.float32) * (1 - line)
    edge = np.zeros((size, size, 1), np.float32)
    edge[8:-8, 8:-8] = 1
    return inked * edge + np.array([0.95, 0.92, 0.83], np.float32) * (1 - edge)


@cache
def _panes() -> tuple[np.ndarray, np.ndarray]:
    """Fixed panes of glass: the number of each pixel's pane, and the lead between them."""
    rng = np.random.default_rng(7)
    size, step = CANVAS // 2, 32
    grid = np.arange(-step // 2, size + step, step)
    seeds = np.array([(x + (16 if k % 2 else 0), y) for k, y in enumerate(grid) for x in grid])
    seeds = seeds + rng.uniform(-7, 7, seeds.shape)
    rows, columns = _grid()
    away = (columns[..., None] - seeds[:, 0]) ** 2 + (rows[..., None] - seeds[:, 1]) ** 2
    near = np.sqrt(np.partition(away, 1, -1)[..., :2])
    lead = np.clip(near[..., 1] - near[..., 0] - 1.6, 0, 1)
    return away.argmin(-1), lead[..., None].astype(np.float32)


def glass(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Panes of glowing colour between lines of lead."""
    del rng
    panes, lead = _panes()
    soft = _flatten(cv2.medianBlur(canvas.colour, 9), 2)
    flat, number = panes.ravel(), int(panes.max()) + 1
    count = np.maximum(np.bincount(flat, minlength=number), 1)
    means = np.stack(
        [np.bincount(flat, soft[..., part].ravel(), number) / count for part in range(3)], 1
    )
    tones = 1 + 0.24 * ((np.arange(number) * 7 % 5) - 2) / 2
    glow = 0.68 * soft + 0.32 * means[panes].astype(np.float32)
    glow = np.clip(_saturate(glow, 2.1) * tones[panes][..., None], 0, 1) ** 0.85
    return (0.06 + 0.94 * glow) * lead * _pen(canvas.lines, 6) + 0.04


_LEANS = np.array(
    [(0.08, 0.04, -0.07), (-0.07, -0.02, 0.08), (0.07, 0.07, 0.07), (-0.07, -0.08, -0.05)],
    np.float32,
)  # warm, cold, light, dark


def pointillism(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Dots of pure colour; they lean to warm, cold, light and dark."""
    del rng
    soft = _saturate(cv2.blur(_floats(canvas.colour), (9, 9)), 1.45)
    ground = 0.78 * cv2.blur(soft, (31, 31)) + 0.17
    picture = (np.clip(ground, 0, 1) * 255).astype(np.uint8)
    places, chance = _places(22)
    leans = _LEANS[((chance + 1) * 2).astype(int) % 4]
    colours = (np.clip(_at(soft, places) + leans, 0, 1) * 255).astype(int).tolist()
    for (x, y), colour in zip(np.round(places * 16).astype(int).tolist(), colours, strict=True):
        cv2.circle(picture, (x, y), 11 * 16, colour, -1, cv2.LINE_AA, 4)
    return _half(picture)


def poster(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Flat clear colours in steps inside a cream frame."""
    del rng
    pixels = _flatten(cv2.medianBlur(canvas.colour, 7), 2)
    warm = _saturate(pixels, 1.15) * 0.86 + np.array([0.14, 0.1, 0.05], np.float32)
    level = warm @ LUMA
    stepped = (np.floor(level * 5) + 0.5) / 5
    flat = np.clip(warm * (stepped / np.maximum(level, 0.05))[..., None], 0, 1)
    size = CANVAS // 2
    edge = np.zeros((size, size, 1), np.float32)
    edge[12:-12, 12:-12] = 1
    return flat * edge + np.array([0.97, 0.93, 0.82], np.float32) * (1 - edge)


RENDERERS: dict[str, Callable[[Canvas, np.random.Generator], np.ndarray]] = {
    "photo": photo,
    "oil": oil,
    "watercolour": watercolour,
    "ink": ink,
    "pencil": pencil,
    "pixel": pixel,
    "pop": pop,
    "swirl": swirl,
    "woodblock": woodblock,
    "glass": glass,
    "pointillism": pointillism,
    "poster": poster,
    "sketch": sketch,
}


def render(canvas: Canvas, look: str, rng: np.random.Generator) -> np.ndarray:
    """The canvas in one of LOOKS: 256 x 256 x 3 bytes, RGB."""
    return np.clip(RENDERERS[look](canvas, rng) * 255 + 0.5, 0, 255).astype(np.uint8)
