"""A sheet on a desk as a phone's camera takes it, with what such a photograph suffers from.

``papers.photographed`` is quick and says exactly where everything lies. Here the light comes from a
window at one side, a hand's shadow has a hard edge and the sky's colour, the sheet is not quite
flat, its far side is out of focus, the lens bends and darkens the corners, and the camera
denoises, sharpens and compresses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from tools.papers import Point, Seen, Sheet, as_jpeg, homography

Light = NDArray[np.float32]  # height × width × 3, linear; 1 is white paper in full light


@dataclass(frozen=True)
class Shot:
    """How a photograph is taken.

    ``corners`` are the sheet's, in parts of the picture, before the lens bends it. ``shadow`` is
    how much of the light an outline (in parts of the picture) takes away, ``penumbra`` the width
    of its edge in parts of the longer side. ``curl`` is how far the sheet bulges, in parts of its
    own sides; ``barrel`` how far the lens pulls corners in; ``blur`` the pixels of the radius by
    which the far side is out of focus.
    """

    size: tuple[int, int] = (1500, 2000)
    corners: Sequence[Point] = ((0.17, 0.13), (0.80, 0.10), (0.89, 0.88), (0.09, 0.85))
    shadow: float = 0.45
    outline: Sequence[Point] = (
        (1.1, 0.62), (0.93, 0.60), (0.82, 0.64), (0.74, 0.72), (0.70, 0.82), (0.61, 0.93),
        (0.57, 1.1), (1.1, 1.1),
    )  # fmt: skip
    penumbra: float = 0.006
    falloff: float = 0.5
    warmth: float = 0.10
    vignetting: float = 0.35
    curl: float = 0.012
    barrel: float = 0.012
    blur: float = 1.6
    noise: float = 0.02
    sharpening: float = 0.8
    quality: int = 82
    seed: int = 1


def photograph(sheet: Sheet, shot: Shot = Shot(), desk: Light | None = None) -> Seen:
    """The sheet on wood, or on another ``desk`` (linear, of the shot's size)."""
    paper, darkness = sheet.on_paper()
    seen, corners = photograph_of(paper**2.2, shot, desk)
    return Seen(seen, darkness, corners)


def photograph_of(
    paper: Light, shot: Shot, desk: Light | None = None
) -> tuple[Image.Image, NDArray[np.float64]]:
    """The photograph of a sheet that reflects ``paper``, and where its corners are seen."""
    rng = np.random.default_rng(shot.seed)
    wide, high = shot.size
    x, y = np.meshgrid(np.arange(wide) + 0.5, np.arange(high) + 0.5)
    bent_x, bent_y = _bent(x, y, shot)
    u, v = _on_sheet(bent_x, bent_y, shot)
    inside = _soft(np.minimum(np.minimum(u, 1 - u) * paper.shape[1],
                              np.minimum(v, 1 - v) * paper.shape[0]))  # fmt: skip
    bulge = np.sin(math.pi * u.clip(0, 1)) * np.sin(math.pi * v.clip(0, 1)) ** 2
    laid = _sampled(paper, u + shot.curl * bulge, v - shot.curl * bulge * np.sin(5 * u))
    slope = np.cos(math.pi * u.clip(0, 1)) * np.sin(math.pi * v.clip(0, 1)) ** 2
    laid *= (1 + 4 * shot.curl * slope)[..., None]
    around = wood(rng, shot.size) if desk is None else desk
    lifted = _gauss(
        np.roll(inside, (round(0.004 * high), round(0.003 * high)), (0, 1)), 0.005 * high
    )
    around = around * (1 - 0.55 * lifted)[..., None]
    scene = laid * inside[..., None] + around * (1 - inside[..., None])
    scene = _focused(scene * _lit(x / wide, y / high, shot), y / high, shot)
    return _developed(scene.astype(np.float32), rng, shot), _seen_corners(shot)


def wood(rng: np.random.Generator, size: tuple[int, int]) -> Light:
    """Boards with rings, fibres, joints and a few knots."""
    wide, high = size
    x, y = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    board = np.floor(y / (high / 4.6))
    along = x / wide + 3.7 * board
    across = y / high * 9 + 0.25 * np.sin(2.1 * along + board) + 0.08 * np.sin(7 * along)
    for _ in range(3):  # rings run around a knot
        at_x, at_y = rng.uniform(0, wide), rng.uniform(0, high)
        near = np.exp(-(((x - at_x) / (0.05 * wide)) ** 2 + ((y - at_y) / (0.02 * high)) ** 2))
        across += 0.8 * near
    rings = np.sin(2 * math.pi * (across * 3 + 0.15 * _noise(rng, (high, wide), 90)))
    fibres = _noise(rng, (high, wide), 3, 90)
    tone = 1 + 0.10 * rings + 0.12 * fibres + 0.05 * _noise(rng, (high, wide), 300)
    tone *= 1 + 0.06 * np.sin(board * 12.9)
    tone *= np.where((y % (high / 4.6)) < 0.0025 * high, 0.35, 1)
    found = np.asarray((0.24, 0.115, 0.05), np.float32) * tone[..., None].clip(0.1, None)
    return (found ** np.asarray((1.0, 1.06, 1.12), np.float32)).astype(np.float32)


def _bent(x: Any, y: Any, shot: Shot) -> tuple[Any, Any]:
    """Where a pixel would be seen through a lens that bends nothing."""
    wide, high = shot.size
    dx, dy = x - wide / 2, y - high / 2
    pulled = 1 + shot.barrel * (dx**2 + dy**2) / ((wide**2 + high**2) / 4)
    return wide / 2 + dx * pulled, high / 2 + dy * pulled


def _on_sheet(x: Any, y: Any, shot: Shot) -> tuple[Any, Any]:
    at = np.asarray([(a * shot.size[0], b * shot.size[1]) for a, b in shot.corners])
    a, b, c, d, e, f, g, h = homography(at, np.asarray([(0, 0), (1, 0), (1, 1), (0, 1)], float))
    below = g * x + h * y + 1
    return (a * x + b * y + c) / below, (d * x + e * y + f) / below


def _seen_corners(shot: Shot) -> NDArray[np.float64]:
    target = np.asarray([(a * shot.size[0], b * shot.size[1]) for a, b in shot.corners])
    found = target.copy()
    for _ in range(20):
        found += target - np.column_stack(_bent(found[:, 0], found[:, 1], shot))
    return found


def _sampled(paper: Light, u: Any, v: Any) -> Light:
    """The paper's colours there; what is finer than the picture is averaged first."""
    height, width = paper.shape[:2]
    x = (u * width - 0.5).clip(0, width - 1.001)
    y = (v * height - 0.5).clip(0, height - 1.001)
    left, top = x.astype(np.int32), y.astype(np.int32)
    right, down = (x - left)[..., None], (y - top)[..., None]
    upper = paper[top, left] * (1 - right) + paper[top, left + 1] * right
    lower = paper[top + 1, left] * (1 - right) + paper[top + 1, left + 1] * right
    return np.asarray(upper * (1 - down) + lower * down, np.float32)


def _lit(x: Any, y: Any, shot: Shot) -> Light:
    """A window beyond the upper left; the lamp's warm light fades where the hand keeps it off."""
    away = (x + 0.25) ** 2 + (0.8 * y + 0.2) ** 2
    window = 1 / (1 + shot.falloff * away)
    board = Image.new("L", shot.size)
    outline = [(a * shot.size[0], b * shot.size[1]) for a, b in shot.outline]
    ImageDraw.Draw(board).polygon(outline, fill=255)
    softened = board.filter(ImageFilter.GaussianBlur(shot.penumbra * max(shot.size)))
    kept = 1 - shot.shadow * np.asarray(softened, np.float32) / 255
    lamp = np.asarray((1 + shot.warmth, 1.0, 1 - 1.6 * shot.warmth))
    sky = np.asarray((0.94, 1.0, 1.08))
    light = window[..., None] * (
        kept[..., None] * lamp * 0.9 + (1 - kept[..., None] * 0.9) * 0.12 * sky
    )
    radius = ((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.5
    return np.asarray(light / (1 + shot.vignetting * radius)[..., None] ** 2, np.float32)


def _focused(scene: Light, y: Any, shot: Shot) -> Light:
    if shot.blur <= 0:
        return scene
    far = ((0.55 - y) / 0.55).clip(0, 1)[..., None]
    soft = np.stack([_gauss(scene[..., c], shot.blur) for c in range(3)], axis=2)
    return np.asarray(scene * (1 - far) + soft * far, np.float32)


def _developed(scene: Light, rng: np.random.Generator, shot: Shot) -> Image.Image:
    """Exposed, with the sensor's noise, denoised in colour, sharpened, and stored as JPEG."""
    exposed = 0.80 * scene / np.percentile(scene.max(axis=2), 97)
    shots = rng.standard_normal(scene.shape, np.float32)
    noisy = exposed + shot.noise * np.sqrt(exposed.clip(0.002, None)) * shots
    luma = noisy.mean(axis=2, keepdims=True)
    tint = np.stack([_gauss((noisy - luma)[..., c], 2.0) for c in range(3)], axis=2)
    soft = _gauss(luma[..., 0], 0.7)
    sharp = soft + shot.sharpening * (soft - _gauss(soft, 1.6))
    values = (sharp[..., None] + tint).clip(0, None)
    toned = (values / (1 + 0.18 * values)) * 1.18  # highlights roll off
    coded = toned.clip(0, 1) ** (1 / 2.2)
    return as_jpeg(Image.fromarray((coded * 255 + 0.5).astype(np.uint8)), shot.quality)


def _soft(distance: Any) -> Light:
    return np.asarray((distance + 0.5).clip(0, 1), np.float32)


def _gauss(plane: Any, radius: float) -> Light:
    from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

    return np.asarray(gaussian_filter(np.asarray(plane, np.float32), radius), np.float32)


def _noise(
    rng: np.random.Generator, shape: tuple[int, int], down: float, right: float = 0
) -> Light:
    small = (max(2, round(shape[0] / down)), max(2, round(shape[1] / (right or down))))
    values = Image.fromarray(rng.standard_normal(small, np.float32))
    return np.asarray(values.resize(shape[::-1], Image.Resampling.BICUBIC), np.float32)
