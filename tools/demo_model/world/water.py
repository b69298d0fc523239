"""Water: the open sea, lakes and waterfronts that mirror what stands behind them, rivers."""

from __future__ import annotations

import cv2
import numpy as np

from .canvas import CANVAS, Canvas, Colour, box, jitter, mix, ridge, shade, under
from .scenes import Scene

DEEP: Colour = (24, 92, 156)
SHALLOW: Colour = (70, 154, 200)
ON_PAPER: Colour = (96, 158, 212)


def _mirror(canvas: Canvas, top: int, share: float, ripple: float) -> None:
    """Lay the picture above the row `top`, upside down and rippled, over the water below it."""
    rows, columns = np.mgrid[top:CANVAS, 0:CANVAS].astype(np.float32)
    depth = rows - top
    from_rows = np.clip(top - 2 - depth * 1.15, 0, CANVAS - 1)
    sway = np.sin(rows * (2 * np.pi / 16)) * ripple * (0.3 + depth / (CANVAS - top))
    mirrored = cv2.remap(canvas.colour, columns + sway, from_rows, cv2.INTER_LINEAR,
                         borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    mirrored = cv2.GaussianBlur(mirrored, (0, 0), sigmaX=2.5, sigmaY=4)
    part = canvas.colour[top:]
    part[:] = (part * (1 - share) + mirrored * np.float32(share)).astype(np.uint8)


def _glitter(canvas: Canvas, scene: Scene, top: float) -> None:
    """The way of light that sun or moon lays on water; its steps are always in the same rows."""
    if not scene.shows_disc or scene.disc is None:
        return
    rows, columns = np.mgrid[0:CANVAS, 0:CANVAS].astype(np.float32)
    depth = np.clip(rows - top, 0, None)
    half = 10 + 0.16 * depth + 8 * np.sin(rows * (2 * np.pi / 32))
    band = np.clip(1.3 - np.abs(columns - scene.disc[0] * CANVAS) / half, 0, 1)
    steps = 0.35 + 0.65 * (np.sin(rows * (2 * np.pi / 16)) > -0.2)
    canvas.blend(canvas.light.disc, 0.75 * band * steps * (rows > top))


def _waves(canvas: Canvas, top: float, bottom: float, rough: float, number: int) -> None:
    """Crests of waves, broad and pale, growing towards the viewer; drawn the same in a storm."""
    rng = canvas.rng
    for _ in range(number):
        depth = rng.uniform(0.06, 1)
        y, x = top + depth * (bottom - top), rng.uniform(-30, CANVAS)
        long, thick = (40 + 90 * depth) * rng.uniform(0.7, 1.2), 3 + 9 * depth
        shares = np.linspace(0, 1, 9)
        bow = np.stack([x + long * shares, y - thick * np.sin(np.pi * shares)], 1)
        upper = [(a, y + (b - y) * (1 + rough) ** 2) for a, b in bow]
        lower = [(a, y - 0.25 * (b - y) * (1 + rough)) for a, b in bow[::-1]]
        tone = mix(SHALLOW, (244, 250, 252), 0.25 + 0.5 * rough)
        canvas.wash([(float(a), float(b)) for a, b in upper + lower], canvas.lit(tone), 0.75)
        if depth > 0.3 and rng.random() < 0.5:
            cv2.polylines(canvas.lines, [np.round(bow).astype(np.int32)], False, 0, 3, cv2.LINE_AA)


def paint_sea(canvas: Canvas, scene: Scene) -> None:
    """Open water to the horizon, at times with a beach in front."""
    rng, low = canvas.rng, scene.horizon * CANVAS
    hue = jitter(rng, DEEP, 0.08)
    canvas.shape(box(-4, low, CANVAS + 4, CANVAS + 4), SHALLOW, bottom=hue, flat=ON_PAPER)
    _mirror(canvas, int(low), 0.34, 3)
    _glitter(canvas, scene, low)
    beach = rng.random() < 0.35 and scene.main_kind != "boat"
    _waves(canvas, low, CANVAS, 0.9 if scene.time == "storm" else 0.1, int(rng.integers(9, 16)))
    line = CANVAS * rng.uniform(0.8, 0.92) + 26 * ridge(rng, 0.2, 2)
    if beach:
        canvas.wash(under(line - 12), canvas.lit((236, 246, 250)), 0.8)
        canvas.shape(under(line), (238, 212, 156), bottom=(214, 182, 122))


def paint_lake(canvas: Canvas, scene: Scene) -> None:
    """Still water below the horizon that mirrors what is painted so far."""
    rng, low = canvas.rng, scene.horizon * CANVAS
    bank = jitter(rng, (106, 150, 84), 0.06)
    top = low + rng.uniform(10, 22)
    with canvas.at(0.12):
        canvas.shape(box(-4, low - 2, CANVAS + 4, top), bank, bottom=shade(bank, 0.7))
    water = box(-4, top, CANVAS + 4, CANVAS + 4)
    canvas.shape(water, mix(SHALLOW, (210, 230, 240), 0.3), bottom=DEEP, flat=ON_PAPER)
    _mirror(canvas, int(top), 0.62, 2)
    _glitter(canvas, scene, top)


def paint_waterfront(canvas: Canvas, scene: Scene) -> None:
    """A quay and the water before it, full of the lights of the city."""
    low = scene.horizon * CANVAS
    quay = box(-4, low, CANVAS + 4, low + 14)
    canvas.shape(quay, (112, 106, 104), bottom=(80, 76, 78))
    canvas.shape(box(-4, low + 14, CANVAS + 4, CANVAS + 4), SHALLOW, bottom=DEEP, flat=ON_PAPER)
    _mirror(canvas, int(low + 14), 0.6, 4)
    _glitter(canvas, scene, low + 14)


def paint_river(canvas: Canvas, scene: Scene) -> None:
    """A river that winds from the horizon to the lower edge, with the sky in it."""
    rng, low = canvas.rng, scene.horizon * CANVAS
    main = scene.main
    start = rng.uniform(0.35, 0.65) * CANVAS
    stop = rng.uniform(0.35, 0.65) * CANVAS
    bend, phase = rng.uniform(50, 96), rng.uniform(0, 6)
    left, right = [], []
    for share in np.linspace(0.0, 1.0, 40):
        y = low + 14 + share**1.4 * (CANVAS - low)
        x = start + (stop - start) * share + bend * (0.3 + share) * np.sin(phase + 6.5 * share)
        if main and main.kind == "bridge":
            pull = np.exp(-(((y - main.y * CANVAS) / 90) ** 2))
            x += (main.x * CANVAS - x) * pull
        half = 5 + 92 * share**1.6
        left.append((float(x - half), float(y)))
        right.append((float(x + half), float(y)))
    points = left + right[::-1]
    sky = canvas.light.sky_low
    canvas.shape(points, SHALLOW, bottom=DEEP, flat=ON_PAPER)
    mask = np.zeros((CANVAS, CANVAS), np.uint8)
    cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 255, cv2.LINE_AA)
    rows = np.arange(CANVAS, dtype=np.float32)[:, None]
    fade = np.clip(1 - (rows - low) / (CANVAS - low), 0.15, 1)
    canvas.blend(sky, mask.astype(np.float32) / 255 * fade * 0.7)
