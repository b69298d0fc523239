"""Paint a scene's sky and land; the things that stand on the land are in objects.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .canvas import CANVAS, Canvas, Colour, Point, mix, ridge, shade, smooth_noise
from .objects import draw_city, draw_thing
from .scenes import Scene


@dataclass(frozen=True)
class Light:
    """How a time of day looks: sky from top to horizon, tint of the land, haze and disc."""

    sky_top: Colour
    sky_middle: Colour
    sky_low: Colour
    tint: tuple[float, float, float]
    haze: Colour
    haze_share: float
    disc: Colour
    cloud: Colour


LIGHTS = {
    "day": Light((62, 128, 220), (120, 175, 238), (196, 224, 246), (1.0, 1.0, 1.0),
                 (190, 215, 238), 0.0, (255, 244, 170), (252, 252, 252)),
    "sunset": Light((82, 52, 120), (214, 84, 78), (254, 176, 76), (0.92, 0.62, 0.5),
                    (236, 140, 90), 0.05, (255, 236, 130), (250, 140, 110)),
    "night": Light((7, 9, 36), (16, 22, 66), (34, 46, 100), (0.24, 0.3, 0.5),
                   (30, 40, 88), 0.0, (246, 246, 220), (52, 60, 100)),
    "dawn": Light((140, 158, 216), (214, 186, 216), (255, 212, 202), (0.86, 0.78, 0.86),
                  (240, 204, 212), 0.12, (255, 244, 214), (255, 226, 226)),
    "storm": Light((40, 44, 58), (70, 76, 88), (118, 124, 130), (0.46, 0.5, 0.54),
                   (98, 104, 112), 0.08, (200, 200, 200), (50, 54, 66)),
    "fog": Light((196, 202, 206), (210, 214, 216), (224, 226, 226), (0.88, 0.9, 0.92),
                 (218, 221, 222), 0.3, (245, 245, 240), (225, 228, 230)),
}  # fmt: skip
GROUND_COLOURS: dict[str, tuple[Colour, Colour]] = {
    "meadow": ((120, 170, 62), (64, 122, 40)),
    "hills": ((128, 176, 74), (70, 128, 46)),
    "snow": ((236, 242, 250), (206, 220, 240)),
    "desert": ((232, 196, 124), (208, 158, 84)),
    "sea": ((44, 120, 176), (18, 74, 130)),
    "lake": ((116, 162, 66), (66, 120, 44)),
    "city": ((122, 120, 122), (88, 88, 94)),
}


def _jitter(rng: np.random.Generator, colour: Colour, reach: float) -> Colour:
    moved = np.asarray(colour) * rng.uniform(1 - reach, 1 + reach) + rng.uniform(-8, 8, 3)
    red, green, blue = (int(part) for part in np.clip(moved, 0, 255))
    return red, green, blue


def _under(line: np.ndarray) -> list[Point]:
    points: list[Point] = [(float(x), float(line[x])) for x in range(0, CANVAS, 4)]
    points.append((CANVAS, float(line[-1])))
    return [(-4.0, points[0][1]), *points, (CANVAS + 4, CANVAS + 4), (-4, CANVAS + 4)]


def _sky(canvas: Canvas, scene: Scene, light: Light) -> None:
    rng, low = canvas.rng, scene.horizon * CANVAS
    middle = low * rng.uniform(0.45, 0.65)
    top_part = np.asarray(canvas.gradient(light.sky_top, light.sky_middle, 0, middle))
    low_part = np.asarray(canvas.gradient(light.sky_middle, light.sky_low, middle, low))
    rows = (np.arange(CANVAS) < middle)[:, None, None]
    canvas.colour = Image.fromarray(np.where(rows, top_part, low_part))
    if scene.time == "night":
        for _ in range(int(rng.integers(25, 70))):
            x, y = rng.uniform(0, CANVAS), rng.uniform(0, low)
            size, glare = rng.uniform(0.5, 1.6), int(rng.integers(170, 255))
            star = Image.new("RGB", (int(2 * size) + 1,) * 2, (glare, glare, 235))
            canvas.colour.paste(star, (int(x), int(y)))
    if scene.disc is not None:
        x, y, radius = (part * CANVAS for part in scene.disc)
        canvas.glow((x, y), radius * (2.2 if scene.time == "night" else 3.2), light.disc, 0.6)
        lit, canvas.tint = canvas.tint, (1.0, 1.0, 1.0)
        canvas.ellipse((x, y), (radius, radius), light.disc)
        canvas.tint = lit
    for _ in range(scene.clouds):
        _cloud(canvas, light, low)


def _cloud(canvas: Canvas, light: Light, low: float) -> None:
    rng = canvas.rng
    x, y = rng.uniform(0, CANVAS), rng.uniform(0.08, 0.62) * low
    width = rng.uniform(26, 60)
    lit, canvas.tint = canvas.tint, (1.0, 1.0, 1.0)
    puffs = [
        (x + width * rng.uniform(-0.8, 0.8), y + rng.uniform(-5, 4), width * rng.uniform(0.25, 0.5))
        for _ in range(7)
    ]
    veil = canvas.haze_share
    canvas.haze_share = 0.0
    for px, py, radius in puffs:
        canvas.ellipse((px, py + 4), (radius, radius * 0.55), shade(light.cloud, 0.86), outline=2)
    for px, py, radius in puffs:
        canvas.ellipse((px, py), (radius, radius * 0.5), light.cloud, outline=0)
    canvas.tint, canvas.haze_share = lit, veil


def _backdrop(canvas: Canvas, scene: Scene) -> None:
    rng, low = canvas.rng, scene.horizon * CANVAS
    if scene.backdrop == "mountains":
        height = rng.uniform(36, 80)
        line = low - height * (0.55 + 0.65 * ridge(rng, 0.55, int(rng.integers(4, 8))))
        rock = (106, 110, 132)
        canvas.shape(_under(line), rock, bottom=shade(rock, 0.8), far=0.3, grain=0.25)
        snowy = scene.ground == "snow" or rng.random() < 0.5
        cut = low - height * rng.uniform(0.5, 0.75) + 7 * ridge(rng, 0.8, 24)
        if snowy:
            _snow_caps(canvas, line, cut)
    elif scene.backdrop == "hills":
        tone = (214, 224, 238) if scene.ground == "snow" else (110, 150, 100)
        for level in (0.9, 0.5):
            line = low - 44 * level * (0.5 + 0.5 * ridge(rng, 0.3, 3))
            canvas.shape(_under(line), _jitter(rng, tone, 0.08), far=0.5 * level, grain=0.12)
    elif scene.backdrop == "forest":
        line = low - 20 - 12 * ridge(rng, 0.8, 24)
        canvas.shape(_under(line), (44, 84, 52), far=0.15, grain=0.35)


def _snow_caps(canvas: Canvas, line: np.ndarray, cut: np.ndarray) -> None:
    high = line < cut - 2
    edges = np.flatnonzero(np.diff(np.concatenate([[0], high.astype(int), [0]])))
    for left, right in zip(edges[::2], edges[1::2], strict=True):
        if right - left < 5:
            continue
        columns = np.arange(left, right)
        upper = [(float(x), float(line[x])) for x in columns]
        lower = [(float(x), float(cut[x])) for x in columns[::-1]]
        canvas.shape(upper + lower, (244, 248, 255), far=0.12, outline=1)


def _land(canvas: Canvas, scene: Scene) -> None:
    rng, low = canvas.rng, scene.horizon * CANVAS
    near, deep = (_jitter(rng, colour, 0.08) for colour in GROUND_COLOURS[scene.ground])
    swell = {"sea": 0, "city": 0, "meadow": 3, "snow": 6, "lake": 2, "hills": 10, "desert": 7}
    line = low + swell[scene.ground] * ridge(rng, 0.3, 2)
    grain = {"snow": 0.05, "sea": 0.16, "desert": 0.1, "city": 0.08}.get(scene.ground, 0.22)
    canvas.shape(_under(line), near, bottom=deep, grain=grain)
    if scene.ground in ("hills", "desert", "snow"):
        _swells(canvas, scene, near, deep, grain)
    if scene.ground == "sea":
        _sea(canvas, scene, low)
    if scene.ground == "lake":
        _lake(canvas, low)
    if scene.path or scene.river:
        _way(canvas, scene, low)
    if scene.flowers:
        for _ in range(int(rng.integers(30, 70))):
            y = rng.uniform(low + 20, CANVAS)
            size = 1.2 + 2.6 * (y - low) / (CANVAS - low)
            petal = [(226, 60, 60), (246, 214, 70), (240, 240, 240), (190, 90, 200)]
            colour = petal[int(rng.integers(len(petal)))]
            canvas.ellipse((rng.uniform(0, CANVAS), y), (size, size), colour, outline=0)


def _swells(canvas: Canvas, scene: Scene, near: Colour, deep: Colour, grain: float) -> None:
    rng, low = canvas.rng, scene.horizon * CANVAS
    number = {"hills": 4, "desert": 3, "snow": 1}[scene.ground]
    for step in range(number):
        height = low + (CANVAS - low) * (step + 0.5 + rng.uniform(-0.2, 0.2)) / (number + 0.4)
        line = height + (CANVAS - low) * 0.16 * ridge(rng, 0.15, int(rng.integers(2, 4)))
        top = _jitter(rng, mix(near, deep, 0.2 + 0.5 * step / number), 0.06)
        dark = shade(top, 0.78 if scene.ground != "snow" else 0.92)
        canvas.shape(_under(line), top, bottom=dark, grain=grain)


def _sea(canvas: Canvas, scene: Scene, low: float) -> None:
    rng = canvas.rng
    if scene.disc is not None:
        light = LIGHTS[scene.time].disc
        x = scene.disc[0] * CANVAS
        rows, columns = np.mgrid[0:CANVAS, 0:CANVAS]
        band = np.exp(-(((columns - x) / (8 + 0.18 * (rows - low).clip(0))) ** 2))
        ripple = (smooth_noise(rng, 12, 90) > 0.05) * (rows > low)
        canvas.veil(light, 0.7 * band * ripple)
    foam = 0.75 if scene.time == "storm" else 0.5
    for _ in range(int(rng.integers(24, 44))):
        depth = rng.uniform(0.02, 1) ** 1.3
        y, x = low + depth * (CANVAS - low), rng.uniform(-10, CANVAS)
        length = (8 + 34 * depth) * rng.uniform(0.6, 1.3)
        points = [(x, y), (x + length / 2, y - 1 - 2 * depth), (x + length, y)]
        tone = mix((44, 110, 168), (240, 248, 252), foam * rng.uniform(0.4, 1))
        canvas.stroke(points, tone, 1 + int(2 * depth), outline=rng.random() < 0.3)
    if rng.random() < 0.3:
        shore = CANVAS - rng.uniform(14, 40) + 8 * ridge(rng, 0.2, 2)
        canvas.shape(_under(shore), (226, 200, 142), bottom=(204, 172, 112), grain=0.08)


def _lake(canvas: Canvas, low: float) -> None:
    rng = canvas.rng
    depth = CANVAS - low
    middle = (CANVAS * rng.uniform(0.4, 0.6), low + depth * rng.uniform(0.36, 0.46))
    radii = (CANVAS * rng.uniform(0.36, 0.5), depth * rng.uniform(0.24, 0.33))
    turns = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    wobble = 1 + 0.1 * np.sin(3 * turns + rng.uniform(0, 6)) + 0.05 * np.sin(7 * turns)
    points = [
        (middle[0] + radii[0] * w * np.cos(t), middle[1] + radii[1] * w * np.sin(t))
        for t, w in zip(turns, wobble, strict=True)
    ]
    canvas.shape(points, (96, 158, 204), bottom=(44, 104, 164), grain=0.1)
    for _ in range(9):
        y = middle[1] + radii[1] * rng.uniform(-0.6, 0.7)
        x = middle[0] + radii[0] * rng.uniform(-0.6, 0.4)
        canvas.stroke([(x, y), (x + rng.uniform(12, 34), y)], (160, 200, 230), 1)


def _way(canvas: Canvas, scene: Scene, low: float) -> None:
    rng = canvas.rng
    start, stop = CANVAS * rng.uniform(0.35, 0.65), CANVAS * rng.uniform(0.2, 0.8)
    bend, phase = rng.uniform(14, 34), rng.uniform(0, 6)
    left, right = [], []
    for share in np.linspace(0.0, 1.0, 24):
        y = low + 4 + share**1.4 * (CANVAS - low)
        x = start + (stop - start) * share + bend * share * np.sin(phase + 5 * share)
        half = 2 + (30 if scene.river else 20) * share**1.5
        left.append((float(x - half), float(y)))
        right.append((float(x + half), float(y)))
    water = (86, 150, 200) if scene.ground != "snow" else (120, 170, 210)
    colour = water if scene.river else (196, 164, 116)
    canvas.shape(left + right[::-1], colour, bottom=shade(colour, 0.85), grain=0.08)


def _weather(canvas: Canvas, scene: Scene) -> None:
    rng, rows = canvas.rng, np.mgrid[0:CANVAS, 0:CANVAS][0]
    if scene.time == "fog":
        distance = np.abs(rows - scene.horizon * CANVAS) / CANVAS
        share = 0.55 * np.exp(-((distance / 0.16) ** 2)) * (0.8 + 0.35 * smooth_noise(rng, 5, 9))
        canvas.veil(LIGHTS["fog"].haze, share)
    if scene.time == "storm":
        slant = int(rng.integers(-14, -4))
        for _ in range(int(rng.integers(60, 140))):
            x, y = rng.uniform(0, CANVAS + 20), rng.uniform(-10, CANVAS)
            length = rng.uniform(0.6, 1.2)
            end = (x + slant * length, y + 26 * length)
            lit, canvas.tint = canvas.tint, (0.85, 0.88, 0.92)
            canvas.stroke([(x, y), end], (170, 178, 190), 1, outline=rng.random() < 0.25)
            canvas.tint = lit
        if rng.random() < 0.4:
            x, y = rng.uniform(40, CANVAS - 40), 0.0
            points = [(x, y)]
            while y < scene.horizon * CANVAS:
                x, y = x + rng.uniform(-12, 12), y + rng.uniform(10, 20)
                points.append((x, y))
            canvas.glow((x, y / 2), 40, (220, 225, 250), 0.4)
            lit, canvas.tint = canvas.tint, (1.0, 1.0, 1.0)
            canvas.stroke(points, (250, 250, 220), 2)
            canvas.tint = lit


def paint(scene: Scene) -> Canvas:
    """Paint the whole scene and hand back its three layers."""
    rng = np.random.default_rng(scene.seed)
    light = LIGHTS[scene.time]
    canvas = Canvas(rng, light.tint, light.haze, light.haze_share)
    _sky(canvas, scene, light)
    _backdrop(canvas, scene)
    _land(canvas, scene)
    if scene.ground == "city":
        draw_city(canvas, scene)
    for thing in scene.things:
        draw_thing(canvas, thing, scene)
    if scene.birds:
        for _ in range(int(rng.integers(3, 7))):
            x, y = rng.uniform(20, CANVAS - 20), rng.uniform(0.15, 0.7) * scene.horizon * CANVAS
            wing = rng.uniform(4, 8)
            points = [(x - wing, y - wing / 2), (x, y), (x + wing, y - wing / 2)]
            canvas.stroke(points, (40, 40, 46), 2)
    _weather(canvas, scene)
    return canvas
