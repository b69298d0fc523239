"""Render the captioned pictures once and keep them as arrays under work/."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from pathlib import Path

import numpy as np
from PIL import Image

from .architecture import SIDE, WORK
from .captions import caption
from .draw import paint
from .looks import render
from .scenes import LOOKS, pick_look, sample_scene

SEED = 2026
HELD_OUT_SEED = 9_000_000
CAPTIONS_EACH = 4
SHARD = 2_500
HELD_OUT = 600


def make_picture(seed: int, look: str | None = None) -> tuple[np.ndarray, dict[str, object]]:
    """One picture (SIDE x SIDE x 3 bytes) with its captions and the facts they tell."""
    rng = np.random.default_rng(seed)
    scene = sample_scene(rng)
    chosen = look or pick_look(rng)
    pixels = render(paint(scene), chosen, rng, SIDE)
    facts = {
        "captions": [caption(rng, scene, chosen) for _ in range(CAPTIONS_EACH)],
        "time": scene.time,
        "ground": scene.ground,
        "look": chosen,
    }
    return pixels, facts


def make_set(first_seed: int, number: int, workers: int) -> tuple[np.ndarray, list[dict]]:
    """`number` pictures as one byte array and the list of their facts."""
    pixels = np.empty((number, SIDE, SIDE, 3), dtype=np.uint8)
    facts = []
    with multiprocessing.Pool(workers) as pool:
        seeds = range(first_seed, first_seed + number)
        for index, (picture, told) in enumerate(pool.imap(make_picture, seeds, chunksize=32)):
            pixels[index] = picture
            facts.append(told)
    return pixels, facts


def load_training(work: Path) -> tuple[np.ndarray, list[dict]]:
    """Every training shard there is: pictures (N x SIDE x SIDE x 3 bytes) and their facts."""
    shards = sorted(work.glob("train_*.npy"))
    facts: list[dict] = []
    for shard in shards:
        facts += json.loads(shard.with_suffix(".json").read_text())
    return np.concatenate([np.load(shard) for shard in shards]), facts


def load_held_out(work: Path) -> tuple[np.ndarray, list[dict]]:
    """The pictures no training has seen, and their facts."""
    return np.load(work / "held_out.npy"), json.loads((work / "held_out.json").read_text())


def contact_sheet(columns: int, seed: int) -> Image.Image:
    """One row for each look with `columns` scenes."""
    sheet = Image.new("RGB", (columns * SIDE, len(LOOKS) * SIDE))
    for row, look in enumerate(LOOKS):
        for column in range(columns):
            pixels, _ = make_picture(seed + row * columns + column, look)
            sheet.paste(Image.fromarray(pixels), (column * SIDE, row * SIDE))
    return sheet


def main() -> None:
    """Command line: render missing shards of training pictures and the held-out set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--shards", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sheet", type=Path, help="only write a contact sheet here")
    options = parser.parse_args()
    if options.sheet:
        contact_sheet(8, SEED).save(options.sheet)
        return
    options.work.mkdir(parents=True, exist_ok=True)
    jobs = [("held_out", HELD_OUT_SEED, HELD_OUT)]
    jobs += [(f"train_{n:02d}", SEED + n * SHARD, SHARD) for n in range(options.shards)]
    for name, seed, number in jobs:
        if (options.work / f"{name}.npy").exists():
            continue
        start = time.monotonic()
        pixels, facts = make_set(seed, number, options.workers)
        (options.work / f"{name}.json").write_text(json.dumps(facts))
        fresh = options.work / f"fresh_{name}.npy"
        np.save(fresh, pixels)
        fresh.rename(options.work / f"{name}.npy")
        print(f"{name}: {number} pictures in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
