"""A picture of four colours, which tells how it was turned, and its prepared copy."""

from __future__ import annotations

from pathlib import Path

from directly import prepare
from PIL import Image

from img2imgd.reader.protocol import Prepared, ReaderLimits, SizeRule

LIMITS = ReaderLimits(max_file_mb=20, max_pixels=4_000_000)
KEEP = SizeRule("keep", multiple=8)
RED, GREEN, BLUE, YELLOW = (220, 30, 30), (20, 170, 60), (30, 60, 200), (240, 220, 40)


def quarters(size: tuple[int, int] = (64, 32)) -> Image.Image:
    """Red and green above blue and yellow."""
    image = Image.new("RGB", size, RED)
    width, height = size
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(YELLOW, (width // 2, height // 2, width, height))
    return image


def prepared(
    path: Path, rule: SizeRule = KEEP, limits: ReaderLimits = LIMITS
) -> tuple[Image.Image, Prepared]:
    target = path.with_name(f"prepared-{path.stem}.png")
    result = prepare(path, target, rule, limits)
    with Image.open(target) as image:
        image.load()
        assert image.format == "PNG"
        assert image.mode == "RGB"
        assert image.size == (result.width, result.height)
        assert not image.info
        return image, result


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """Colours in the middle of the four quarters: upper left, upper right, lower left, right."""
    return [
        tuple(value for value in pixel if isinstance(value, int))
        for y in (image.height // 4, image.height * 3 // 4)
        for x in (image.width // 4, image.width * 3 // 4)
        if isinstance(pixel := image.getpixel((x, y)), tuple)
    ]


def near(found: list[tuple[int, ...]], wanted: list[tuple[int, int, int]], by: int) -> bool:
    return all(
        abs(a - b) <= by
        for one, other in zip(found, wanted, strict=True)
        for a, b in zip(one, other, strict=True)
    )
