"""The things that stand in a landscape: trees, houses, boats, towers, a city's row of fronts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .canvas import CANVAS, Canvas, Colour, Point, mix, shade
from .scenes import HOUSE_COLOURS, SAIL_COLOURS, Scene, Thing

WINDOW: Colour = (112, 140, 168)
LAMP: Colour = (255, 218, 110)
TRUNK: Colour = (98, 68, 44)


def _box(left: float, top: float, right: float, bottom: float) -> list[Point]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _window(canvas: Canvas, box: list[Point], dark: bool, outline: int = 1) -> None:
    """A pane, shining at night whatever the light of the scene."""
    if not dark:
        canvas.shape(box, WINDOW, outline=outline)
        return
    lit, canvas.tint = canvas.tint, (1.0, 1.0, 1.0)
    canvas.shape(box, LAMP, outline=outline)
    canvas.tint = lit


def _crown(canvas: Canvas, middle: Point, reach: float, colour: Colour, far: float) -> None:
    rng = canvas.rng
    canvas.ellipse(middle, (reach, reach * 0.95), shade(colour, 0.78), far=far)
    for _ in range(9):
        turn, out = rng.uniform(0, 2 * np.pi), reach * rng.uniform(0.15, 0.7)
        x, y = middle[0] + out * np.cos(turn), middle[1] + out * np.sin(turn) * 0.85
        light = 0.8 + 0.42 * (1 - (y - middle[1] + reach) / (2 * reach))
        size = reach * rng.uniform(0.25, 0.45)
        canvas.ellipse((x, y), (size, size * 0.85), shade(colour, light), far=far, outline=0)


def _tree(canvas: Canvas, thing: Thing, scene: Scene, far: float) -> None:
    rng = canvas.rng
    x, foot, height = thing.x * CANVAS, thing.y * CANVAS, thing.size * CANVAS
    if thing.variant in ("round", "autumn"):
        canvas.shape(
            _box(x - height * 0.05, foot - height * 0.5, x + height * 0.05, foot), TRUNK, far=far
        )
        green = (58, 122, 46) if thing.variant == "round" else (216, 116, 36)
        tone = mix(green, (110, 140, 40), rng.uniform(0, 0.3))
        _crown(canvas, (x, foot - height * 0.66), height * 0.32, tone, far)
    elif thing.variant == "pine":
        canvas.shape(
            _box(x - height * 0.04, foot - height * 0.2, x + height * 0.04, foot), TRUNK, far=far
        )
        for level in range(4):
            base = foot - height * (0.12 + 0.19 * level)
            half = height * (0.27 - 0.05 * level)
            peak = base - height * 0.34
            tone = shade((34, 84, 58), 0.85 + 0.1 * level)
            canvas.shape([(x - half, base), (x, peak), (x + half, base)], tone, far=far)
            if scene.ground == "snow":
                cap = [
                    (x - half * 0.6, base - height * 0.13),
                    (x, peak),
                    (x + half * 0.5, base - height * 0.15),
                    (x, base - height * 0.09),
                ]
                canvas.shape(cap, (240, 246, 252), far=far, outline=1)
    elif thing.variant == "palm":
        lean = rng.uniform(-0.15, 0.15) * height
        top = (x + lean, foot - height * 0.78)
        trunk = [(x, foot), (x + lean * 0.3, foot - height * 0.4), top]
        canvas.stroke(trunk, (140, 104, 66), max(3, int(height * 0.06)), far=far)
        for turn in np.linspace(-0.4, np.pi + 0.4, 8):
            reach = height * 0.36
            tip = (
                top[0] + reach * np.cos(turn),
                top[1] - reach * np.sin(turn) * 0.5 + reach * 0.25,
            )
            bow = (
                top[0] + reach * 0.5 * np.cos(turn),
                top[1] - reach * (0.35 * np.sin(turn) + 0.15),
            )
            canvas.shape([top, bow, tip, (bow[0], bow[1] + height * 0.07)], (60, 130, 54), far=far)
    else:
        _branch(canvas, (x, foot), -np.pi / 2, height * 0.42, max(2, int(height * 0.06)), 4, far)


def _branch(
    canvas: Canvas, start: Point, turn: float, length: float, width: int, level: int, far: float
) -> None:
    end = (start[0] + length * np.cos(turn), start[1] + length * np.sin(turn))
    canvas.stroke([start, end], (84, 64, 50), max(1, width), far=far)
    if level:
        for side in (-1, 1):
            bend = turn + side * canvas.rng.uniform(0.25, 0.6)
            _branch(canvas, end, bend, length * 0.66, width - 2, level - 1, far)


def _house(canvas: Canvas, thing: Thing, scene: Scene, far: float) -> None:
    x, foot, height = thing.x * CANVAS, thing.y * CANVAS, thing.size * CANVAS
    wall = HOUSE_COLOURS[thing.variant]
    half, eaves = height * 0.52, foot - height * 0.52
    peak = foot - height
    roof = (238, 244, 252) if scene.ground == "snow" else mix((122, 52, 40), (88, 80, 84), 0.4)
    if thing.variant == "red":
        roof = (72, 62, 66) if scene.ground != "snow" else roof
    if canvas.rng.random() < 0.6:
        place = x + half * 0.45
        canvas.shape(
            _box(place, peak + height * 0.02, place + height * 0.12, eaves), shade(roof, 0.8)
        )
    canvas.shape(_box(x - half, eaves, x + half, foot), wall, bottom=shade(wall, 0.8), far=far)
    canvas.shape([(x - half * 1.15, eaves), (x - half * 0.55, peak), (x + half * 0.55, peak),
                  (x + half * 1.15, eaves)], roof, far=far)  # fmt: skip
    dark = scene.time in ("night", "storm")
    canvas.shape(
        _box(x - height * 0.08, foot - height * 0.32, x + height * 0.08, foot),
        (84, 56, 40),
        outline=1,
    )
    for side in (-1, 1):
        middle = x + side * half * 0.58
        reach = height * 0.075
        top = foot - height * 0.4
        _window(canvas, _box(middle - reach, top, middle + reach, top + 2 * reach), dark)


def _boat(canvas: Canvas, thing: Thing, _scene: Scene, far: float) -> None:
    x, foot, height = thing.x * CANVAS, thing.y * CANVAS, thing.size * CANVAS
    half, deck = height * 0.42, foot - height * 0.2
    hull = [(x - half, deck), (x + half, deck), (x + half * 0.65, foot), (x - half * 0.65, foot)]
    canvas.stroke([(x, deck), (x, foot - height)], (90, 66, 46), max(2, int(height * 0.03)))
    sail = SAIL_COLOURS[thing.variant]
    canvas.shape(
        [(x + 2, foot - height), (x + half * 0.9, deck - 4), (x + 2, deck - 4)], sail, far=far
    )
    canvas.shape(
        [(x - 2, foot - height * 0.9), (x - half * 0.7, deck - 4), (x - 2, deck - 4)],
        shade(sail, 0.88),
        far=far,
    )
    canvas.shape(hull, (126, 72, 44), bottom=(84, 48, 34), far=far)


def _lighthouse(canvas: Canvas, thing: Thing, scene: Scene, far: float) -> None:
    x, foot, height = thing.x * CANVAS, thing.y * CANVAS, thing.size * CANVAS
    rock = [(x - height * 0.4, foot), (x - height * 0.22, foot - height * 0.12),
            (x + height * 0.2, foot - height * 0.14), (x + height * 0.42, foot)]  # fmt: skip
    canvas.shape(rock, (96, 88, 84), bottom=(66, 62, 64))
    base, top = height * 0.1, height * 0.06
    for level in range(5):
        low, high = 0.12 + 0.14 * level, 0.26 + 0.14 * level
        wide, slim = base + (top - base) * level / 5, base + (top - base) * (level + 1) / 5
        band = [(x - wide, foot - height * low), (x - slim, foot - height * high),
                (x + slim, foot - height * high), (x + wide, foot - height * low)]  # fmt: skip
        canvas.shape(band, (206, 54, 46) if level % 2 == 0 else (244, 242, 236), far=far)
    lamp = _box(x - top, foot - height * 0.92, x + top, foot - height * 0.82)
    _window(canvas, lamp, True)
    canvas.shape([(x - top * 1.4, foot - height * 0.92), (x, foot - height),
                  (x + top * 1.4, foot - height * 0.92)], (120, 40, 36))  # fmt: skip
    if scene.time in ("night", "storm"):
        canvas.glow((x, foot - height * 0.87), height * 0.25, LAMP, 0.7)


def _island(canvas: Canvas, thing: Thing, scene: Scene, far: float) -> None:
    x, foot, height = thing.x * CANVAS, thing.y * CANVAS, thing.size * CANVAS
    half = height * 0.8
    turns = np.linspace(np.pi, 2 * np.pi, 16)
    mound = [(x + half * np.cos(t), foot + height * 0.22 * np.sin(t)) for t in turns]
    canvas.shape(mound, (224, 198, 140), bottom=(196, 166, 108), far=far)
    for shift in (-0.2, 0.25):
        place = thing.x + shift * thing.size
        palm = Thing("tree", place, thing.y - 0.05, thing.size, "palm")
        _tree(canvas, palm, scene, far)


def _castle(canvas: Canvas, thing: Thing, scene: Scene, far: float) -> None:
    x, foot, height = thing.x * CANVAS, thing.y * CANVAS, thing.size * CANVAS
    stone = (156, 148, 140)
    dark = scene.time in ("night", "storm")
    canvas.shape(
        _box(x - height * 0.5, foot - height * 0.45, x + height * 0.5, foot), stone,
        bottom=shade(stone, 0.8), far=far)  # fmt: skip
    for shift, tall in ((-0.5, 0.72), (0.0, 0.82), (0.5, 0.72)):
        middle, half = x + shift * height, height * 0.11
        top = foot - height * tall
        canvas.shape(_box(middle - half, top, middle + half, foot), shade(stone, 0.92), far=far)
        roof = [
            (middle - half * 1.3, top),
            (middle, top - height * 0.24),
            (middle + half * 1.3, top),
        ]
        canvas.shape(roof, (70, 84, 130), far=far)
        pane = _box(middle - 3, top + height * 0.1, middle + 3, top + height * 0.1 + 9)
        _window(canvas, pane, dark)


def _cactus(canvas: Canvas, thing: Thing, _scene: Scene, far: float) -> None:
    x, foot, height = thing.x * CANVAS, thing.y * CANVAS, thing.size * CANVAS
    green, width = (66, 122, 62), max(4, int(height * 0.16))
    canvas.shape(_box(x - width / 2, foot - height, x + width / 2, foot), green, far=far)
    for side, low in ((-1, 0.35), (1, 0.5)):
        out, level = x + side * height * 0.28, foot - height * low
        arm = max(3, int(width * 0.7))
        canvas.shape(_box(min(x, out), level - arm, max(x, out), level), green, far=far, outline=1)
        canvas.shape(
            _box(out - arm / 2, level - height * 0.35, out + arm / 2, level), green, far=far
        )


def draw_city(canvas: Canvas, scene: Scene) -> None:
    """Two rows of fronts along the horizon and a street with a middle line."""
    rng, low = canvas.rng, scene.horizon * CANVAS
    dark = scene.time in ("night", "storm")
    walls: list[Colour] = [(168, 96, 76), (196, 178, 150), (128, 132, 146), (206, 150, 98)]
    for far, tall in ((0.45, 0.62), (0.0, 0.4)):
        x = -10.0
        while x < CANVAS:
            width = rng.uniform(24, 46)
            height = CANVAS * tall * rng.uniform(0.55, 1.15)
            foot = low + (8 if far == 0 else 0)
            wall = walls[int(rng.integers(len(walls)))] if far == 0 else (134, 140, 156)
            canvas.shape(_box(x, foot - height, x + width, foot), wall,
                         bottom=shade(wall, 0.82), far=far)  # fmt: skip
            if far == 0 and rng.random() < 0.5:
                peak = (x + width / 2, foot - height - width * 0.4)
                canvas.shape(
                    [(x, foot - height), peak, (x + width, foot - height)], shade(wall, 0.6)
                )
            for top in np.arange(foot - height + 8, foot - 14, 16):
                for left in np.arange(x + 5, x + width - 8, 11):
                    if far == 0 or rng.random() < 0.35:
                        shining = dark and rng.random() < 0.7
                        _window(canvas, _box(left, top, left + 5, top + 8), shining, 0)
            x += width + rng.uniform(-1, 4)
    middle = CANVAS * rng.uniform(0.4, 0.6)
    canvas.shape([(middle - 12, low + 8), (middle + 12, low + 8), (CANVAS * 0.95, CANVAS + 4),
                  (CANVAS * 0.05, CANVAS + 4)], (74, 74, 80))  # fmt: skip
    for share in (0.25, 0.5, 0.78):
        y = low + 8 + share * (CANVAS - low - 8)
        half = 1 + 3 * share
        canvas.shape(
            _box(middle - half, y, middle + half, y + 12 * share), (226, 222, 200), outline=0
        )


DRAWERS: dict[str, Callable[[Canvas, Thing, Scene, float], None]] = {
    "tree": _tree,
    "house": _house,
    "boat": _boat,
    "lighthouse": _lighthouse,
    "island": _island,
    "castle": _castle,
    "cactus": _cactus,
}


def draw_thing(canvas: Canvas, thing: Thing, scene: Scene) -> None:
    """Paint one thing; the nearer its foot to the horizon, the more haze lies on it."""
    depth = (thing.y - scene.horizon) / (1 - scene.horizon)
    DRAWERS[thing.kind](canvas, thing, scene, float(np.clip(0.35 - depth, 0, 0.35)))
