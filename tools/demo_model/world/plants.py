"""Trees, flowers and cacti, and the curved outlines they are made of."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .canvas import CANVAS, Canvas, Colour, Point, jitter, mix, oval, shade
from .scenes import FLOWER_COLOURS, Scene, Thing

TRUNK: Colour = (104, 70, 46)
SNOW: Colour = (244, 248, 254)
STEM: Colour = (58, 128, 54)
_CROWNS: dict[str, tuple[Colour, Colour]] = {
    "round": ((52, 128, 52), (112, 160, 50)),
    "autumn": ((206, 78, 34), (240, 158, 40)),
    "blossom": ((240, 150, 178), (252, 196, 208)),
}


def measures(thing: Thing) -> tuple[float, float, float]:
    """The middle, the foot and the height of a thing in canvas pixels."""
    return thing.x * CANVAS, thing.y * CANVAS, thing.size * CANVAS


def sunward(canvas: Canvas, middle: Point) -> Point:
    """The direction the light comes from as seen from a point, one long, never from below."""
    if canvas.sun is None:
        return 0.0, -1.0
    across, down = canvas.sun[0] - middle[0], canvas.sun[1] - middle[1]
    down = min(down, -0.35 * abs(across) - 1)
    long = float(np.hypot(across, down))
    return across / long, down / long


def lit_tone(canvas: Canvas, colour: Colour, share: float) -> Colour:
    """The colour as this light shows it on the side towards the sun."""
    towards = share * canvas.light.glow_share * (1 - canvas.far)
    return mix(canvas.lit(colour), canvas.light.glow, towards)


def shrunk(points: Sequence[Point], middle: Point, share: float) -> list[Point]:
    """The outline made smaller about a point within it."""
    return [
        (middle[0] + (x - middle[0]) * share, middle[1] + (y - middle[1]) * share)
        for x, y in points
    ]


def bend(start: Point, pull: Point, end: Point, steps: int = 10) -> np.ndarray:
    """Points of the curve from start to end that is drawn towards `pull`."""
    share = np.linspace(0, 1, steps)[:, None]
    first, second, third = (np.asarray(point, float) for point in (start, pull, end))
    return first * (1 - share) ** 2 + 2 * second * share * (1 - share) + third * share**2


def ribbon(path: np.ndarray, halves: Sequence[float] | np.ndarray) -> list[Point]:
    """The outline of a bent strip that is twice so wide at each point of its path."""
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    across = along[:, ::-1] * (-1, 1) * np.asarray(halves)[:, None]
    return [(float(x), float(y)) for x, y in np.concatenate([path + across, (path - across)[::-1]])]


def merged(parts: Sequence[Sequence[Point]]) -> list[Point]:
    """The outline around overlapping polygons."""
    every = np.concatenate([np.asarray(part) for part in parts])
    corner = every.min(0) - 4
    width, height = (2 * (every.max(0) - corner + 4)).astype(int)
    mask = np.zeros((height, width), np.uint8)
    for part in parts:
        cv2.fillPoly(mask, [np.round(2 * (np.asarray(part) - corner)).astype(np.int32)], 255)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    line = cv2.approxPolyDP(max(contours, key=len), 1.2, True)[:, 0] / 2 + corner
    return [(float(x), float(y)) for x, y in line]


def leaf(start: Point, pull: Point, end: Point, half: float) -> list[Point]:
    """A pointed leaf along a curve."""
    share = np.linspace(0, 1, 11)
    return ribbon(bend(start, pull, end, 11), half * np.sin(np.pi * share**0.8))


def _pen(height: float) -> int:
    return 4 if height > 120 else 3


def _crown(canvas: Canvas, middle: Point, radii: Point, tone: Colour, pen: int) -> None:
    """A mass of leaves: a puffed outline, in shade below and in light towards the sun."""
    rng = canvas.rng
    number = int(rng.integers(7, 10))
    turns = np.linspace(0, 2 * np.pi, number, endpoint=False) + rng.uniform(0, 2 * np.pi)
    puffs = [oval(middle, (radii[0] * 0.78, radii[1] * 0.78), 24)]
    for turn in turns:
        size = rng.uniform(0.34, 0.46)
        out = 1 - size
        puff = middle[0] + radii[0] * out * np.cos(turn), middle[1] + radii[1] * out * np.sin(turn)
        puffs.append(oval(puff, (radii[0] * size, radii[1] * size), 20))
    outline = merged(puffs)
    canvas.shape(outline, shade(tone, 0.66), round_light=0.35, outline=pen, flat=tone)
    across, down = sunward(canvas, middle)
    for share, reach, colour in (
        (0.84, 0.62, canvas.lit(tone)),
        (0.5, 0.66, lit_tone(canvas, shade(tone, 1.16), 0.4)),
        (0.2, 0.72, lit_tone(canvas, shade(tone, 1.25), 0.75)),
    ):
        towards = middle[0] + across * reach * radii[0], middle[1] + down * reach * radii[1]
        canvas.wash(shrunk(outline, towards, share), colour, 0.9)


def _leafy(canvas: Canvas, thing: Thing, scene: Scene) -> None:
    rng = canvas.rng
    x, foot, height = measures(thing)
    first, second = _CROWNS[thing.variant]
    tone = jitter(rng, mix(first, second, rng.uniform(0, 1)), 0.05)
    wide, lean = rng.uniform(0.31, 0.37) * height, rng.uniform(-0.05, 0.05) * height
    tall = 0.33 * height
    if thing.variant == "blossom":
        wide, tall = wide * 1.2, tall * 0.9
    bark = shade(TRUNK, 0.8) if thing.variant == "blossom" else TRUNK
    crown = (x + lean, foot - height + tall)
    path = bend((x, foot), (x, foot - 0.3 * height), (crown[0], foot - 0.62 * height))
    halves = height * np.array([0.062, 0.046, *np.linspace(0.038, 0.026, 8)])
    canvas.shape(ribbon(path, halves), bark, round_light=0.5, outline=_pen(height))
    if height > 100:
        for side in (-1, 1):
            fork = (x + side * 0.04 * height, foot - 0.45 * height)
            end = (crown[0] + side * 0.16 * height, foot - 0.55 * height)
            start = (x + 0.4 * lean, foot - 0.28 * height)
            limb = ribbon(bend(start, fork, end), np.linspace(0.022, 0.015, 10) * height)
            canvas.shape(limb, bark, outline=0)
    _crown(canvas, crown, (wide, tall), tone, _pen(height))
    if scene.ground == "snow":
        cap = shrunk(oval(crown, (wide, tall)), (crown[0], crown[1] - tall), 0.4)
        canvas.wash(cap, canvas.lit(SNOW), 0.9)


def _pine(canvas: Canvas, thing: Thing, scene: Scene) -> None:
    rng = canvas.rng
    x, foot, height = measures(thing)
    tone = jitter(rng, (38, 98, 66), 0.06)
    wide = rng.uniform(0.25, 0.31) * height
    trunk = [(x - 0.05 * height, foot), (x - 0.035 * height, foot - 0.3 * height),
             (x + 0.035 * height, foot - 0.3 * height), (x + 0.05 * height, foot)]  # fmt: skip
    canvas.shape(trunk, shade(TRUNK, 0.85), round_light=0.4, outline=_pen(height))
    levels = 4 if height > 90 else 3
    for level in range(levels):
        share = level / (levels - 1)
        base = foot - height * (0.11 + 0.5 * share)
        half, peak = wide * (1 - 0.46 * share), base - height * (0.42 - 0.03 * share)
        drop = 0.035 * height
        left, right = (x - half, base + 0.3 * drop), (x + half, base + 0.3 * drop)
        under = [
            (x + half * turn, base + drop * fall)
            for turn, fall in ((0.62, 0.3), (0.34, 1.0), (0.0, 0.4), (-0.34, 1.0), (-0.62, 0.3))
        ]
        slope_right = bend((x, peak), (x + half * 0.4, base - 0.14 * height), right, 6)
        slope_left = bend(left, (x - half * 0.4, base - 0.14 * height), (x, peak), 6)
        tier = [(float(a), float(b)) for a, b in slope_right] + under
        tier += [(float(a), float(b)) for a, b in slope_left[:-1]]
        colour = shade(tone, 0.88 + 0.2 * share)
        canvas.shape(tier, shade(colour, 1.08), bottom=shade(colour, 0.72), round_light=0.6,
                     outline=_pen(height), flat=tone)  # fmt: skip
        if scene.ground == "snow":
            fall = 0.6
            cap = [(x, peak), *((float(a), float(b)) for a, b in slope_right[1:4])]
            end = slope_right[3]
            reach = float(end[0]) - x
            cap += [
                (x + reach * 0.55, end[1] - fall * drop),
                (x + reach * 0.2, end[1] + drop),
                (x - reach * 0.2, end[1] - fall * drop),
                (x - reach * 0.6, end[1] + fall * drop),
            ]
            cap += [(float(a), float(b)) for a, b in slope_left[2:-1]]
            canvas.shape(cap, SNOW, round_light=0.4, outline=0)


def _palm(canvas: Canvas, thing: Thing, _scene: Scene) -> None:
    rng = canvas.rng
    x, foot, height = measures(thing)
    lean = float(rng.choice([-1, 1]) * rng.uniform(0.08, 0.2)) * height
    top = (x + lean, foot - 0.74 * height)
    tone = jitter(rng, (64, 140, 60), 0.06)
    path = bend((x, foot), (x - 0.1 * lean, foot - 0.45 * height), top, 12)
    halves = height * np.array([0.05, *np.linspace(0.036, 0.024, 11)])
    pen = _pen(height)
    reach = 0.4 * height
    # (how far out, how far up the bow, how far down the tip), the hindmost first
    fronds = ((-0.6, 0.55, 0.3), (0.6, 0.55, 0.3), (-0.95, 0.5, -0.12), (0.95, 0.5, -0.12),
              (-0.82, 0.42, -0.5), (0.82, 0.42, -0.5), (0.1, 0.62, 0.55))  # fmt: skip
    turn = rng.uniform(-0.12, 0.12)
    for number, (out, bow, up) in enumerate(fronds):
        if number == 4:
            canvas.shape(ribbon(path, halves), (150, 112, 72), round_light=0.6, outline=pen)
        pull = top[0] + reach * (0.5 * out + 0.3 * turn), top[1] - reach * bow
        tip = top[0] + reach * (out + turn), top[1] - reach * (up + turn * out)
        colour = shade(tone, 0.74 if number < 2 else 1.0)
        blade = leaf(top, pull, tip, 0.058 * height)
        canvas.shape(blade, colour, bottom=shade(colour, 0.72), outline=pen, flat=tone)
        spine = bend(top, pull, tip)[1:-2]
        rib = ribbon(spine, np.linspace(0.016, 0.008, len(spine)) * height)
        canvas.wash(rib, lit_tone(canvas, shade(colour, 1.3), 0.6), 0.8)
    for side in (-0.045, 0.04):
        nut = (top[0] + side * height, top[1] + 0.035 * height)
        canvas.ellipse(nut, (0.035 * height, 0.035 * height), (112, 74, 44), outline=0)


def _branch(
    canvas: Canvas, start: Point, turn: float, length: float, width: float, level: int
) -> None:
    rng = canvas.rng
    end = (start[0] + length * np.cos(turn), start[1] + length * np.sin(turn))
    if width >= 3:
        canvas.stroke([start, end], (86, 66, 56), width)
    if level:
        for side in (-1, 1):
            fork = turn + side * rng.uniform(0.3, 0.58) + 0.1 * np.cos(turn)
            shorter = length * rng.uniform(0.66, 0.8)
            _branch(canvas, end, fork, shorter, width * 0.66, level - 1)


def _bare(canvas: Canvas, thing: Thing, _scene: Scene) -> None:
    rng = canvas.rng
    x, foot, height = measures(thing)
    lean = rng.uniform(-0.04, 0.04) * height
    path = bend((x, foot), (x, foot - 0.2 * height), (x + lean, foot - 0.4 * height), 8)
    start = (x + lean, foot - 0.38 * height)
    for turn in (-0.75, 0.0, 0.75):
        swing = -np.pi / 2 + turn + rng.uniform(-0.12, 0.12)
        length = height * (0.25 if turn == 0 else 0.21)
        _branch(canvas, start, swing, length, 0.05 * height, 3)
    halves = height * np.array([0.07, 0.05, *np.linspace(0.042, 0.03, 6)])
    canvas.shape(ribbon(path, halves), (86, 66, 56), round_light=0.5, outline=_pen(height))
    canvas.shape(oval(start, (0.032 * height, 0.032 * height), 16), (86, 66, 56), outline=0)


_TREES = {
    "round": _leafy,
    "autumn": _leafy,
    "blossom": _leafy,
    "pine": _pine,
    "palm": _palm,
    "bare": _bare,
}


def tree(canvas: Canvas, thing: Thing, scene: Scene) -> None:
    """A tree of the thing's variant."""
    x, foot, height = measures(thing)
    canvas.shadow(x, foot, height * (0.16 if thing.variant in ("palm", "bare") else 0.26))
    _TREES[thing.variant](canvas, thing, scene)


def cactus(canvas: Canvas, thing: Thing, _scene: Scene) -> None:
    """A tall cactus with two arms and a flower."""
    rng = canvas.rng
    x, foot, height = measures(thing)
    tone = jitter(rng, (74, 142, 84), 0.06)
    side = float(rng.choice([-1, 1]))
    thick, arm = 0.1 * height, 0.068 * height
    top = (x, foot - 0.94 * height + thick)
    parts = [
        ribbon(bend((x, foot), (x, foot - 0.5 * height), top), np.linspace(0.86, 1, 10) * thick),
        oval(top, (thick, thick)),
    ]
    tips: list[Point] = []
    ribs = [[(x, foot - 0.05 * height), top]]
    for towards, low, high in (
        (side, rng.uniform(0.3, 0.38), rng.uniform(0.72, 0.82)),
        (-side, rng.uniform(0.42, 0.5), rng.uniform(0.6, 0.72)),
    ):
        start, out = (x, foot - low * height), x + towards * 0.27 * height
        elbow = (out, foot - low * height)
        tip = (out, foot - high * height + arm)
        bow = bend(
            (x + towards * 0.14 * height, start[1]), elbow, (out, elbow[1] - 0.12 * height), 8
        )
        path = np.concatenate([[start], bow, [tip]])
        parts += [ribbon(path, [arm] * len(path)), oval(tip, (arm, arm))]
        ribs.append([(float(a), float(b)) for a, b in path[2:]])
        tips.append((out, tip[1] - arm))
    canvas.shadow(x, foot, 0.2 * height)
    canvas.shape(merged(parts), tone, round_light=0.75, outline=_pen(height))
    across = sunward(canvas, (x, foot - height / 2))[0]
    for number, rib in enumerate(ribs):
        half = (thick if number == 0 else arm) * 0.42
        for shift, colour in (
            (across, lit_tone(canvas, shade(tone, 1.2), 0.7)),
            (-across if across else 1.0, canvas.lit(shade(tone, 0.66))),
        ):
            step = half * 1.1 * float(np.sign(shift) or 1)
            moved = np.add(rib, (step, 0))
            canvas.wash(ribbon(moved, [max(2.0, half * 0.42)] * len(moved)), colour, 0.8)
    petal = float(rng.uniform(0.8, 1.0))
    for spot in ((x, top[1] - thick), tips[0]):
        size = 0.045 * height * petal
        bloom = [oval((spot[0] + dx * size, spot[1] - dy * size), (size * 0.75, size), 16)
                 for dx, dy in ((-0.8, 0.3), (0.8, 0.3), (0.0, 0.7))]  # fmt: skip
        canvas.shape(merged(bloom), (240, 96, 130), round_light=0.3, outline=3)


def _poppy(canvas: Canvas, head: Point, size: float, tone: Colour) -> None:
    for dx, dy, wide, tall, light in (
        (0.0, -0.38, 0.82, 0.62, 0.8),
        (-0.46, 0.02, 0.6, 0.72, 0.92),
        (0.46, 0.02, 0.6, 0.72, 0.92),
        (0.0, 0.36, 0.8, 0.58, 1.06),
    ):
        middle = (head[0] + dx * size, head[1] + dy * size)
        canvas.ellipse(middle, (wide * size, tall * size), shade(tone, light), flat=tone,
                       bottom=shade(tone, light * 0.85), round_light=0.3, outline=3)  # fmt: skip
    canvas.ellipse((head[0], head[1] - 0.04 * size), (0.26 * size, 0.24 * size), (44, 26, 40),
                   outline=0)  # fmt: skip
    canvas.wash(oval((head[0], head[1] - 0.06 * size), (0.11 * size, 0.1 * size), 14),
                canvas.lit((150, 170, 96)), 1.0)  # fmt: skip


def _sunflower(canvas: Canvas, head: Point, size: float, tone: Colour) -> None:
    for reach, turned, light, pen in ((1.12, 0.0, 0.86, 3), (0.9, 0.5, 1.04, 0)):
        petals: list[Point] = []
        for step in range(12 * 6):
            turn = 2 * np.pi * (step / 72 + turned / 12)
            out = size * reach * (0.7, 0.86, 0.96, 1.0, 0.96, 0.86)[step % 6]
            petals.append((head[0] + out * np.cos(turn), head[1] + out * np.sin(turn)))
        lit = shade(tone, light)
        canvas.shape(petals, lit, bottom=mix(lit, (236, 140, 40), 0.35), flat=tone,
                     round_light=0.25, outline=pen)  # fmt: skip
    canvas.ellipse(head, (0.5 * size, 0.5 * size), (112, 66, 34), outline=3)
    canvas.wash(oval(head, (0.27 * size, 0.27 * size), 20), canvas.lit((72, 42, 28)), 1.0)


def _tulip(canvas: Canvas, head: Point, size: float, tone: Colour) -> None:
    x, low = head[0], head[1] + 0.85 * size
    middle = leaf((x, low), (x, head[1]), (x, head[1] - 1.05 * size), 0.5 * size)
    canvas.shape(middle, shade(tone, 0.78), outline=3, flat=tone)
    for side in (-1, 1):
        tip = (x + side * 0.5 * size, head[1] - 0.95 * size)
        petal = leaf((x + side * 0.06 * size, low), (x + side * 1.1 * size, head[1] + 0.25 * size),
                     tip, 0.42 * size)  # fmt: skip
        canvas.shape(petal, tone, bottom=shade(tone, 0.86), round_light=0.4, outline=3)
    front = leaf((x, low + 0.02 * size), (x, head[1]), (x, head[1] - 0.6 * size), 0.4 * size)
    canvas.shape(front, shade(tone, 1.14), bottom=shade(tone, 0.92), outline=3, flat=tone)


_HEADS = {"red": _poppy, "yellow": _sunflower, "purple": _tulip}


def flowers(canvas: Canvas, thing: Thing, _scene: Scene) -> None:
    """A handful of great flowers in the foreground: poppies, sunflowers or tulips."""
    rng = canvas.rng
    x, foot, height = measures(thing)
    foot = max(foot, CANVAS * 0.97)
    number = int(rng.integers(3, 7))
    spread = 0.24 * height * (number - 1)
    tall = rng.permutation(np.linspace(0.62, 1.0, number))
    green = jitter(rng, STEM, 0.06)
    blooms: list[tuple[float, Point, float, Colour]] = []
    for place, share in zip(np.linspace(-1, 1, number), tall, strict=True):
        root = (x + place * spread * 0.75 + rng.uniform(-6, 6), foot + 10)
        size = 0.155 * height * rng.uniform(0.92, 1.12)
        head = (x + place * spread + rng.uniform(-6, 6), foot - share * height + 1.1 * size)
        tone = jitter(rng, FLOWER_COLOURS[thing.variant], 0.05)
        side = float(rng.choice([-1, 1]))
        stem = bend(root, (root[0], (root[1] + head[1]) / 2), head)
        canvas.shape(ribbon(stem, [max(3.0, 0.017 * height)] * len(stem)), green,
                     round_light=0.3, outline=3)  # fmt: skip
        for towards, high in ((side, 0.3), (-side, 0.16)):
            base = stem[int(10 * high)]
            tip = (base[0] + towards * 0.2 * height, base[1] - 0.16 * height)
            pull = (base[0] + towards * 0.06 * height, base[1] - 0.18 * height)
            blade = leaf((float(base[0]), float(base[1])), pull, tip, 0.04 * height)
            canvas.shape(blade, shade(green, 1.12), bottom=shade(green, 0.74), round_light=0.3,
                         outline=3, flat=green)  # fmt: skip
        blooms.append((float(share), head, float(size), tone))
    for _, head, size, tone in sorted(blooms, reverse=True):
        _HEADS[thing.variant](canvas, head, size, tone)
