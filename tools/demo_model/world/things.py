"""The things that stand in a landscape, each drawn by its kind; boats and balloons themselves."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from .buildings import LAMP, bridge, castle, house, lamps_burn, lighthouse, windmill
from .canvas import CANVAS, Canvas, Colour, Point, box, oval, shade
from .plants import bend, cactus, flowers, lit_tone, measures, sunward, tree
from .scenes import BALLOON_COLOURS, SAIL_COLOURS, Scene, Thing


def _reflect(canvas: Canvas, before: np.ndarray, area: tuple[int, int, int, int]) -> None:
    """Mirror what was painted since `before` in the water at the lower edge of the area."""
    left, top, right, low = area
    deep = min(int((low - top) * 0.62), CANVAS - low)
    if deep < 2 or right - left < 2:
        return
    part = canvas.colour[top:low, left:right]
    new = (np.abs(part.astype(np.int16) - before[top:low, left:right]).max(2) > 5) * np.float32(0.5)
    rows, columns = np.mgrid[0:deep, 0 : right - left].astype(np.float32)
    sway = 3 * np.sin((rows + low) * (2 * np.pi / 16)) * (0.4 + rows / deep)
    source = (low - top - 1) * (1 - rows / deep)
    mirrored = cv2.remap(part, columns + sway, source, cv2.INTER_LINEAR)
    cover = cv2.remap(cv2.GaussianBlur(new, (0, 0), 2), columns + sway, source, cv2.INTER_LINEAR)
    cover = (cover * (1 - 0.5 * rows / deep))[..., None]
    water = canvas.colour[low : low + deep, left:right]
    water[:] = (water * (1 - cover) + mirrored * (0.82 * cover)).astype(np.uint8)


def _line(points: np.ndarray) -> list[Point]:
    return [(float(x), float(y)) for x, y in points]


def _boat(canvas: Canvas, thing: Thing, scene: Scene) -> None:
    rng = canvas.rng
    x, foot, height = measures(thing)
    before = canvas.colour.copy()
    ahead = float(rng.choice([-1, 1]))
    sail = SAIL_COLOURS[thing.variant]
    hull = ((140, 78, 46), (54, 84, 120), (112, 52, 48))[int(rng.integers(3))]
    stripe = (244, 236, 218)

    def at(across: float, up: float) -> Point:
        return x + ahead * across * height, foot - up * height

    canvas.stroke([at(0.02, 0.15), at(0.02, 1.0)], (96, 68, 48), max(5, 0.03 * height))
    main = [at(0.0, 0.95), *_line(bend(at(0.0, 0.95), at(-0.32, 0.6), at(-0.42, 0.25)))]
    main += _line(bend(at(-0.42, 0.25), at(-0.2, 0.19), at(0.0, 0.24)))
    canvas.shape(main, shade(sail, 1.05), bottom=shade(sail, 0.86), round_light=0.5, outline=4,
                 flat=sail)  # fmt: skip
    jib = _line(bend(at(0.055, 0.86), at(0.3, 0.56), at(0.4, 0.24)))
    jib += _line(bend(at(0.4, 0.24), at(0.2, 0.19), at(0.055, 0.25)))
    trim = sail if thing.variant != "white" else (232, 222, 204)
    canvas.shape(jib, trim, bottom=shade(trim, 0.82), round_light=0.5, outline=4, flat=sail)
    side = [at(-0.46, 0.17), *_line(bend(at(-0.46, 0.17), at(0.0, 0.12), at(0.54, 0.21)))]
    side += _line(bend(at(0.54, 0.21), at(0.44, 0.03), at(0.3, 0.0)))
    side += [at(-0.36, 0.0)]
    canvas.shape(side, shade(hull, 1.1), bottom=shade(hull, 0.64), round_light=0.5, outline=4,
                 flat=hull)  # fmt: skip
    rail = _line(bend(at(-0.46, 0.17), at(0.0, 0.12), at(0.54, 0.21)))
    lower = _line(bend(at(0.51, 0.165), at(0.0, 0.07), at(-0.445, 0.125)))
    canvas.shape(rail + lower, stripe, round_light=0.4, outline=0)
    lantern = at(-0.38, 0.21)
    size = max(5.0, 0.028 * height)
    if lamps_burn(scene):
        with canvas.own_light():
            canvas.ellipse(lantern, (size, size), LAMP, outline=3)
        canvas.glow(lantern, 0.14 * height, LAMP, 0.6)
    else:
        canvas.ellipse(lantern, (size, size), LAMP, outline=3)
    area = (max(0, int(x - 0.62 * height)), max(0, int(foot - 1.02 * height)),
            min(CANVAS, int(x + 0.62 * height)), min(CANVAS, int(foot)))  # fmt: skip
    _reflect(canvas, before, area)


def _balloon(canvas: Canvas, thing: Thing, scene: Scene) -> None:
    rng = canvas.rng
    x, foot, height = measures(thing)
    tone = BALLOON_COLOURS[thing.variant]
    second: Colour = (250, 240, 214) if rng.random() < 0.6 else (250, 206, 84)
    if thing.variant == "yellow":
        second = (250, 240, 214) if second == (250, 240, 214) else (226, 96, 52)
    light = canvas.light
    high = 0.76 * height
    top, mouth = foot - height, foot - height + high
    share = np.linspace(0, 1, 22)
    # half the width of the hull from the top down: round above, drawn in to the mouth
    bulge = 0.36 * height
    halves = np.where(share < 0.45, np.sqrt(np.clip(1 - (1 - share / 0.45) ** 2, 0, 1)),
                      0.17 + 0.83 * np.cos((share - 0.45) / 0.55 * np.pi / 2) ** 0.85)  # fmt: skip
    halves, rows = halves * bulge, top + share * high
    for side in (-1, 1):
        rope = [
            (x + side * float(halves[-1]), mouth - 2),
            (x + side * 0.06 * height, foot - 0.12 * height),
        ]
        canvas.stroke(rope, (96, 70, 52), 4)
    number = 7
    edges = np.sin(np.linspace(-np.pi / 2, np.pi / 2, number + 1))
    outline = [(float(x - h), float(r)) for h, r in zip(halves, rows, strict=True)]
    outline += [(float(x + h), float(r)) for h, r in zip(halves[::-1], rows[::-1], strict=True)]
    canvas.shape(outline, tone, outline=4)
    facing = sunward(canvas, (x, foot - 0.6 * height))[0]
    for stripe in range(number):
        left = [(float(x + edges[stripe] * h), float(r)) for h, r in zip(halves, rows, strict=True)]
        right = [(float(x + edges[stripe + 1] * h), float(r))
                 for h, r in zip(halves, rows, strict=True)]  # fmt: skip
        points = left + right[::-1]
        if stripe % 2:
            canvas.shape(points, second, outline=0)
        turned = (edges[stripe] + edges[stripe + 1]) / 2 * facing
        if turned > 0:
            canvas.wash(points, light.glow, float(min(0.5, 0.7 * turned * light.glow_share)))
        else:
            canvas.wash(
                points, canvas.lit((36, 26, 60)), float(min(0.5, -0.6 * turned * light.shadow))
            )
    canvas.wash(oval((x + 0.4 * facing * bulge, top + 0.26 * high), (0.2 * bulge, 0.26 * bulge)),
                lit_tone(canvas, (255, 250, 236), 0.5), 0.22)  # fmt: skip
    cv2.polylines(canvas.lines, [np.round(outline).astype(np.int32)], True, 0, 4, cv2.LINE_AA)
    if lamps_burn(scene):
        canvas.glow((x, mouth - 0.1 * height), 0.3 * height, (255, 186, 84), 0.75)
        with canvas.own_light():
            flame = oval((x, mouth + 0.03 * height), (0.025 * height, 0.045 * height), 16)
            canvas.wash(flame, (255, 240, 170), 1.0)
    basket = box(x - 0.085 * height, foot - 0.13 * height, x + 0.085 * height, foot)
    canvas.shape(basket, (166, 114, 68), bottom=(116, 74, 46), round_light=0.5, outline=4)
    rim = box(x - 0.1 * height, foot - 0.145 * height, x + 0.1 * height, foot - 0.105 * height)
    canvas.shape(rim, (112, 72, 46), outline=3)


_DRAW: dict[str, Callable[[Canvas, Thing, Scene], None]] = {
    "tree": tree,
    "house": house,
    "castle": castle,
    "windmill": windmill,
    "lighthouse": lighthouse,
    "boat": _boat,
    "bridge": bridge,
    "balloon": _balloon,
    "flowers": flowers,
    "cactus": cactus,
}


def draw_thing(canvas: Canvas, thing: Thing, scene: Scene) -> None:
    """Draw one thing on the canvas, in the haze when its foot is near the horizon."""
    depth = (thing.y - scene.horizon) / (1 - scene.horizon)
    far = 0.08 if thing.kind == "balloon" else float(np.clip(0.3 - depth, 0, 0.3))
    with canvas.at(far):
        _DRAW[thing.kind](canvas, thing, scene)
