"""Houses, castles, windmills, lighthouses and bridges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .canvas import CANVAS, Canvas, Colour, Point, box, jitter, mix, oval, shade
from .plants import SNOW, bend, measures, ribbon
from .scenes import HOUSE_COLOURS, Scene, Thing

PANE: Colour = (88, 120, 154)
LAMP: Colour = (255, 214, 106)
DOOR: Colour = (96, 60, 42)
CREAM: Colour = (246, 238, 220)
STONE: Colour = (172, 162, 148)
ROOFS: tuple[Colour, ...] = ((178, 74, 50), (118, 62, 50), (84, 92, 112))


def lamps_burn(scene: Scene) -> bool:
    """Whether it is so dark that windows and lamps shine."""
    return scene.time in ("night", "storm")


def pane(canvas: Canvas, points: Sequence[Point], scene: Scene, *, outline: int = 3) -> None:
    """A window's glass: bluish and dark by day, shining when it is dark outside."""
    if lamps_burn(scene):
        with canvas.own_light():
            canvas.shape(points, LAMP, bottom=(255, 176, 70), outline=outline, flat=PANE)
    else:
        canvas.shape(points, shade(PANE, 0.8), bottom=shade(PANE, 1.2), outline=outline, flat=PANE)


def face(canvas: Canvas, points: Sequence[Point], colour: Colour, towards: float, pen: int) -> None:
    """A flat wall or roof that looks left (-1), right (1) or between: in the sun or in shade."""
    middle = float(np.mean([point[0] for point in points]))
    canvas.shape(points, shade(colour, 1.03), bottom=shade(colour, 0.86), outline=pen, flat=colour)
    light = canvas.light
    side = 0.2 if canvas.sun is None else float(np.clip((canvas.sun[0] - middle) / 140, -1, 1))
    facing = side * towards
    if facing > 0:
        canvas.wash(points, light.glow, 0.4 * facing * light.glow_share * (1 - canvas.far))
    else:
        canvas.wash(points, canvas.lit((30, 30, 62)), -0.5 * facing * light.shadow)


def _arch(middle: float, low: float, half: float, tall: float) -> list[Point]:
    """A doorway with a round top."""
    turns = np.linspace(0, np.pi, 12)
    bow = [(middle + half * np.cos(t), low - tall + half - half * np.sin(t)) for t in turns]
    return [(middle + half, low), *((float(a), float(b)) for a, b in bow), (middle - half, low)]


def _dot(middle: Point, size: float) -> list[Point]:
    return oval(middle, (size, size), 20)


def house(canvas: Canvas, thing: Thing, scene: Scene) -> None:
    """A cottage seen from a corner: gable with the door, long side with two windows, chimney."""
    rng = canvas.rng
    x, foot, height = measures(thing)
    wall = jitter(rng, HOUSE_COLOURS[thing.variant], 0.03)
    turned = float(rng.choice([-1, 1]))
    roof = ROOFS[int(rng.integers(1, 3) if thing.variant in ("red", "brown") else rng.integers(3))]
    eaves, ridge = rng.uniform(0.44, 0.5), 0.92
    long = rng.uniform(0.62, 0.74)
    if scene.ground == "snow":
        roof = SNOW
    pen = 4 if height > 120 else 3

    def at(across: float, up: float) -> Point:
        return x + turned * across * height, foot - up * height

    near, edge, end = -0.56, -0.08, -0.08 + long
    gable = (near + edge) / 2
    canvas.shadow(x, foot, 0.6 * height)
    chimney = [at(0.24, ridge - 0.2), at(0.24, 1.0), at(0.38, 1.0), at(0.38, ridge - 0.2)]
    brick = mix((150, 84, 66), roof, 0.1 if scene.ground == "snow" else 0.35)
    face(canvas, chimney, brick, -0.3 * turned, pen)
    top = [at(0.22, 0.97), at(0.22, 1.02), at(0.4, 1.02), at(0.4, 0.97)]
    canvas.shape(top, SNOW if scene.ground == "snow" else shade(brick, 0.75), outline=pen)
    side = [at(edge, 0), at(edge, eaves), at(end, eaves + 0.01), at(end, 0.03)]
    face(canvas, side, wall, turned, pen)
    front = [at(near, 0.02), at(near, eaves), at(gable, ridge), at(edge, eaves), at(edge, 0)]
    face(canvas, front, wall, -turned, pen)
    slope = [at(gable, ridge + 0.03), at(end - 0.14, ridge), at(end + 0.06, eaves - 0.05),
             at(edge + 0.05, eaves - 0.08)]  # fmt: skip
    face(canvas, slope, roof, 0.7 * turned, pen)
    barge = [
        at(near - 0.08, eaves - 0.08),
        at(gable, ridge + 0.03),
        at(edge + 0.05, eaves - 0.08),
        at(edge - 0.02, eaves - 0.08),
        at(gable, ridge - 0.09),
        at(near - 0.01, eaves - 0.08),
    ]
    canvas.shape(barge, SNOW if scene.ground == "snow" else shade(roof, 0.82), outline=pen)
    door = [at(gable - 0.085, 0.01), at(gable - 0.085, 0.32), at(gable + 0.085, 0.32),
            at(gable + 0.085, 0.005)]  # fmt: skip
    canvas.shape(door, DOOR if thing.variant != "brown" else (58, 86, 92), outline=3)
    middle = (edge + end) / 2 + 0.02
    frame = CREAM if thing.variant != "white" else (110, 130, 150)
    places = [(middle - 0.17, 0.14, 0.36), (middle + 0.17, 0.14, 0.36), (gable, 0.48, 0.66)]
    for place, low, high in places:
        half = 0.085 if place != gable else 0.06
        if height > 100:
            wide, sill, head = half + 0.025, low - 0.025, high + 0.02
            corners = ((-wide, sill), (-wide, head), (wide, head), (wide, sill))
            canvas.shape([at(place + dx, up) for dx, up in corners], frame, outline=3)
        glass = [at(place - half, low), at(place - half, high), at(place + half, high),
                 at(place + half, low)]  # fmt: skip
        pane(canvas, glass, scene, outline=0 if height > 100 else 3)
        if height > 130:
            for bar in (
                [at(place, low), at(place, high)],
                [at(place - half, (low + high) / 2), at(place + half, (low + high) / 2)],
            ):
                canvas.stroke(bar, frame, 4, outline=False)
    if lamps_burn(scene):
        canvas.glow(at(middle, 0.24), 0.28 * height, LAMP, 0.4)
        canvas.glow(at(gable, 0.56), 0.14 * height, LAMP, 0.35)


def _battlements(left: float, right: float, top: float, tooth: float) -> list[Point]:
    """The toothed upper edge of a wall, from left to right."""
    number = max(2, round((right - left) / (2.2 * tooth)))
    step = (right - left) / (2 * number - 1)
    points: list[Point] = []
    for index in range(2 * number - 1):
        level = top - tooth if index % 2 == 0 else top
        points += [(left + index * step, level), (left + (index + 1) * step, level)]
    return points


def _tower(
    canvas: Canvas, place: tuple[float, float, float, float], stone: Colour, roof: Colour
) -> None:
    """A round tower with a pointed roof: middle, foot, half its width and height of the wall."""
    middle, foot, half, tall = place
    top = foot - tall
    canvas.shape(box(middle - half, top, middle + half, foot), stone, round_light=0.8, outline=4)
    rim = box(middle - half * 1.16, top, middle + half * 1.16, top + half * 0.42)
    canvas.shape(rim, shade(stone, 0.9), round_light=0.8, outline=4)
    cone = [(middle - half * 1.4, top), (middle, top - half * 2.6), (middle + half * 1.4, top)]
    canvas.shape(cone, roof, round_light=0.8, outline=4)


def castle(canvas: Canvas, thing: Thing, scene: Scene) -> None:
    """A castle with a gate, toothed walls, towers with pointed roofs, and a flag."""
    rng = canvas.rng
    x, foot, height = measures(thing)
    stone = jitter(rng, STONE, 0.05)
    roof = ((62, 92, 150), (164, 66, 58), (72, 112, 104))[int(rng.integers(3))]
    banner = ((214, 56, 48), (246, 200, 60), (60, 112, 200))[int(rng.integers(3))]
    left_tall, right_tall = rng.uniform(0.52, 0.6), rng.uniform(0.44, 0.56)
    shift = rng.uniform(-0.1, 0.1) * height
    if scene.ground == "snow":
        roof = SNOW
    canvas.shadow(x, foot, 0.56 * height)
    keep, half = x + shift, 0.1 * height
    tip = foot - 0.64 * height - half * 2.6
    canvas.stroke([(keep, tip + 4), (keep, foot - height)], (70, 56, 50), 4)
    flag = [(keep, foot - height), (keep + 0.13 * height, foot - 0.965 * height),
            (keep, foot - 0.93 * height)]  # fmt: skip
    canvas.shape(flag, banner, outline=3)
    _tower(canvas, (keep, foot - 0.1 * height, half, 0.54 * height), shade(stone, 0.94), roof)
    hall = box(x - 0.28 * height, 0, x + 0.28 * height, foot - 0.1 * height)
    hall[:2] = _battlements(
        x - 0.28 * height, x + 0.28 * height, foot - 0.44 * height, 0.04 * height
    )
    canvas.shape(hall, shade(stone, 0.88), round_light=0.35, outline=4)
    for middle, tall in ((x - 0.42 * height, left_tall), (x + 0.42 * height, right_tall)):
        _tower(canvas, (middle, foot, 0.105 * height, tall * height), stone, roof)
    wall = box(x - 0.33 * height, 0, x + 0.33 * height, foot)
    wall[:2] = _battlements(
        x - 0.33 * height, x + 0.33 * height, foot - 0.28 * height, 0.045 * height
    )
    canvas.shape(wall, shade(stone, 1.06), bottom=shade(stone, 0.86), round_light=0.4, outline=4,
                 flat=stone)  # fmt: skip
    canvas.shape(_arch(x, foot, 0.105 * height, 0.215 * height), shade(stone, 0.7), outline=4)
    canvas.shape(_arch(x, foot, 0.075 * height, 0.18 * height), (66, 46, 40), outline=0)
    slits = [(keep, 0.54), (x - 0.42 * height, left_tall - 0.16),
             (x + 0.42 * height, right_tall - 0.16), (x - 0.15 * height, 0.33),
             (x + 0.15 * height, 0.33)]  # fmt: skip
    for middle, up in slits:
        low = foot - (up - 0.045) * height
        pane(canvas, _arch(middle, low, 0.026 * height, 0.1 * height), scene, outline=3)
    if lamps_burn(scene):
        canvas.glow((keep, foot - 0.56 * height), 0.14 * height, LAMP, 0.4)
        canvas.glow((x, foot - 0.34 * height), 0.3 * height, LAMP, 0.3)


def windmill(canvas: Canvas, thing: Thing, scene: Scene) -> None:
    """A tower mill with four great sails."""
    rng = canvas.rng
    x, foot, height = measures(thing)
    wall = ((244, 236, 218), (214, 150, 108), (236, 214, 170))[int(rng.integers(3))]
    cap = ((150, 62, 46), (92, 74, 70), (70, 96, 122))[int(rng.integers(3))]
    turn = rng.uniform(0.2, 0.62)
    hub = (x, foot - 0.62 * height)
    reach = 0.41 * height
    canvas.shadow(x, foot, 0.26 * height)
    tower = [(x - 0.17 * height, foot), (x - 0.105 * height, foot - 0.58 * height),
             (x + 0.105 * height, foot - 0.58 * height), (x + 0.17 * height, foot)]  # fmt: skip
    canvas.shape(tower, wall, round_light=0.8, outline=4)
    band = [
        (x - 0.147 * height, foot - 0.2 * height),
        (x - 0.14 * height, foot - 0.26 * height),
        (x + 0.14 * height, foot - 0.26 * height),
        (x + 0.147 * height, foot - 0.2 * height),
    ]
    canvas.shape(band, cap, round_light=0.7, outline=0)
    dome = bend((x - 0.14 * height, foot - 0.57 * height),
                (x - 0.12 * height, foot - 0.76 * height), (x, foot - 0.77 * height))  # fmt: skip
    points = [(float(a), float(b)) for a, b in dome]
    points += [(2 * x - a, b) for a, b in points[::-1]]
    roof = SNOW if scene.ground == "snow" else cap
    canvas.shape(points, roof, round_light=0.7, outline=4)
    canvas.shape(_arch(x, foot, 0.055 * height, 0.16 * height), DOOR, outline=3)
    for place, up in ((-0.045, 0.33), (0.05, 0.46)):
        low = foot - up * height
        pane(canvas, _arch(x + place * height, low, 0.03 * height, 0.085 * height), scene)
    for quarter in range(4):
        angle = turn + quarter * np.pi / 2
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-along[1], along[0]])

        def at(out: float, aside: float, along=along, across=across) -> Point:
            spot = np.asarray(hub) + along * out * reach + across * aside * reach
            return float(spot[0]), float(spot[1])

        cloth = [at(0.26, 0.0), at(0.26, 0.25), at(1.0, 0.29), at(1.0, 0.0)]
        canvas.shape(cloth, CREAM, round_light=0.5, outline=3)
        for out in (0.5, 0.75):
            canvas.stroke([at(out, 0.0), at(out, 0.26)], (150, 116, 84), 4, outline=False)
        beam = [at(0.0, -0.045), at(0.0, 0.045), at(1.04, 0.035), at(1.04, -0.035)]
        canvas.shape(beam, (104, 72, 50), outline=3)
    canvas.shape(_dot(hub, 0.034 * height), (84, 58, 44), outline=3)
    if lamps_burn(scene):
        canvas.glow((x, foot - 0.42 * height), 0.16 * height, LAMP, 0.35)


def _beam(canvas: Canvas, lamp: Point, side: float, strength: float) -> None:
    """Soft light thrown to both sides, farther to one of them."""
    rows, columns = np.ogrid[0:CANVAS, 0:CANVAS]
    along = ((columns - lamp[0]) * side + 0.06 * (rows - lamp[1])).astype(np.float32)
    across = ((rows - lamp[1]) - 0.06 * side * (columns - lamp[0])).astype(np.float32)
    width = 7 + 0.16 * np.abs(along)
    fade = np.exp(-np.abs(along) / np.where(along > 0, 260, 90).astype(np.float32))
    canvas.blend((255, 236, 168), strength * fade * np.exp(-((across / width) ** 2)))


def lighthouse(canvas: Canvas, thing: Thing, scene: Scene) -> None:
    """A red and white tower on a rock, its lamp shining in the dark and in fog."""
    rng = canvas.rng
    x, foot, height = measures(thing)
    pen = 4
    heights = rng.uniform(0.07, 0.13, 4)
    rock = [
        (x - 0.36 * height, foot + 0.015 * height),
        (x - 0.3 * height, foot - heights[0] * 0.6 * height),
        (x - 0.17 * height, foot - heights[1] * height),
        (x, foot - 0.13 * height),
        (x + 0.16 * height, foot - heights[2] * height),
        (x + 0.31 * height, foot - heights[3] * 0.6 * height),
        (x + 0.38 * height, foot + 0.015 * height),
    ]
    surf = oval((x, foot + 0.012 * height), (0.44 * height, 0.035 * height))
    canvas.wash(surf, canvas.lit((240, 248, 252)), 0.75)
    canvas.shape(rock, (126, 112, 104), bottom=(80, 74, 78), round_light=0.5, outline=pen)
    low, high, wide, slim = 0.1, 0.78, 0.105 * height, 0.066 * height
    for level in range(5):
        start, stop = level / 5, (level + 1) / 5
        below, above = (foot - height * (low + (high - low) * part) for part in (start, stop))
        first, second = (wide + (slim - wide) * part for part in (start, stop))
        band = [(x - first, below), (x - second, above), (x + second, above), (x + first, below)]
        canvas.shape(band, (212, 52, 46) if level % 2 == 0 else (248, 244, 236), round_light=0.85,
                     outline=pen)  # fmt: skip
    canvas.shape(_arch(x, foot - 0.105 * height, 0.035 * height, 0.09 * height), DOOR, outline=3)
    pane(canvas, _arch(x, foot - 0.42 * height, 0.024 * height, 0.07 * height), scene)
    burning = scene.time in ("night", "storm", "fog")
    lamp = (x, foot - 0.85 * height)
    room = box(x - 0.05 * height, foot - 0.905 * height, x + 0.05 * height, foot - 0.79 * height)
    if burning:
        with canvas.own_light():
            canvas.shape(room, (255, 240, 176), outline=3, flat=(250, 220, 120))
    else:
        canvas.shape(room, (196, 222, 232), bottom=(250, 226, 150), outline=3, flat=(250, 220, 120))
    for side in (-0.047, 0.047):
        bar = [(x + side * height, foot - 0.9 * height), (x + side * height, foot - 0.79 * height)]
        canvas.stroke(bar, (70, 50, 50), 4, outline=False)
    gallery = box(x - 0.1 * height, foot - 0.8 * height, x + 0.1 * height, foot - 0.765 * height)
    canvas.shape(gallery, (84, 60, 60), outline=3)
    dome = bend(
        (x - 0.075 * height, foot - 0.895 * height),
        (x - 0.05 * height, foot - 0.97 * height),
        (x, foot - 0.985 * height),
        8,
    )
    points = [(float(a), float(b)) for a, b in dome]
    points += [(2 * x - a, b) for a, b in points[::-1]]
    canvas.shape(points, (180, 44, 42), round_light=0.7, outline=3)
    canvas.shape(_dot((x, foot - 0.985 * height), 0.015 * height), (84, 60, 60), outline=0)
    if burning:
        _beam(canvas, lamp, 1.0 if x < CANVAS / 2 else -1.0, 0.7 if scene.time == "night" else 0.5)
        canvas.glow(lamp, 0.1 * height, (255, 240, 184), 0.85)


def bridge(canvas: Canvas, thing: Thing, _scene: Scene) -> None:
    """A humped stone bridge with round arches, open to what is painted behind it."""
    rng = canvas.rng
    x, foot, height = measures(thing)
    half = 0.5 * rng.uniform(0.62, 0.7) * CANVAS
    stone = jitter(rng, (186, 166, 140), 0.05)
    number = int(rng.choice([2, 3, 3]))
    deep = 0.1 * height

    def deck(across: float) -> float:
        return foot - height * (0.38 + 0.62 * np.cos(across * np.pi / 2) ** 1.4)

    spots = np.linspace(-1, 1, 25)
    upper = [(float(x + half * spot), float(deck(spot))) for spot in spots]
    pier = 0.07 * half
    sizes = np.array([1.0, 1.0] if number == 2 else [0.76, 1.0, 0.76])
    room = 2 * half * 0.8 - pier * (number - 1)
    widths = room * sizes / sizes.sum()
    arches: list[list[Point]] = []
    left = x - half * 0.8
    for width in widths:
        middle = left + width / 2
        rise = (foot - deck((middle - x) / half)) * 0.74
        turns = np.linspace(np.pi, 2 * np.pi, 18)
        arches.append([(float(middle + width / 2 * np.cos(t)), float(foot + rise * np.sin(t)))
                       for t in turns])  # fmt: skip
        left += width + pier
    under = [point for arch in arches for point in arch]
    outline = [*upper, (x + half, foot + 2), *under[::-1], (x - half, foot + 2)]
    behind = [(a + deep, b) for a, b in outline]
    canvas.shape(
        behind, shade(stone, 0.5), bottom=shade(stone, 0.36), outline=3, flat=shade(stone, 0.6)
    )
    canvas.shape(outline, shade(stone, 1.04), bottom=shade(stone, 0.78), outline=4, flat=stone,
                 round_light=0.3)  # fmt: skip
    for arch in arches:
        rim = np.asarray(arch) - (0, 0.03 * height)
        canvas.wash(ribbon(rim, [0.035 * height] * len(rim)), canvas.lit(shade(stone, 1.2)), 0.85)
    path = np.asarray(upper) - (0, 0.02 * height)
    canvas.shape(ribbon(path, [0.055 * height] * len(path)), shade(stone, 1.14), outline=4,
                 flat=stone)  # fmt: skip
    for end in (-1, 1):
        post = x + end * half
        top = deck(end) - 0.16 * height
        canvas.shape(box(post - 0.09 * height, top, post + 0.09 * height, foot + 4), stone,
                     bottom=shade(stone, 0.8), round_light=0.4, outline=4)  # fmt: skip
