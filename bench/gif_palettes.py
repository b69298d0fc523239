"""Which 256 colours should a GIF frame have? Compares ways to choose and to dither them.

A sweep over a smooth evening sky above a landscape that stays the same is the hard case: bands in
the sky, flicker in the landscape. For each way, over all frames:

- bands: mean CIE-Lab distance to the original after a 5×5 blur, which is what the eye does to
  dithering at arm's length (1 is just visible); and the 99th percentile of it
- grain: mean Lab distance without the blur
- flicker: mean Lab distance between neighbouring frames where the originals are identical
- size of the GIF and seconds per frame

Prints a table, writes ``bench/results/gif_palettes.json`` and ``gif_palettes.png`` (a part of one
sky, enlarged). Run: ``python bench/gif_palettes.py``.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import (
    GifImagePlugin,
    Image,
    ImageChops,
    ImageCms,
    ImageDraw,
    ImageFilter,
    ImageFont,
    features,
)

from img2imgd.outputs.gif import indexed

FRAMES = 12
SIDE = 320
RESULTS = Path(__file__).parent / "results"

Way = Callable[[Sequence[Image.Image]], list[Image.Image]]
LAB = ImageCms.buildTransform(
    ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
)


class Score(NamedTuple):
    """Measured values of one way; see the module's docstring."""

    bands: float
    bands_p99: float
    grain: float
    flicker: float
    kilobytes: float
    seconds: float


def sky_sweep() -> list[Image.Image]:
    """A sky that turns from evening to day over a landscape that stays the same."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    noise = np.random.default_rng(7).normal(0, 1, (SIDE, SIDE, 1))
    rough = np.asarray(
        Image.fromarray((noise[..., 0] * 40 + 128).clip(0, 255).astype(np.uint8)).filter(
            ImageFilter.GaussianBlur(2)
        ),
        dtype=np.float64,
    )[..., None]
    ground = np.array([60, 84, 40]) + (rough - 128) * 1.5 + (y[..., None] - 0.7) * 60
    ground[:, SIDE // 2 :] += np.array([70, 10, 0])
    hills = (y > 0.7 + 0.05 * np.sin(x * 9))[..., None]
    frames: list[Image.Image] = []
    for step in range(FRAMES):
        day = step / (FRAMES - 1)
        top = np.array([26, 34, 80]) * (1 - day) + np.array([60, 120, 210]) * day
        low = np.array([250, 150, 90]) * (1 - day) + np.array([200, 225, 245]) * day
        height = (y / 0.75)[..., None].clip(0, 1)
        glow = np.exp(-(((x - 0.7) ** 2 + (y - 0.6) ** 2) * 12))[..., None]
        sky = top * (1 - height) + low * height + glow * np.array([40, 30, 5]) + noise * 0.6
        frames.append(Image.fromarray(np.where(hills, ground, sky).clip(0, 255).astype(np.uint8)))
    return frames


def own_palette(
    method: Image.Quantize, dither: Image.Dither, kmeans: int = 0, spread: float = 0
) -> Way:
    """Each frame has the best 256 colours for itself; ``spread`` > 0 dithers by a pattern."""

    def way(frames: Sequence[Image.Image]) -> list[Image.Image]:
        made: list[Image.Image] = []
        for frame in frames:
            palette = frame.quantize(256, method, kmeans)
            source = patterned(frame, spread) if spread else frame
            made.append(source.quantize(palette=palette, dither=dither))
        return made

    return way


def one_palette(dither: Image.Dither, kmeans: int = 0, spread: float = 0) -> Way:
    """All frames share 256 colours, chosen from all of them."""

    def way(frames: Sequence[Image.Image]) -> list[Image.Image]:
        side = math.ceil(len(frames) ** 0.5)
        board = Image.new("RGB", (side * 160, side * 160))
        for index, frame in enumerate(frames):
            small = frame.resize((160, 160), Image.Resampling.NEAREST)
            board.paste(small, (index % side * 160, index // side * 160))
        palette = board.quantize(256, Image.Quantize.MEDIANCUT, kmeans)
        return [
            (patterned(frame, spread) if spread else frame).quantize(palette=palette, dither=dither)
            for frame in frames
        ]

    return way


def patterned(frame: Image.Image, spread: float) -> Image.Image:
    """The frame plus a fixed fine pattern of ±``spread`` (interleaved gradient noise, Jimenez)."""
    y, x = np.mgrid[0 : frame.height, 0 : frame.width]
    layers = []
    for shift in (0, 17, 43):  # three channels that do not rise and fall together
        noise = 52.9829189 * ((0.06711056 * (x + shift) + 0.00583715 * (y + shift)) % 1.0) % 1.0
        layers.append(Image.fromarray((noise * 2 * spread + 0.5).astype(np.uint8)))
    return ImageChops.add(frame, Image.merge("RGB", layers), offset=-round(spread))


def lab(image: Image.Image) -> np.ndarray:
    """H×W×3 CIE-Lab values."""
    raw = np.asarray(ImageCms.applyTransform(image, LAB), dtype=np.float64)
    signed = (raw[..., 1:] + 128) % 256 - 128
    return np.concatenate([raw[..., :1] * (100 / 255), signed], axis=-1)


def distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Euclidean distance of each pixel: ΔE*ab of 1976."""
    return np.sqrt(((first - second) ** 2).sum(-1))


def blurred(values: np.ndarray) -> np.ndarray:
    """Mean over 5×5 pixels, edges left out."""
    sums = np.cumsum(np.cumsum(np.pad(values, ((1, 0), (1, 0), (0, 0))), 0), 1)
    return (sums[5:, 5:] - sums[:-5, 5:] - sums[5:, :-5] + sums[:-5, :-5]) / 25


def gif_bytes(frames: Sequence[Image.Image]) -> int:
    """Bytes of all frames in a GIF, each with its palette."""
    blocks = (GifImagePlugin.getdata(frame, include_color_table=True) for frame in frames)
    return sum(len(part) for block in blocks for part in block)


def measure(frames: Sequence[Image.Image], way: Way) -> tuple[Score, Image.Image]:
    """Score of a way, and its middle frame."""
    start = time.perf_counter()
    results = way(frames)
    seconds = (time.perf_counter() - start) / len(frames)
    made = [lab(frame.convert("RGB")) for frame in results]
    true = [lab(frame) for frame in frames]
    bands = [distance(blurred(a), blurred(b)) for a, b in zip(made, true, strict=True)]
    still = [
        distance(made[i], made[i + 1])[distance(true[i], true[i + 1]) == 0]
        for i in range(len(frames) - 1)
    ]
    score = Score(
        bands=float(np.mean(bands)),
        bands_p99=float(np.percentile(bands, 99)),
        grain=float(np.mean([distance(a, b) for a, b in zip(made, true, strict=True)])),
        flicker=float(np.mean(np.concatenate(still))),
        kilobytes=gif_bytes(results) / 1000,
        seconds=seconds,
    )
    return score, results[len(results) // 2].convert("RGB")


def ways() -> dict[str, Way]:
    """Every way compared, by name."""
    none, diffuse = Image.Dither.NONE, Image.Dither.FLOYDSTEINBERG
    median, octree = Image.Quantize.MEDIANCUT, Image.Quantize.FASTOCTREE
    found: dict[str, Way] = {
        "own median cut, no dither": own_palette(median, none),
        "own median cut + k-means, no dither": own_palette(median, none, kmeans=2),
        "own octree, no dither": own_palette(octree, none),
        "own median cut, Floyd-Steinberg": own_palette(median, diffuse),
        "own median cut + k-means, F.-S. (chosen)": lambda frames: [indexed(f) for f in frames],
        "own octree, Floyd-Steinberg": own_palette(octree, diffuse),
    }
    for spread in (2, 4, 6):
        found[f"own median cut + k-means, pattern ±{spread}"] = own_palette(
            median, none, kmeans=2, spread=spread
        )
    found |= {
        "one palette, no dither": one_palette(none),
        "one palette, Floyd-Steinberg": one_palette(diffuse),
        "one palette + k-means, Floyd-Steinberg": one_palette(diffuse, kmeans=2),
    }
    for spread in (4, 8, 12):
        found[f"one palette + k-means, pattern ±{spread}"] = one_palette(
            none, kmeans=2, spread=spread
        )
    if features.check("libimagequant"):
        found["own libimagequant, Floyd-Steinberg"] = own_palette(
            Image.Quantize.LIBIMAGEQUANT, diffuse
        )
    return found


def side_by_side(original: Image.Image, pictures: dict[str, Image.Image]) -> Image.Image:
    """A part of the sky and hills of each way, with its name, enlarged to twice the size."""
    part, line = (SIDE // 2, SIDE // 2, SIDE, SIDE), 14
    tiles = {"original": original, **pictures}
    columns, width = 4, SIDE
    rows = math.ceil(len(tiles) / columns)
    sheet = Image.new("RGB", (columns * width, rows * (width + line)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=11)
    for index, (name, picture) in enumerate(tiles.items()):
        left, top = index % columns * width, index // columns * (width + line)
        sheet.paste(picture.crop(part).resize((width, width), Image.Resampling.NEAREST),
                    (left, top + line))  # fmt: skip
        draw.text((left + 3, top), name, fill="black", font=font)
    return sheet


def main() -> None:
    """Measure every way, print the table, write the results."""
    frames = sky_sweep()
    scores: dict[str, Score] = {}
    pictures: dict[str, Image.Image] = {}
    print(f"{'':42} bands  p99   grain  flicker     kB  s/frame")
    for name, way in ways().items():
        score, pictures[name] = measure(frames, way)
        scores[name] = score
        print(f"{name:42} {score.bands:5.2f} {score.bands_p99:5.2f} {score.grain:6.2f}"
              f" {score.flicker:8.2f} {score.kilobytes:6.0f} {score.seconds:8.3f}")  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    document = {"frames": FRAMES, "side": SIDE, "ways": {n: s._asdict() for n, s in scores.items()}}
    (RESULTS / "gif_palettes.json").write_text(json.dumps(document, indent=1) + "\n")
    sheet = side_by_side(frames[len(frames) // 2], pictures)
    sheet.save(RESULTS / "gif_palettes.png", optimize=True)


if __name__ == "__main__":
    main()
