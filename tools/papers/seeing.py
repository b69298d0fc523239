"""How a scanner or a phone sees a sheet: light, shadow, skew, the desk around it, noise, JPEG."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tools.papers.sheet import Point, Reflectance, Sheet, smooth_noise


@dataclass(frozen=True)
class Light:
    """``shade``: how much darker the far corner is; ``shadow``: of a hand over the sheet's corner;
    ``fold``: of the crease across the middle; ``tint``: the lamp's colour.
    """

    shade: float = 0.0
    shadow: float = 0.0
    fold: float = 0.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Seen:
    """A sheet as it is seen. ``darkness`` (height × width, 0…1) is the drawing alone on the sheet.

    ``corners`` are the sheet's in the picture (x, y in pixels: top left, top right, bottom right,
    bottom left), ``turned`` how far the sheet lies to the right of upright, in degrees.
    """

    picture: Image.Image
    darkness: NDArray[np.float32]
    corners: NDArray[np.float64]
    turned: float = 0.0


def scanned(
    sheet: Sheet,
    turned: float = 0.0,
    light: Light = Light(),
    noise: float = 0.008,
    around: tuple[float, float, float] | None = None,
    seed: int = 1,
) -> Seen:
    """As a scanner sees it; with ``around``, the lid's colour shows where the sheet lies askew."""
    paper, darkness = sheet.on_paper()
    rng = np.random.default_rng(seed)
    width, height = sheet.size
    edge = 0 if around is None else round(0.06 * width)
    fill = tuple(sheet.paper[i] * 0.96 if around is None else around[i] for i in range(3))
    wide, high = width + 2 * edge, height + 2 * edge
    angle = math.radians(turned)
    corners = [
        (x * math.cos(angle) - y * math.sin(angle) + wide / 2,
         x * math.sin(angle) + y * math.cos(angle) + high / 2)
        for x, y in ((-width / 2, -height / 2), (width / 2, -height / 2),
                     (width / 2, height / 2), (-width / 2, height / 2))
    ]  # fmt: skip
    scene = _seen_from(paper, np.asarray(corners), (wide, high), np.asarray(fill, np.float32))
    return Seen(_developed(_lit(scene, light), rng, noise), darkness, np.asarray(corners), turned)


def photographed(
    sheet: Sheet,
    corners: Sequence[Point] = ((0.16, 0.12), (0.80, 0.09), (0.90, 0.90), (0.08, 0.86)),
    size: tuple[int, int] = (1500, 2000),
    light: Light = Light(0.35, 0.35, 0.0, (1.0, 0.96, 0.86)),
    noise: float = 0.012,
    desk: str = "wood",
    seed: int = 1,
) -> Seen:
    """As a phone sees it, on a desk; ``corners`` of the sheet in parts of the picture."""
    paper, darkness = sheet.on_paper()
    rng = np.random.default_rng(seed)
    wide, high = size
    at = np.asarray([(x * wide, y * high) for x, y in corners])
    around = _desk(rng, size, desk)
    scene = _seen_from(paper, at, size, around)
    return Seen(_developed(_lit(scene, light), rng, noise), darkness, at)


def as_jpeg(picture: Image.Image, quality: int = 85) -> Image.Image:
    """The picture after a JPEG file."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    file.seek(0)
    with Image.open(file) as read:
        read.load()
        return read.convert("RGB")


def _lit(scene: Reflectance, light: Light) -> Reflectance:
    height, width = scene.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / width, y / height
    brightness = 1 - light.shade * (0.35 * x + 0.45 * y + 0.2 * ((x - 0.5) ** 2 + (y - 0.5) ** 2))
    if light.shadow:  # its edge is soft, as a hand's or a phone's is
        inside = 1 / (1 + np.exp(-(0.55 * x + y - 1.05 + 0.05 * np.sin(9 * x)) / 0.03))
        brightness *= 1 - light.shadow * inside
    if light.fold:
        far = y - 0.47
        brightness *= 1 + light.fold * 0.35 * np.sign(far) * np.exp(-np.abs(far) / 0.12)
        brightness *= 1 - light.fold * np.exp(-((far * height / 2.5) ** 2))
    return scene * brightness[..., None] * np.asarray(light.tint, np.float32)


def _desk(rng: np.random.Generator, size: tuple[int, int], kind: str) -> Reflectance:
    wide, high = size
    colour = {"wood": (0.50, 0.34, 0.21), "grey": (0.42, 0.42, 0.43), "dark": (0.09, 0.08, 0.08),
              "white": (0.80, 0.79, 0.77)}[kind]  # fmt: skip
    found = np.tile(np.asarray(colour, np.float32), (high, wide, 1))
    if kind != "wood":
        return found * (1 + 0.02 * smooth_noise(rng, (high, wide), 2.0))[..., None]
    rings = np.asarray(
        Image.fromarray(rng.standard_normal((high // 6, max(2, wide // 260)), np.float32)).resize(
            size, Image.Resampling.BICUBIC
        )
    )
    fibres = np.asarray(
        Image.fromarray(rng.standard_normal((high // 2, wide // 40), np.float32)).resize(
            size, Image.Resampling.BICUBIC
        )
    )
    y = np.arange(high, dtype=np.float32)[:, None]
    boards = 1 - 0.45 * ((y % (high / 4.3)) < 4)
    return found * ((1 + 0.10 * rings + 0.07 * fibres) * boards)[..., None]


def _seen_from(
    sheet: Reflectance,
    corners: NDArray[np.float64],
    size: tuple[int, int],
    around: NDArray[np.float32],
) -> Reflectance:
    """The sheet laid so that its corners come to lie there, over what is around it."""
    height, width = sheet.shape[:2]
    own = [(0, 0), (width, 0), (width, height), (0, height)]
    coefficients = homography(corners, np.asarray(own, np.float64))
    # PIL has no floating-point transform of three channels.
    deep = [Image.fromarray(np.ascontiguousarray(sheet[..., c])) for c in range(3)]
    opaque = Image.new("F", (width, height), 1.0)
    laid = [
        np.asarray(one.transform(size, Image.Transform.PERSPECTIVE, coefficients,
                                 Image.Resampling.BILINEAR))
        for one in (*deep, opaque)
    ]  # fmt: skip
    share = laid[3][..., None]
    return (np.stack(laid[:3], axis=2) + (1 - share) * around).astype(np.float32)


def homography(source: NDArray[np.float64], target: NDArray[np.float64]) -> list[float]:
    """The eight numbers with which Pillow's PERSPECTIVE takes each source point to its target."""
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return [float(value) for value in np.linalg.solve(np.asarray(rows), target.reshape(-1))]


def _developed(scene: Reflectance, rng: np.random.Generator, noise: float) -> Image.Image:
    grain = rng.standard_normal((*scene.shape[:2], 1), np.float32) * noise
    colour = rng.standard_normal(scene.shape, np.float32) * noise * 0.5
    return Image.fromarray(((scene + grain + colour).clip(0, 1) * 255 + 0.5).astype(np.uint8))
