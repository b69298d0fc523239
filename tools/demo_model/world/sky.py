"""Skies and weather: the light of each time of day, sun and moon, clouds, stars, rain, fog."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from .canvas import CANVAS, Canvas, Colour, Light, Point, mix, oval, smooth_noise
from .scenes import Scene

LIGHTS: dict[str, Light] = {
    "day": Light((44, 116, 214), (104, 172, 240), (212, 234, 248), (1.0, 1.0, 1.0),
                 (255, 246, 206), 0.4, 0.55, (190, 218, 240), 0.0,
                 (255, 238, 140), (255, 255, 255), (204, 218, 236)),
    "dawn": Light((112, 138, 216), (226, 176, 206), (255, 218, 184), (0.96, 0.82, 0.84),
                  (255, 216, 180), 0.5, 0.5, (246, 206, 204), 0.1,
                  (255, 244, 206), (255, 230, 222), (218, 178, 204)),
    "sunset": Light((64, 42, 120), (208, 72, 92), (255, 182, 72), (0.88, 0.57, 0.52),
                    (255, 168, 76), 0.65, 0.8, (242, 142, 90), 0.06,
                    (255, 234, 124), (252, 152, 104), (156, 66, 106)),
    "night": Light((6, 9, 38), (16, 28, 82), (50, 70, 138), (0.22, 0.3, 0.52),
                   (140, 170, 230), 0.35, 0.6, (40, 56, 110), 0.0,
                   (250, 248, 222), (62, 76, 128), (32, 42, 88)),
    "storm": Light((32, 36, 50), (66, 74, 90), (142, 150, 154), (0.46, 0.5, 0.55),
                   (170, 180, 184), 0.2, 0.35, (104, 112, 122), 0.1,
                   (200, 200, 200), (78, 84, 98), (38, 42, 54)),
    "fog": Light((186, 196, 204), (206, 213, 217), (228, 231, 231), (0.82, 0.86, 0.89),
                 (240, 240, 236), 0.15, 0.25, (216, 221, 224), 0.42,
                 (246, 246, 240), (226, 230, 232), (204, 210, 215)),
}  # fmt: skip
SUN_ON_PAPER: Colour = (252, 206, 66)
CLOUD_ON_PAPER: Colour = (244, 248, 252)


def place_sun(scene: Scene) -> Point | None:
    """Where the light comes from in canvas pixels; None under a closed sky."""
    if scene.time in ("storm", "fog"):
        return None
    if scene.disc is not None:
        return scene.disc[0] * CANVAS, scene.disc[1] * CANVAS
    return (-80.0, 60.0) if scene.seed % 2 else (CANVAS + 80.0, 60.0)


def paint_sky(canvas: Canvas, scene: Scene, weather: np.random.Generator) -> None:
    """The whole sky behind the land, `weather` being the chance that hangs on the time."""
    light, low = canvas.light, scene.horizon * CANVAS
    rows = np.arange(CANVAS, dtype=np.float32) / low
    stops = (0.0, 0.58, 1.0)
    colours = np.array([light.sky_top, light.sky_middle, light.sky_low], np.float32)
    bands = np.stack([np.interp(rows, stops, colours[:, part]) for part in range(3)], axis=1)
    canvas.colour[:] = bands[:, None].astype(np.uint8)
    if scene.time == "night":
        _stars(canvas, low, weather)
    if scene.disc is not None:
        _disc(canvas, scene, shown=scene.shows_disc)
    for _ in range(scene.clouds):
        place = canvas.rng.uniform(0.05, 0.95) * CANVAS, canvas.rng.uniform(0.12, 0.6) * low
        _cloud(canvas, canvas.rng, place, canvas.rng.uniform(56, 110), drawn=True)
    if scene.time == "storm":
        for _ in range(5):
            place = weather.uniform(0, CANVAS), weather.uniform(0.0, 0.4) * low
            _cloud(canvas, weather, place, weather.uniform(90, 170), drawn=False)


def _stars(canvas: Canvas, low: float, weather: np.random.Generator) -> None:
    for _ in range(int(weather.integers(16, 34))):
        x, y = weather.uniform(0, CANVAS), weather.uniform(0, 0.9 * low)
        size = weather.uniform(1.6, 3.6)
        canvas.wash(oval((x, y), (size, size), 10), (244, 240, 214), weather.uniform(0.6, 1.0))


def _disc(canvas: Canvas, scene: Scene, shown: bool) -> None:
    assert scene.disc is not None
    x, y, radius = (part * CANVAS for part in scene.disc)
    light, night = canvas.light, scene.time == "night"
    before = canvas.colour.copy()
    if shown:
        if scene.time in ("sunset", "dawn"):
            rows, columns = np.ogrid[0:CANVAS, 0:CANVAS]
            band = np.hypot((columns - x) / 300, (rows - scene.horizon * CANVAS) / 90)
            canvas.blend(light.disc, 0.55 * np.exp(-(band**2)).astype(np.float32))
        canvas.glow((x, y), radius * (2.0 if night else 2.8), light.disc, 0.5 if night else 0.75)
    with canvas.own_light():
        canvas.ellipse((x, y), (radius, radius), light.disc, flat=SUN_ON_PAPER)
    if shown and night:
        for dx, dy, size in ((-0.3, -0.2, 0.24), (0.3, 0.3, 0.2), (0.2, -0.45, 0.14)):
            spot = oval((x + dx * radius, y + dy * radius), (size * radius, size * radius), 20)
            canvas.wash(spot, (206, 204, 190), 0.7)
    if not shown:
        canvas.colour[:] = before


def _cloud(
    canvas: Canvas, rng: np.random.Generator, place: Point, width: float, drawn: bool
) -> None:
    """A heap of puffs on a flat base; a cloud that is not `drawn` stays out of the sketch."""
    light, (x, y) = canvas.light, place
    number = int(rng.integers(4, 7))
    spots = np.linspace(-0.75, 0.75, number) + rng.uniform(-0.1, 0.1, number)
    sizes = width * (0.26 + 0.2 * (1 - spots**2)) * rng.uniform(0.85, 1.2, number)
    outline = np.zeros((CANVAS, CANVAS), np.uint8)
    shapes = [oval((x, y + width * 0.05), (width * 1.05, width * 0.16))]
    shapes += [
        oval((x + spot * width, y - size * 0.35), (size, size * 0.85))
        for spot, size in zip(spots, sizes, strict=True)
    ]
    for points in shapes:
        cv2.fillPoly(outline, [np.round(points).astype(np.int32)], 255, cv2.LINE_AA)
    left, upper, across, down = cv2.boundingRect(outline)
    area = (slice(max(0, upper - 6), upper + down + 6), slice(max(0, left - 6), left + across + 6))
    cover = cv2.GaussianBlur(outline, (0, 0), 1.2)[area].astype(np.float32)[..., None]
    cover *= np.float32(0.94 / 255)
    rows = np.arange(area[0].start, area[0].start + len(cover), dtype=np.float32)
    depth = np.clip((rows - (y - width * 0.55)) / (width * 0.7), 0, 1)
    top, bottom = np.asarray(light.cloud, np.float32), np.asarray(light.cloud_shade, np.float32)
    if canvas.sun is not None:
        top = top + (np.asarray(light.disc, np.float32) - top) * 0.25
    fill = (top + (bottom - top) * depth[:, None]).astype(np.float32)[:, None]
    part = canvas.colour[area]
    part[:] = (part * (1 - cover) + fill * cover).astype(np.uint8)
    if drawn:
        canvas.flat[outline > 127] = CLOUD_ON_PAPER
        contours, _ = cv2.findContours(outline, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        canvas.lines[outline > 127] = 255
        cv2.polylines(canvas.lines, contours, True, 0, 3, cv2.LINE_AA)


def paint_weather(canvas: Canvas, scene: Scene, weather: np.random.Generator) -> None:
    """Rain and lightning over everything, or banks of fog, on the colour layer only."""
    low = scene.horizon * CANVAS
    if scene.time == "fog":
        rows = np.arange(CANVAS, dtype=np.float32)[:, None]
        bank = np.exp(-(((rows - low) / 70) ** 2)) + 0.6 * np.exp(
            -(((rows - 0.86 * CANVAS) / 60) ** 2)
        )
        canvas.blend(canvas.light.haze, 0.62 * bank * (0.8 + 0.3 * smooth_noise(weather, 4, 7)))
    if scene.time == "storm":
        if weather.random() < 0.45:
            _lightning(canvas, low, weather)
        _rain(canvas)


def _lightning(canvas: Canvas, low: float, weather: np.random.Generator) -> None:
    x, y = weather.uniform(0.15, 0.85) * CANVAS, 0.08 * low
    right, left = [(x + 5, y)], [(x - 5, y)]
    while y < low:
        x, y = x + weather.uniform(-34, 34), y + weather.uniform(28, 52)
        right.append((x + 4, y))
        left.append((x - 4, y))
    canvas.glow((x, 0.4 * low), 120, (226, 230, 252), 0.5)
    canvas.wash([*right, *left[::-1]], (255, 252, 224), 1.0)


@cache
def _drops() -> np.ndarray:
    """Slanting streaks of rain, always in the same places; CANVAS x CANVAS shares."""
    rng = np.random.default_rng(9)
    drops = np.zeros((CANVAS, CANVAS), np.uint8)
    for x, y in rng.uniform(-30, CANVAS + 30, (150, 2)):
        long = rng.uniform(34, 60)
        foot = (int(x - 0.3 * long), int(y + long))
        cv2.line(drops, (int(x), int(y)), foot, 255, 3, cv2.LINE_AA)
    return drops.astype(np.float32) / 255 * np.float32(0.42)


def _rain(canvas: Canvas) -> None:
    canvas.blend(mix(canvas.light.sky_low, (220, 226, 232), 0.5), _drops())
