"""Render the families of captioned pictures once and keep them as arrays under work/.

A family is one scene four times: one sketch of it, and three paintings at three times of day in
three looks. So the same places are known as a drawing and as a painting.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .architecture import SIDE, WORK
from .world.captions import caption
from .world.looks import LOOK_WEIGHTS, LOOKS, render
from .world.paint import paint
from .world.scenes import Scene, pick_time, sample_scene

SEED = 2026
HELD_OUT_SEED = 9_000_000
CAPTIONS_EACH = 4
PAINTINGS = 3
MEMBERS = 1 + PAINTINGS
SHARD = 1_000
HELD_OUT = 150

Facts = dict[str, Any]


def tell(rng: np.random.Generator, scene: Scene, look: str) -> Facts:
    """What is in one picture: its captions, its attributes, and where things are.

    `horizon` and `main` (the middle of the main thing, x and y) are fractions of the side from
    the upper left corner; a sketch has no time of day.
    """
    main = scene.main
    return {
        "captions": [caption(rng, scene, look) for _ in range(CAPTIONS_EACH)],
        "time": None if look == "sketch" else scene.time,
        "ground": scene.ground,
        "look": look,
        "object": scene.main_kind,
        "horizon": scene.horizon,
        "main": [main.x, main.y - main.size / 2] if main else None,
    }


def make_family(seed: int) -> tuple[np.ndarray, list[Facts]]:
    """Pictures (MEMBERS x SIDE x SIDE x 3 bytes, the sketch first) and what is in each."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    scene = sample_scene(rng)
    names, weights = list(LOOK_WEIGHTS), list(LOOK_WEIGHTS.values())
    looks = rng.choice(names, PAINTINGS, replace=False, p=np.divide(weights, sum(weights)))
    pictures: list[np.ndarray] = []
    facts: list[Facts] = []
    seen: set[str] = set()
    for look in looks:
        while (when := pick_time(rng)) in seen:
            pass
        seen.add(when)
        there = scene.at(when)
        canvas = paint(there)
        if not pictures:
            pictures.append(render(canvas, "sketch", rng))
            facts.append(tell(rng, there, "sketch"))
        pictures.append(render(canvas, str(look), rng))
        facts.append(tell(rng, there, str(look)))
    return np.stack(pictures), facts


def make_set(path: Path, first_seed: int, number: int, workers: int) -> None:
    """Write `number` families: the pictures to `path` (.npy), the facts beside it (.json)."""
    fresh = path.with_name("fresh_" + path.name)
    shape = (number, MEMBERS, SIDE, SIDE, 3)
    pictures = np.lib.format.open_memmap(fresh, "w+", np.uint8, shape)
    facts: list[list[Facts]] = []
    with multiprocessing.Pool(workers) as pool:
        seeds = range(first_seed, first_seed + number)
        for index, (family, told) in enumerate(pool.imap(make_family, seeds, chunksize=16)):
            pictures[index] = family
            facts.append(told)
    pictures.flush()
    path.with_suffix(".json").write_text(json.dumps(facts))
    fresh.rename(path)


def load_shard(path: Path) -> tuple[np.ndarray, list[list[Facts]]]:
    """Pictures (families x MEMBERS x SIDE x SIDE x 3 bytes, left on disk) and their facts."""
    return np.load(path, mmap_mode="r"), json.loads(path.with_suffix(".json").read_text())


def training_shards(work: Path) -> list[Path]:
    """The files of training pictures, in order."""
    return sorted(work.glob("train_*.npy"))


def load_held_out(work: Path) -> tuple[np.ndarray, list[list[Facts]]]:
    """The families no training has seen, rendered here if they are missing."""
    path = work / "held_out.npy"
    if not path.exists():
        work.mkdir(parents=True, exist_ok=True)
        make_set(path, HELD_OUT_SEED, HELD_OUT, 2)
    return load_shard(path)


def contact_sheet(columns: int, seed: int) -> np.ndarray:
    """One row for each look with `columns` scenes, RGB bytes."""
    rng = np.random.default_rng(seed)
    canvases = [paint(sample_scene(rng)) for _ in range(columns)]
    return np.vstack([np.hstack([render(c, look, rng) for c in canvases]) for look in LOOKS])


def main() -> None:
    """Command line: render missing shards of training pictures and the held-out set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--shards", type=int, default=12)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sheet", type=Path, help="only write a contact sheet here")
    options = parser.parse_args()
    if options.sheet:
        cv2.imwrite(str(options.sheet), contact_sheet(8, SEED)[..., ::-1])
        return
    load_held_out(options.work)
    for number in range(options.shards):
        path = options.work / f"train_{number:02d}.npy"
        if path.exists():
            continue
        start = time.monotonic()
        make_set(path, SEED + number * SHARD, SHARD, options.workers)
        print(f"{path.stem}: {SHARD} families in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
