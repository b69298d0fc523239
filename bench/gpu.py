"""What a GPU makes of the engine: a shape like Stable Diffusion 2.1's, and the embedded model.

- ``equality``: frames alone and in mixtures beside the plain pipeline on the same GPU
- ``sweep``: 31 frames, the plain loop of diffusers' calls beside the engine; sizes of batches that
  were found; the limit, which is the UNet's calls alone
- ``busy``: the share of the time in which the GPU has work, and the lines that wait for it
- ``memory``: a GPU with too little memory for a batch
- ``settings``: number formats, tf32, channels_last, compile
- ``offload``: seconds, memory, and how often parts of the model move

All in this process, without a daemon. Prints tables; each part is added to
``bench/results/gpu.json``. A part takes one minute or two on an H100.
Run: ``python bench/gpu.py [--only WORD] [--device cuda|cpu] [--quick]``; quick on a processor, only
mistakes show.
"""

from __future__ import annotations

import os

from img2imgd.engine.factory import SPINS

os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # as the worker sets it; read at torch's import
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from img2imgd.engine.devices import first_line, free_memory
from measuring.busy import busy_share
from measuring.here import (
    Desk,
    Facts,
    Pictures,
    caps,
    difference,
    loop,
    paint,
    rows_of_calls,
    seconds_of,
    share,
    told,
    wait,
    worded,
)
from measuring.pairs import timed
from measuring.report import Options, save, table
from measuring.tight import memory, offload
from measuring.unet import inputs

SCHEDULERS = ("euler", "euler_a", "ddim", "heun", "dpm++_2m", "unipc")
SETTINGS: dict[str, Facts] = {
    "fp16": {},
    "fp32": {"dtype": "fp32"},
    "fp32, tf32": {"dtype": "fp32", "tf32": True},
    "bf16": {"dtype": "bf16"},
    "fp16, channels_last": {"channels_last": True},
    "fp16, compile": {"compile": True},
    "fp16, channels_last, compile": {"channels_last": True, "compile": True},
}


def equality(desk: Desk) -> Facts:
    """The embedded model, whose weights are trained: pictures differ where numbers do."""
    rows, facts = [], {}
    for dtype in (torch.float32,) if desk.device == "cpu" else (torch.float32, torch.float16):
        name = str(dtype).removeprefix("torch.")
        engine = desk.engine("demo", dtype={"float32": "fp32", "float16": "fp16"}[name])
        share(engine, 64)
        plain = desk.plain("demo", dtype)
        for scheduler in SCHEDULERS[:2] if desk.quick else SCHEDULERS:
            tasks = desk.mixture(64 if desk.quick else 128, 12, 3 if desk.quick else 8)
            tasks = [replace(task, scheduler=scheduler) for task in tasks]
            _, expected = loop(plain, tasks)
            alone = [paint(engine, [task]).pictures[0] for task in tasks]
            together = paint(engine, tasks).pictures
            same = sum((one == other).all() for one, other in zip(alone, expected, strict=True))
            apart = difference(alone, expected), difference(together, expected)
            rows.append((f"{scheduler}, {name}", f"{same} of {len(tasks)}", *map(told, apart)))
            facts[f"{scheduler}, {name}"] = {
                "same": int(same),
                "alone": apart[0],
                "mixed": apart[1],
            }
    print(table(("scheduler", "alone: same bits", "alone, max / mean", "mixed"), rows))
    return facts


def sweep(desk: Desk) -> Facts:
    """The plain loop beside the engine, and beside what the UNet alone takes."""
    frames = 3 if desk.quick else 31
    strengths = [round(0.05 + 0.9 * place / (frames - 1), 2) for place in range(frames)]
    cases = ((64, 20),) if desk.quick else ((512, 50), (768, 25))
    rows, facts = [], {}
    plain = desk.plain(desk.large, torch.float32 if desk.device == "cpu" else torch.float16)
    engine = desk.engine(desk.large)
    for side, steps in cases:
        tasks = desk.sweep(side, steps, strengths)
        short = [replace(task, strength=0.5, steps=2, effective_steps=1) for task in tasks[:1]]
        loop(plain, short)
        paint(engine, short)
        took: Facts = {"plain loop": loop(plain, tasks)[0]}
        with rows_of_calls(engine) as calls:
            took["engine, first time"] = seconds_of(engine, tasks)
            calls.clear()
            took["engine"] = seconds_of(engine, tasks)
        needed = 2 * sum(task.effective_steps for task in tasks)
        per_row = limit(desk, plain.unet, side // plain.vae_scale_factor)
        took["limit"] = needed * min(per_row.values())
        rows += [
            (f"{side} px, {steps} steps: {name}", each, each / frames, took["plain loop"] / each)
            for name, each in took.items()
        ]
        facts[f"{side}"] = {
            "steps": steps, "rows": needed, "calls": dict(calls), "seconds": took,
            "ms_per_row": {number: 1000 * each for number, each in per_row.items()},
        }  # fmt: skip
        alone = ", ".join(f"{number}: {1000 * each:.2f}" for number, each in per_row.items())
        print(f"{side} px: calls: {worded(calls)} rows; the UNet alone, ms a row: {alone}")
    print(table(("sweep of " + str(frames), "seconds", "s/frame", "times as fast"), rows))
    facts["caps"] = caps(desk)
    print("caps:", json.dumps(facts["caps"]))
    return facts


def limit(desk: Desk, unet: Any, latent_side: int) -> dict[int, float]:
    """Seconds per row of the UNet's calls, by their rows."""
    found = {}
    for rows in (2, 4) if desk.quick else (2, 4, 8, 16, 32, 64):
        ready = [each.to(desk.device) for each in inputs(unet, rows, latent_side)]

        def call(ready: Any = ready) -> None:
            with torch.inference_mode():
                unet(*ready, return_dict=False)
            wait(desk.device)

        call()
        found[rows] = min(timed(call) for _ in range(4)) / rows
    return found


HEADER = ("setting", "seconds", "times as fast", "first", "to fp16, max / mean", "to fp32")


def settings(desk: Desk) -> Facts:
    """Seconds of eight frames in one call a step, and what pictures they make."""
    side, steps, frames = (64, 2, 3) if desk.quick else (512, 12, 8)
    rows, facts, trained = [], {}, dict[str, Pictures]()
    for name, changes in SETTINGS.items():
        if desk.quick and "compile" in name:
            continue
        try:
            engine = desk.engine(desk.large, **changes)
            share(engine, 2 * frames)
            tasks = desk.sweep(side, steps, [1.0] * frames)
            first = seconds_of(engine, tasks)
            runs = [seconds_of(engine, tasks) for _ in range(1 if desk.quick else 3)]
            engine.load(desk.row("demo", **changes))
            share(engine, 2 * frames)
            trained[name] = paint(engine, desk.mixture(side // 4 * 2, 12, frames)).pictures
            del engine
        except Exception as error:  # noqa: BLE001 - a setting that this torch or GPU cannot
            print(f"{name}: {type(error).__name__}: {first_line(error)}")
            continue
        took = statistics.median(runs)
        apart = [
            difference(trained[name], trained[other]) for other in ("fp16", "fp32")
            if other in trained
        ]  # fmt: skip
        facts[name] = {"runs": runs, "first": first, "differs_from_fp16_fp32": apart}
        times = statistics.median(facts["fp16"]["runs"]) / took if "fp16" in facts else 0.0
        rows.append((name, took, times, first, *map(told, apart), *[""] * (2 - len(apart))))
        print(*table(HEADER, rows[-1:]).splitlines()[1:], flush=True)
    print(table(HEADER, rows))
    return facts


PARTS: dict[str, Callable[[Desk], Facts]] = {
    "equality": equality, "sweep": sweep, "busy": busy_share, "memory": memory,
    "settings": settings, "offload": offload,
}  # fmt: skip


def main() -> None:
    """Measure each part that is asked for, print, add to what is written."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="a smoke run of the embedded model")
    said = parser.parse_args()
    device = said.device if not said.quick or torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        print("There is no GPU that CUDA can use: nothing is measured. --quick tries the code.")
        return
    gpu = torch.cuda.get_device_name() if device == "cuda" else "the processor"
    options = Options(said.quick, None)
    written = options.results / "gpu.json"
    for name in said.only or PARTS:
        print(f"\n{name}, on {gpu}", flush=True)
        with tempfile.TemporaryDirectory(prefix="img2imgd-gpu-") as folder:
            found = PARTS[name](Desk(device, said.quick, Path(folder)))
        before = json.loads(written.read_text()).get("parts", {}) if written.exists() else {}
        save(options, "gpu", {"gpu": gpu, "parts": before | {name: found}})
        free_memory()


if __name__ == "__main__":
    main()
