"""Picture sheets: grids of pictures for looking at, and a quick look at a snapshot."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .architecture import SIDE, WORK
from .captions import FULL_NEGATIVE
from .dataset import load_held_out, make_picture
from .export import assemble
from .judge import reconstructed

PROMPTS = (
    "an oil painting of a green meadow with a red house and trees on a sunny day",
    "a watercolour of a lake with mountains at sunset",
    "a photo of a snowy landscape with pine trees at night",
    "pixel art of the sea with a boat at sunset",
    "a desert with a cactus at noon, pop art",
    "an ink drawing of rolling hills with a house and trees",
    "a city at night in the style of van gogh",
    "a japanese woodblock print of the sea with mountains at dawn",
)


def grid(rows: list[list[np.ndarray]]) -> Image.Image:
    """Rows of SIDE x SIDE x 3 byte pictures as one picture."""
    sheet = Image.new("RGB", (max(map(len, rows)) * SIDE, len(rows) * SIDE), (255, 255, 255))
    for y, row in enumerate(rows):
        for x, pixels in enumerate(row):
            sheet.paste(Image.fromarray(pixels), (x * SIDE, y * SIDE))
    return sheet


def reconstruction_sheet(work: Path) -> Image.Image:
    """Held-out pictures above their reconstructions, two pairs of rows."""
    pixels = load_held_out(work)[0][:20]
    made = reconstructed(work, pixels)
    parts = [block[at : at + 10] for at in (0, 10) for block in (pixels, made)]
    return grid([list(part) for part in parts])


def snapshot_sheet(work: Path, steps: int) -> Image.Image:
    """Each prompt from grey at full strength, then sketches at 0.6 and 0.75."""
    pipeline = assemble(work)
    pipeline.set_progress_bar_config(disable=True)
    sketches = [
        Image.fromarray(make_picture(seed, "sketch")[0]) for seed in range(77, 77 + len(PROMPTS))
    ]
    grey = [Image.new("RGB", (SIDE, SIDE), (128, 128, 128))] * len(PROMPTS)
    rows = []
    for images, strength in ((grey, 1.0), (sketches, 0.6), (sketches, 0.75)):
        made = pipeline(
            prompt=list(PROMPTS),
            negative_prompt=[FULL_NEGATIVE] * len(PROMPTS),
            image=images,
            strength=strength,
            num_inference_steps=steps,
            guidance_scale=7.5,
            generator=[torch.Generator().manual_seed(9 + seed) for seed in range(len(PROMPTS))],
        ).images
        rows.append([np.asarray(picture) for picture in made])
    rows.insert(1, [np.asarray(sketch) for sketch in sketches])
    return grid(rows)


def main() -> None:
    """Command line: a sheet of the newest checkpoints in work/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("reconstructions", "snapshot"))
    parser.add_argument("target", type=Path)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    torch.set_num_threads(2)
    if options.what == "reconstructions":
        reconstruction_sheet(options.work).save(options.target)
    else:
        snapshot_sheet(options.work, options.steps).save(options.target)


if __name__ == "__main__":
    main()
