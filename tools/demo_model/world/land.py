"""The land of each ground: ridges, fields, dunes, snow, a wood, a city's skyline."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from .canvas import CANVAS, Canvas, Colour, Point, box, jitter, mix, oval, ridge, shade, under
from .scenes import Scene
from .water import paint_lake, paint_river, paint_sea, paint_waterfront

SNOW: Colour = (240, 245, 252)
SAND: Colour = (240, 204, 132)
WINDOW: Colour = (124, 152, 184)
LAMP: Colour = (255, 218, 112)
CROWN = tuple(
    (0.5 + 0.52 * float(np.sin(turn)), float(np.cos(turn)) ** 0.7)
    for turn in np.linspace(-1.45, 1.45, 9)
)  # the outline of a round crown: shares of its width and height


def relief(canvas: Canvas, line: np.ndarray, strength: float, reach: float) -> None:
    """Light and shade on the land under a skyline, by the slope of the skyline and the sun."""
    slope = cv2.GaussianBlur(np.gradient(line)[None].astype(np.float32), (0, 0), 7)[0]
    columns = np.arange(CANVAS)
    toward = (
        np.full(CANVAS, 0.4)
        if canvas.sun is None
        else np.clip((canvas.sun[0] - columns) / 160, -1, 1)
    )
    side = np.clip(-slope * toward * 3, -1, 1).astype(np.float32)
    top = int(max(0, line.min()))
    rows = np.arange(top, CANVAS, dtype=np.float32)[:, None]
    depth = rows - line[None].astype(np.float32)
    fade = (depth > 0) * np.exp(-np.clip(depth, 0, None) / reach) * strength
    part = canvas.colour[top:]
    towards = (np.clip(side, 0, 1) * fade * canvas.light.glow_share)[..., None].astype(np.float32)
    away = (np.clip(-side, 0, 1) * fade * canvas.light.shadow)[..., None].astype(np.float32)
    dark = np.array([0.45, 0.45, 0.6], np.float32)
    lit = part * (1 - towards) + np.asarray(canvas.light.glow, np.float32) * towards
    part[:] = (lit * (1 - away * (1 - dark))).astype(np.uint8)


def hill(
    canvas: Canvas,
    line: np.ndarray,
    top: Colour,
    bottom: Colour,
    light: float = 0.9,
    reach: float = 90,
) -> None:
    """Land from a skyline down to the lower edge."""
    canvas.shape(under(line), top, bottom=bottom)
    relief(canvas, line, light, reach)


def _zigzag(
    rng: np.random.Generator, start: Point, stop: Point, steps: int, reach: float
) -> list[Point]:
    shares = np.linspace(0, 1, steps + 2)
    return [
        (
            start[0] + (stop[0] - start[0]) * share + (rng.uniform(-1, 1) * reach if inner else 0),
            start[1] + (stop[1] - start[1]) * share,
        )
        for share, inner in zip(shares, [False, *[True] * steps, False], strict=True)
    ]


def _peak(
    canvas: Canvas, apex: Point, base: float, halves: Point, rock: Colour, cap: float
) -> None:
    """One mountain with a sunny and a shady face and, for `cap` above 0, snow on top."""
    rng = canvas.rng
    left, right = (apex[0] - halves[0], base), (apex[0] + halves[1], base)
    up = _zigzag(rng, left, apex, 3, halves[0] * 0.06)
    down = _zigzag(rng, apex, right, 3, halves[1] * 0.06)
    foot = (apex[0] + rng.uniform(-0.2, 0.2) * halves[0], base)
    spine = _zigzag(rng, apex, foot, 4, min(halves) * 0.14)
    canvas.shape([*up, *down[1:]], rock, bottom=mix(rock, canvas.light.haze, 0.25))
    if cap:
        height = base - apex[1]
        teeth = 7
        low_left = np.array(apex) + (np.array(left) - apex) * cap
        low_right = np.array(apex) + (np.array(right) - apex) * cap
        edge = []
        for tooth, share in enumerate(np.linspace(0, 1, teeth)):
            x, y = low_right + (low_left - low_right) * share
            fall = (0.09 if tooth % 2 else -0.05) * height * rng.uniform(0.6, 1.3)
            edge.append((float(x), float(y + (fall if 0 < tooth < teeth - 1 else 0))))
        canvas.shape([apex, *edge], SNOW, outline=2)
    sun_left = canvas.sun is None or canvas.sun[0] < apex[0]
    shady = [*spine, *(down[::-1] if sun_left else up)]
    canvas.wash(shady, mix(canvas.lit((40, 46, 84)), (20, 20, 40), 0.3), 0.55 * canvas.light.shadow)


def paint_peaks(canvas: Canvas, base: float, height: float, number: int, snowy: bool) -> None:
    """A range of mountains standing on the height `base`, `height` canvas pixels high."""
    rng = canvas.rng
    rock = jitter(rng, (122, 126, 152), 0.08)
    places = (np.arange(number) + rng.uniform(0.2, 0.8, number)) / number * CANVAS
    tall = rng.uniform(0.55, 1.0, number)
    order = rng.permutation(number)
    for place, part in zip(places[order], tall[order], strict=True):
        far = 0.42 - 0.3 * part
        reach = height * part
        wide = reach * rng.uniform(0.8, 1.15, 2) + CANVAS / number * 0.35
        with canvas.at(far):
            _peak(canvas, (float(place), base - reach), base + 4, (float(wide[0]), float(wide[1])),
                  rock, rng.uniform(0.3, 0.46) if snowy else 0.0)  # fmt: skip


def _forest(canvas: Canvas, low: float, height: float, tone: Colour, bumps: float) -> None:
    """An edge of trees: round crowns, or tips for conifers (`bumps` 0)."""
    rng = canvas.rng
    x, points = -20.0, [(-20.0, low)]
    while x < CANVAS + 20:
        wide, tall = rng.uniform(26, 44), height * rng.uniform(0.7, 1.1)
        if bumps:
            wide = max(wide, height * rng.uniform(0.45, 0.65))
            points += [(x + wide * share, low - tall * (1 - bumps * (1 - height_share)))
                       for share, height_share in CROWN]  # fmt: skip
        else:
            points += [(x, low - tall * 0.45), (x + wide / 2, low - tall * 1.15)]
        x += wide
    points.append((CANVAS + 20, low))
    canvas.shape([*points, (CANVAS + 20, low + 8), (-20, low + 8)], tone, bottom=shade(tone, 0.7))


def paint_backdrop(canvas: Canvas, scene: Scene) -> None:
    """What stands at the horizon behind the land."""
    rng, low = canvas.rng, scene.horizon * CANVAS
    snow = scene.ground == "snow"
    if scene.backdrop == "mountains":
        paint_peaks(canvas, low, rng.uniform(90, 170), int(rng.integers(3, 6)),
                    snow or rng.random() < 0.6)  # fmt: skip
    elif scene.backdrop == "hills":
        tone = (206, 218, 236) if snow else (112, 152, 108)
        for level in (0.95, 0.5):
            line = low - 76 * level * (0.55 + 0.45 * ridge(rng, 0.3, 3))
            with canvas.at(0.55 * level):
                hill(canvas, line, jitter(rng, tone, 0.05), tone, reach=50)
    elif scene.backdrop == "forest":
        with canvas.at(0.16):
            tone = (64, 96, 92) if snow else (46, 92, 58)
            _forest(canvas, low, rng.uniform(44, 70), tone, 0.0 if rng.random() < 0.5 else 0.3)


def _fields(canvas: Canvas, scene: Scene, tones: list[Colour], swell: float, first: float) -> None:
    """Rolling land in layers, from pale and far to deep and near."""
    rng, low = canvas.rng, scene.horizon * CANVAS
    depth = CANVAS - low
    for step, tone in enumerate(tones):
        share = step / len(tones)
        rise = first if step == 0 else swell * (0.5 + share)
        height = low + depth * share**1.15 * 0.9
        line = height + rise * ridge(rng, 0.22, int(rng.integers(2, 4)))
        near = jitter(rng, tone, 0.05)
        with canvas.at(max(0.0, 0.22 - 0.5 * share)):
            hill(canvas, line, near, shade(near, 0.74), reach=60 + 60 * share)


def _path(canvas: Canvas, scene: Scene, colour: Colour) -> None:
    rng, low = canvas.rng, scene.horizon * CANVAS
    start, stop = rng.uniform(0.4, 0.6) * CANVAS, rng.uniform(0.3, 0.7) * CANVAS
    bend, phase = rng.uniform(24, 56), rng.uniform(0, 6)
    left, right = [], []
    for share in np.linspace(0.0, 1.0, 28):
        y = low + 22 + share**1.4 * (CANVAS - low)
        x = start + (stop - start) * share + bend * (0.25 + share) * np.sin(phase + 4.5 * share)
        half = 3 + 46 * share**1.5
        left.append((float(x - half), float(y)))
        right.append((float(x + half), float(y)))
    canvas.shape(left + right[::-1], colour, bottom=shade(colour, 0.86))


def _flower_field(canvas: Canvas, scene: Scene) -> None:
    rng, low = canvas.rng, scene.horizon * CANVAS
    petals: list[Colour] = [(230, 62, 58), (250, 214, 74), (248, 246, 240), (176, 98, 204)]
    chosen = [petals[int(rng.integers(4))], petals[int(rng.integers(4))]]
    for _ in range(int(rng.integers(36, 60))):
        share = rng.uniform(0.15, 1.0)
        y, size = low + share * (CANVAS - low), 3 + 7 * share
        colour = chosen[int(rng.integers(2))]
        canvas.ellipse((rng.uniform(0, CANVAS), y), (size, size * 0.85), colour, outline=0)


def _tufts(canvas: Canvas, scene: Scene, tone: Colour) -> None:
    """A few broad strokes of darker grass."""
    rng, low = canvas.rng, scene.horizon * CANVAS
    for _ in range(int(rng.integers(8, 16))):
        share = rng.uniform(0.3, 1.0)
        x, y, size = rng.uniform(0, CANVAS), low + share * (CANVAS - low), 8 + 16 * share
        points = [(x - size, y), (x - size * 0.5, y - size * 0.7), (x - size * 0.1, y - size * 0.2),
                  (x + size * 0.1, y - size), (x + size * 0.4, y - size * 0.2),
                  (x + size * 0.7, y - size * 0.6), (x + size, y)]  # fmt: skip
        canvas.wash(points, canvas.lit(tone), 0.55)


def _meadow(canvas: Canvas, scene: Scene) -> None:
    rng = canvas.rng
    green = jitter(rng, (132, 186, 72), 0.06)
    _fields(canvas, scene, [mix(green, (190, 206, 110), 0.3), shade(green, 0.92)], 12, 5)
    _tufts(canvas, scene, (58, 116, 46))


def _hills(canvas: Canvas, scene: Scene) -> None:
    rng = canvas.rng
    green = jitter(rng, (128, 182, 76), 0.06)
    far = (150, 188, 130)
    number = int(rng.integers(3, 5))
    tones = [shade(mix(far, green, step / (number - 1)), 1 - 0.22 * step / number)
             for step in range(number)]  # fmt: skip
    _fields(canvas, scene, tones, 42, 26)


def _mountains(canvas: Canvas, scene: Scene) -> None:
    rng, low = canvas.rng, scene.horizon * CANVAS
    paint_peaks(canvas, low, rng.uniform(0.55, 0.8) * low, int(rng.integers(2, 4)),
                rng.random() < 0.75)  # fmt: skip
    if rng.random() < 0.6:
        with canvas.at(0.1):
            _forest(canvas, low + 6, rng.uniform(26, 48), (52, 98, 66), 0.0)
    green = jitter(rng, (126, 178, 78), 0.06)
    _fields(canvas, scene, [green, shade(green, 0.82)], 14, 6)


def _desert(canvas: Canvas, scene: Scene) -> None:
    rng, low = canvas.rng, scene.horizon * CANVAS
    sand = jitter(rng, SAND, 0.05)
    depth = CANVAS - low
    for step in range(4):
        share = step / 4
        height = low + depth * share * 0.95
        line = height + (12 + 30 * share) * ridge(rng, 0.12, int(rng.integers(2, 4)))
        tone = mix(sand, (226, 152, 78), 0.2 + 0.55 * share)
        with canvas.at(max(0.0, 0.2 - 0.4 * share)):
            canvas.shape(under(line), tone, bottom=shade(tone, 0.9))
            relief(canvas, line, 1.5, 46 + 60 * share)


def _snow(canvas: Canvas, scene: Scene) -> None:
    rng = canvas.rng
    tones = [mix(SNOW, (206, 220, 242), 0.4), SNOW, shade(SNOW, 1.02)][: int(rng.integers(2, 4))]
    _fields(canvas, scene, tones, 24, 12)


def _wood(canvas: Canvas, scene: Scene) -> None:
    rng, low = canvas.rng, scene.horizon * CANVAS
    leaves: list[Colour] = [(214, 120, 40), (234, 164, 50), (188, 74, 38)]
    for level, far in ((1.0, 0.36), (0.62, 0.2), (0.32, 0.06)):
        tone = jitter(rng, leaves[int(rng.integers(3))], 0.06)
        with canvas.at(far):
            _forest(canvas, low + 10 * (1 - level), low * 0.62 * level, tone, 0.3)
            for _ in range(5):
                x = rng.uniform(0, CANVAS)
                canvas.wash(box(x - 4, low - low * 0.3 * level, x + 4, low + 6),
                            canvas.lit((84, 52, 34)), 0.7)  # fmt: skip
    floor = jitter(rng, (206, 132, 58), 0.05)
    _fields(canvas, scene, [floor, shade(floor, 0.84)], 12, 4)
    for _ in range(int(rng.integers(16, 30))):
        share = rng.uniform(0.1, 1)
        x, y, size = rng.uniform(0, CANVAS), low + share * (CANVAS - low), 4 + 8 * share
        leaf = canvas.lit(leaves[int(rng.integers(3))])
        canvas.wash(oval((x, y), (size, size * 0.45), 12), leaf, 0.8)


def _towers(canvas: Canvas, scene: Scene, foot: float, far: float, tall: float) -> None:
    rng = canvas.rng
    dark = scene.time in ("night", "storm", "sunset")
    walls: list[Colour] = [(186, 108, 86), (206, 186, 156), (120, 132, 156), (214, 160, 104),
                           (88, 108, 140)]  # fmt: skip
    x = -float(rng.uniform(0, 30))
    while x < CANVAS:
        width = 32 * int(rng.integers(2, 4)) - 4.0
        height = CANVAS * tall * rng.uniform(0.5, 1.1)
        wall = jitter(rng, walls[int(rng.integers(len(walls)))], 0.06)
        roof = float(rng.random())
        with canvas.at(far):
            if roof < 0.35:
                peak = (x + width / 2, foot - height - width * 0.5)
                canvas.shape([(x, foot - height), peak, (x + width, foot - height)],
                             shade(wall, 0.6), round_light=0.4)  # fmt: skip
            elif roof < 0.5:
                canvas.shape(box(x + width * 0.46, foot - height - 44, x + width * 0.54,
                                 foot - height), shade(wall, 0.7))  # fmt: skip
            canvas.shape(box(x, foot - height, x + width, foot + 2), wall, bottom=shade(wall, 0.8),
                         round_light=0.45)  # fmt: skip
        for top in np.arange(foot - height + 14, foot - 18, 32):
            for left in np.arange(x + 8, x + width - 12, 24):
                lamp = rng.random() < (0.6 if far < 0.2 else 0.4)
                if dark and lamp:
                    canvas.wash(box(left, top, left + 12, top + 16), LAMP, 0.95 - far)
                elif far < 0.2:
                    canvas.wash(box(left, top, left + 12, top + 16), canvas.lit(WINDOW), 0.7)
        x += width + float(rng.choice([0, 0, 6]))


def _city(canvas: Canvas, scene: Scene) -> None:
    rng, low = canvas.rng, scene.horizon * CANVAS
    _towers(canvas, scene, low, 0.4, 0.62)
    _towers(canvas, scene, low, 0.0, 0.4)
    by_water = rng.random() < 0.6 or scene.main_kind in ("bridge", "boat")
    if by_water:
        paint_waterfront(canvas, scene)
        return
    ground = jitter(rng, (142, 142, 150), 0.05)
    canvas.shape(box(-4, low, CANVAS + 4, CANVAS + 4), ground, bottom=shade(ground, 0.75))
    middle = CANVAS * rng.uniform(0.4, 0.6)
    road: list[Point] = [(middle - 16, low), (middle + 16, low), (CANVAS * 0.9, CANVAS + 4),
                         (CANVAS * 0.1, CANVAS + 4)]  # fmt: skip
    canvas.shape(road, (84, 84, 94), bottom=(64, 64, 74))
    for share in (0.12, 0.36, 0.72):
        y, half = low + share * (CANVAS - low), 2 + 7 * share
        dash = box(middle - half, y, middle + half, y + 40 * share + 6)
        canvas.shape(dash, (238, 232, 206), outline=0)


def _sea(canvas: Canvas, scene: Scene) -> None:
    paint_sea(canvas, scene)


def _lake(canvas: Canvas, scene: Scene) -> None:
    rng = canvas.rng
    paint_lake(canvas, scene)
    green = jitter(rng, (118, 170, 70), 0.06)
    line = CANVAS * rng.uniform(0.86, 0.96) + 22 * ridge(rng, 0.2, 2)
    hill(canvas, line, green, shade(green, 0.75))


def _river(canvas: Canvas, scene: Scene) -> None:
    _meadow(canvas, scene)
    paint_river(canvas, scene)


PAINTERS: dict[str, Callable[[Canvas, Scene], None]] = {
    "meadow": _meadow,
    "hills": _hills,
    "mountains": _mountains,
    "sea": _sea,
    "lake": _lake,
    "river": _river,
    "desert": _desert,
    "snow": _snow,
    "wood": _wood,
    "city": _city,
}


def paint_land(canvas: Canvas, scene: Scene) -> None:
    """The ground with what lies on it."""
    PAINTERS[scene.ground](canvas, scene)
    if scene.ground == "wood" and scene.main_kind == "bridge":
        paint_river(canvas, scene)
    elif scene.path:
        _path(canvas, scene, (214, 222, 236) if scene.ground == "snow" else (222, 190, 138))
    if scene.flowers:
        _flower_field(canvas, scene)
