"""Picture sheets to look at: sketches in every look, one scene through the day, sweeps, a snapshot.

Without ``--model`` they show the newest checkpoints, or else the shipped model.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from img2imgd.sketches import SKETCHES

from .architecture import SIDE, WORK, load_pipeline, load_vae
from .dataset import load_held_out
from .export import assemble
from .painter import GREY, SEED, Painter
from .pictures import reconstructed
from .world.captions import LOOK_NAMES

GAP, LABEL = 6, 26
SHOWN_LOOKS = ("oil", "watercolour", "ink", "pixel", "pop", "swirl", "woodblock", "glass")
TIMES = ("at dawn", "by day", "at sunset", "at night", "in a storm", "in fog")
SUBJECTS = {
    "house": "a red house and a tree in the hills",
    "boat": "a sailing boat on the sea",
    "hills": "a lake with trees and mountains",
    "castle": "a castle in the hills",
    "lighthouse": "a lighthouse on the sea",
    "bridge": "a stone bridge by a river",
    "balloon": "a hot air balloon in the mountains",
    "cactus": "a cactus in the desert",
}
SWEEPS = (
    ("house", "an oil painting of a red house in the hills at sunset"),
    ("boat", "a japanese woodblock print of a sailing boat on the sea at dawn"),
    ("castle", "a castle in the hills at night, van gogh"),
)
STRENGTHS = tuple(round(0.05 + 0.03 * step, 2) for step in range(31))
PROMPTS = (
    "an oil painting of a green meadow with a red house and trees on a sunny day",
    "a watercolour of a lake with mountains at sunset",
    "a photo of a snowy landscape with pine trees at night",
    "pixel art of a boat on the sea at sunset",
    "a cactus in the desert at noon, pop art",
    "an ink drawing of a castle in the hills",
    "a city at night in the style of van gogh",
    "a japanese woodblock print of the sea with mountains at dawn",
)


def grid(pictures: Sequence[np.ndarray] | np.ndarray, columns: int) -> Image.Image:
    """Square pictures (side x side x 3 bytes), row by row, as one picture."""
    rows, side = -(-len(pictures) // columns), len(pictures[0])
    sheet = Image.new("RGB", (columns * side, rows * side), (255, 255, 255))
    for number, pixels in enumerate(pictures):
        y, x = divmod(number, columns)
        sheet.paste(Image.fromarray(pixels), (x * side, y * side))
    return sheet


def labelled(rows: Sequence[Sequence[np.ndarray]], titles: Iterable[str]) -> Image.Image:
    """Rows of pictures under one line of titles, with gaps between."""
    step = SIDE + GAP
    width, height = len(rows[0]) * step - GAP, len(rows) * step - GAP + LABEL
    sheet = Image.new("RGB", (width, height), (255, 255, 255))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=18)
    for column, title in enumerate(titles):
        pen.text((column * step + SIDE / 2, LABEL / 2), title, (40, 40, 44), font, anchor="mm")
    for y, row in enumerate(rows):
        for x, pixels in enumerate(row):
            sheet.paste(Image.fromarray(pixels), (x * step, y * step + LABEL))
    return sheet


def sketch(name: str) -> np.ndarray:
    """One of the sketches of ``img2imgd demo``, SIDE x SIDE x 3 bytes."""
    return np.asarray(SKETCHES[name]().resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def looks_sheet(painter: Painter, strength: float) -> Image.Image:
    """Eight sketches, each beside eight looks of it."""
    rows: list[list[np.ndarray]] = []
    for name, subject in SUBJECTS.items():
        prompts = [f"{subject} on a sunny day, {LOOK_NAMES[look][0]}" for look in SHOWN_LOOKS]
        drawn = sketch(name)
        made = painter.paint(prompts, [drawn] * len(prompts), strength, [SEED] * len(prompts))
        rows.append([drawn, *made])
    return labelled(rows, ["sketch", *(LOOK_NAMES[look][0] for look in SHOWN_LOOKS)])


def times_sheet(painter: Painter, strength: float) -> Image.Image:
    """One sketch at six times of day and weather, all with one seed."""
    rows: list[list[np.ndarray]] = []
    for name, look in (("house", "photo"), ("boat", "oil painting")):
        prompts = [f"{look} of {SUBJECTS[name]} {time}" for time in TIMES]
        drawn = sketch(name)
        made = painter.paint(prompts, [drawn] * len(prompts), strength, [SEED] * len(prompts))
        rows.append([drawn, *made])
    return labelled(rows, ["sketch", *TIMES])


def write_sweeps(painter: Painter, folder: Path) -> None:
    """Three morphs from sketch to painting over STRENGTHS, as GIFs."""
    for name, prompt in SWEEPS:
        drawn = sketch(name)
        frames = [painter.paint([prompt], [drawn], value, [SEED])[0] for value in STRENGTHS]
        first, *rest = [Image.fromarray(frame).quantize(96) for frame in frames]
        first.save(folder / f"sweep_{name}.gif", save_all=True, append_images=rest,
                   duration=[1_000, *[110] * 29, 1_600], loop=0)  # fmt: skip


def reconstructions(work: Path) -> Image.Image:
    """Held-out pictures above what the picture coder gives back."""
    pixels = load_held_out(work)[0][:10].reshape(-1, SIDE, SIDE, 3)
    made = reconstructed(load_vae(work), pixels)
    rows = [part[at : at + 10] for at in range(0, len(pixels), 10) for part in (pixels, made)]
    return grid(np.concatenate(rows), 10)


def snapshot(painter: Painter, work: Path) -> Image.Image:
    """Each prompt from grey at full strength, then held-out sketches, and these at 0.6 and 0.75."""
    drawn = load_held_out(work)[0][: len(PROMPTS), 0]
    rows = [painter.paint(PROMPTS, [GREY] * len(PROMPTS), 1.0), drawn]
    rows += [painter.paint(PROMPTS, drawn, strength) for strength in (0.6, 0.75)]
    return grid(np.concatenate(rows), len(PROMPTS))


def main() -> None:
    """Command line: write one kind of sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = ("reconstructions", "snapshot", "looks", "times", "sweeps")
    parser.add_argument("what", choices=kinds)
    parser.add_argument("target", type=Path, help="a picture, or the folder of the sweeps")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--strength", type=float, default=0.72)
    options = parser.parse_args()
    torch.set_num_threads(2)
    if options.what == "reconstructions":
        reconstructions(options.work).save(options.target)
        return
    painter = Painter(load_pipeline(options.model) if options.model else assemble(options.work))
    if options.what == "snapshot":
        snapshot(painter, options.work).save(options.target)
    elif options.what == "looks":
        looks_sheet(painter, options.strength).save(options.target, quality=90)
    elif options.what == "times":
        times_sheet(painter, options.strength).save(options.target, quality=90)
    else:
        write_sweeps(painter, options.target)


if __name__ == "__main__":
    main()
