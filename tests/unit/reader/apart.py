"""Drawings on paper, and pictures that are none: what ``prepare: auto`` has to tell apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from tools.papers import (
    CREAM,
    GREY,
    INK,
    SOFT_PENCIL,
    YELLOW,
    Light,
    Sheet,
    as_jpeg,
    cat,
    flower,
    hills,
    house,
    photographed,
    scanned,
)

from img2imgd.sketches import SKETCHES

PICTURES = Path(__file__).resolve().parents[3] / "docs" / "pictures"
_SIZE = (450, 630)  # of a sheet; small, so that all are judged in seconds
_PHOTO = (540, 720)
_FLAT = Light()


def _scan(turned: float = 0.0, light: Light = _FLAT, noise: float = 0.008,
          around: tuple[float, float, float] | None = None,
          size: tuple[int, int] = _SIZE, **sheet: Any) -> Image.Image:  # fmt: skip
    return scanned(Sheet(size=size, **sheet), turned, light, noise, around).picture


def _photo(light: Light = Light(0.35, 0.35), desk: str = "wood",  # noqa: B008
           noise: float = 0.012, **sheet: Any) -> Image.Image:  # fmt: skip
    return photographed(Sheet(size=_SIZE, **sheet), size=_PHOTO, light=light, desk=desk,
                        noise=noise).picture  # fmt: skip


DRAWINGS: dict[str, Callable[[], Image.Image]] = {
    "pencil, white": lambda: _scan(subject=house()),
    "pencil, shade and shadow": lambda: _scan(2.0, Light(0.3, 0.35), subject=cat()),
    "faint pencil, cream, JPEG": lambda: as_jpeg(
        _scan(subject=hills(), medium=SOFT_PENCIL, paper=CREAM), 70),
    "pencil, grey paper, noise": lambda: _scan(noise=0.03, subject=flower(), paper=GREY),
    "ink, white": lambda: _scan(-4.0, subject=hills(), medium=INK),
    "ink, yellow paper": lambda: _scan(subject=flower(), medium=INK, paper=YELLOW),
    "crayon, white": lambda: _scan(subject=house(), coloured="crayon"),
    "crayon, yellow, shadow": lambda: _scan(
        light=Light(0.2, 0.3), subject=cat(), paper=YELLOW, coloured="crayon"),
    "wash and ink": lambda: _scan(subject=hills(), medium=INK, coloured="wash"),
    "pencil, lined paper, askew": lambda: _scan(3.0, subject=cat(), ruling="lined"),
    "pencil, squared paper": lambda: _scan(
        size=(600, 840), subject=house(), ruling="squared"),
    "scan with black around": lambda: _scan(2.5, around=(0.03,) * 3, subject=flower()),
    "photo on a wooden desk": lambda: as_jpeg(_photo(subject=house(), medium=SOFT_PENCIL)),
    "photo on a grey desk": lambda: _photo(desk="grey", subject=cat(), medium=INK),
    "photo in warm light": lambda: as_jpeg(
        _photo(Light(0.4, 0.2, 0.0, (1.0, 0.9, 0.72)), desk="dark", subject=hills())),
    "small drawing": lambda: _scan(subject=cat(), place=(0.6, 0.9, 0.2)),
}  # fmt: skip


def _noise(shape: tuple[int, int], grain: float, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    small = (max(2, round(shape[0] / grain)), max(2, round(shape[1] / grain)))
    values = Image.fromarray(rng.standard_normal(small, np.float32))
    return np.asarray(values.resize(shape[::-1], Image.Resampling.BICUBIC), np.float32)


def _fractal(shape: tuple[int, int], seed: int, coarse: float = 200) -> NDArray[np.float32]:
    grains = [coarse / 2**i for i in range(7)]
    total = sum(_noise(shape, max(1.0, g), seed + i) * g for i, g in enumerate(grains))
    return np.asarray(total / sum(grains), np.float32)


def _picture(values: NDArray[np.float32], noise: float = 2.0) -> Image.Image:
    grain = np.random.default_rng(3).normal(0, noise, values.shape)
    return Image.fromarray((values + grain).clip(0, 255).astype(np.uint8))


def landscape(ground: tuple[int, int, int], sky: tuple[int, int, int], seed: int) -> Image.Image:
    """Hills one behind the other, under a sky that is lighter at the horizon."""
    shape = (600, 800)
    y, x = np.mgrid[0:600, 0:800].astype(np.float32)
    found = np.asarray(sky, np.float32) + (y[..., None] / 600) * 40
    found += 14 * _fractal(shape, seed, 300)[..., None]
    rough = _fractal(shape, seed + 20, 60)[..., None]
    for layer in range(3):
        edge = 260 + 90 * layer + 50 * np.sin(x / (90 + 40 * layer) + seed + layer)
        share = ((y > edge)[..., None]).astype(np.float32)
        tone = np.asarray(ground, np.float32) * (0.75 + 0.15 * layer)
        found = found * (1 - share) + share * (tone * (1 + 0.25 * rough))
    return _picture(found)


def snow(trees: int, seed: int) -> Image.Image:
    """A bright field under a bright sky, with a few dark trees."""
    shape = (600, 800)
    y, x = np.mgrid[0:600, 0:800].astype(np.float32)
    sky = np.asarray((205, 214, 226), np.float32) + (y[..., None] / 600) * 20
    field = np.asarray((232, 236, 242), np.float32) + 9 * _fractal(shape, seed, 240)[..., None]
    edge = 270 + 22 * np.sin(x / 140 + seed)
    found = np.where((y > edge)[..., None], field - (y[..., None] - 270) * 0.03, sky)
    picture = Image.fromarray(found.clip(0, 255).astype(np.uint8))
    draw, rng = ImageDraw.Draw(picture), np.random.default_rng(seed)
    for _ in range(trees):
        left, base, tall = rng.uniform(40, 760), rng.uniform(290, 520), rng.uniform(60, 170)
        for part in range(4):
            top = base - tall * (1 - part * 0.2)
            draw.polygon([(left, top), (left - tall * 0.1 * (part + 1), top + tall * 0.36),
                          (left + tall * 0.1 * (part + 1), top + tall * 0.36)],
                         fill=(46, 58, 52))  # fmt: skip
        draw.rectangle([left - 3, base - 8, left + 3, base + 10], fill=(60, 44, 36))
    return _picture(np.asarray(picture.filter(ImageFilter.GaussianBlur(0.8)), np.float32))


def face() -> Image.Image:
    """Something like a portrait before a light wall."""
    shape = (720, 560)
    picture = Image.new("RGB", shape[::-1], (206, 200, 194))
    draw = ImageDraw.Draw(picture)
    draw.ellipse([60, 520, 500, 1100], fill=(52, 74, 120))
    draw.ellipse([150, 110, 410, 420], fill=(64, 44, 34))
    draw.ellipse([180, 160, 384, 470], fill=(214, 164, 140))
    for left in (226, 306):
        draw.ellipse([left, 286, left + 32, 304], fill=(48, 38, 34))
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(7)), np.float32)
    return _picture(soft * (1 + 0.06 * _fractal(shape, 5)[..., None]), 3)


def texture(tone: tuple[int, int, int], coarse: float, strength: float) -> Image.Image:
    """Stone, cloth or clouds."""
    return _picture(np.asarray(tone, np.float32)
                    + strength * _fractal((600, 800), 11, coarse)[..., None])  # fmt: skip


def text_page(turned: float = 0.0) -> Image.Image:
    """A scanned page of text."""
    page = Image.new("L", (840, 1100), 250)
    draw, rng = ImageDraw.Draw(page), np.random.default_rng(8)
    font = ImageFont.load_default(size=17)
    words = [
        "paper",
        "light",
        "pencil",
        "and",
        "the",
        "house",
        "by",
        "a",
        "lake",
        "at",
        "dawn",
        "where",
        "boats",
        "lie",
        "in",
        "wind",
    ]
    for line in range(38):
        if line % 9 == 8:
            continue
        text = " ".join(str(rng.choice(words)) for _ in range(14))
        draw.text((90, 90 + 24 * line), text[: int(rng.integers(55, 78))], fill=30, font=font)
    page = page.rotate(turned, Image.Resampling.BICUBIC, fillcolor=250)
    return _picture(np.asarray(page.convert("RGB"), np.float32) * 0.97, 3)


def line_art() -> Image.Image:
    """A drawing that was never on paper."""
    reflectance = Sheet(cat(), INK, _SIZE).reflectance()
    return Image.fromarray((reflectance * 255 + 0.5).astype(np.uint8))


def screenshot() -> Image.Image:
    """A window with text and buttons on white."""
    board = Image.new("RGB", (900, 640), (255, 255, 255))
    draw = ImageDraw.Draw(board)
    draw.rectangle([0, 0, 900, 44], fill=(52, 60, 74))
    draw.rectangle([0, 44, 180, 640], fill=(240, 241, 244))
    for row in range(12):
        draw.text((24, 70 + 34 * row), f"Folder {row}", fill=(40, 40, 40))
        draw.text((210, 70 + 34 * row), "A picture and a text beside it " * 3, fill=(30, 30, 30))
    draw.rounded_rectangle([700, 580, 860, 620], 8, fill=(40, 110, 220))
    return board


def _stored(name: str, part: tuple[float, float, float, float] = (0, 0, 1, 1)) -> Image.Image:
    with Image.open(PICTURES / name) as picture:
        wide, high = picture.size
        box = (round(part[0] * wide), round(part[1] * high),
               round(part[2] * wide), round(part[3] * high))  # fmt: skip
        return picture.convert("RGB").crop(box)


OTHERS: dict[str, Callable[[], Image.Image]] = {
    "green hills": lambda: as_jpeg(landscape((96, 122, 70), (120, 160, 210), 1)),
    "dunes, pale sky": lambda: as_jpeg(landscape((214, 190, 150), (200, 208, 214), 4)),
    "hills at night": lambda: landscape((20, 26, 34), (16, 20, 44), 2),
    "fog": lambda: landscape((176, 180, 184), (206, 208, 212), 7),
    "snow and trees": lambda: as_jpeg(snow(9, 1)),
    "snow, one tree": lambda: as_jpeg(snow(1, 5)),
    "face before a wall": lambda: as_jpeg(face()),
    "clouds": lambda: texture((200, 208, 220), 260, 60),
    "plaster": lambda: texture((222, 220, 214), 20, 26),
    "granite": lambda: texture((140, 136, 132), 9, 70),
    "a gradient": lambda: _picture(
        np.tile(np.linspace(90, 250, 800, dtype=np.float32)[None, :, None], (600, 1, 3)), 1),
    "a page of text": text_page,
    "a page of text, askew": lambda: as_jpeg(text_page(1.5)),
    "line art on pure white": line_art,
    "line art, JPEG": lambda: as_jpeg(line_art()),
    "a screenshot": screenshot,
    "screenshot, dark": lambda: _stored("page-now-dark.webp"),
    "screenshot, light": lambda: _stored("page-results-light.webp"),
    "contact sheet": lambda: _stored("sheet.jpg"),
    "a painting": lambda: _stored("story.png", (0.5, 0.0, 1.0, 0.5)),
    "painted looks": lambda: _stored("looks.jpg", (0.1, 0.3, 0.5, 0.6)),
    **{f"sketch: {name}": SKETCHES[name] for name in ("house", "hills", "lighthouse")},
    "sketch of a boat, JPEG": lambda: as_jpeg(SKETCHES["boat"]()),
}  # fmt: skip
