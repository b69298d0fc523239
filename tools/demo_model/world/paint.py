"""Paint a whole scene: sky, land, what stands on it, weather."""

from __future__ import annotations

import numpy as np

from .canvas import CANVAS, Canvas
from .land import paint_backdrop, paint_land
from .scenes import Scene
from .sky import LIGHTS, paint_sky, paint_weather, place_sun
from .things import draw_thing


def paint(scene: Scene) -> Canvas:
    """The three layers of the scene; the same scene at another time has the same shapes."""
    canvas = Canvas(np.random.default_rng(scene.seed), LIGHTS[scene.time], place_sun(scene))
    weather = np.random.default_rng((scene.seed, 1))
    paint_sky(canvas, scene, weather)
    paint_backdrop(canvas, scene)
    paint_land(canvas, scene)
    for thing in scene.things:
        draw_thing(canvas, thing, scene)
    if scene.birds:
        _birds(canvas, scene)
    paint_weather(canvas, scene, weather)
    return canvas


def _birds(canvas: Canvas, scene: Scene) -> None:
    rng = canvas.rng
    for _ in range(int(rng.integers(3, 6))):
        x, y = rng.uniform(50, CANVAS - 50), rng.uniform(0.2, 0.65) * scene.horizon * CANVAS
        wing = rng.uniform(12, 22)
        points = [(x - wing, y - wing * 0.4), (x - wing * 0.4, y - wing * 0.5), (x, y),
                  (x + wing * 0.4, y - wing * 0.5), (x + wing, y - wing * 0.4)]  # fmt: skip
        canvas.stroke(points, (44, 44, 52), 4)
