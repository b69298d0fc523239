"""A GPU with too little memory: for a batch, or for the whole model."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from typing import Any

import accelerate.hooks
import torch

from img2imgd.engine.devices import free_memory
from img2imgd.engine.protocol import FramePainted, FrameRefused
from img2imgd.engine.stepping.capping import FILE

from .here import Desk, Facts, caps, paint, rows_of_calls, seconds_of, share, worded
from .report import table


@contextlib.contextmanager
def log_lines() -> Generator[list[str]]:
    """What the engine logs meanwhile."""
    text, lines = io.StringIO(), list[str]()
    handler = logging.StreamHandler(text)
    logging.getLogger("img2imgd").addHandler(handler)
    try:
        yield lines
    finally:
        logging.getLogger("img2imgd").removeHandler(handler)
        lines += text.getvalue().splitlines()


def memory(desk: Desk) -> Facts:
    """Batches of 128 rows, and then half of the memory that these take."""
    tasks = desk.sweep(64 if desk.quick else 512, 4, [1.0] * (4 if desk.quick else 64))
    paint(desk.engine(desk.large), tasks)  # the file of caps is written
    wide = {
        key: {"rows": 128, "limit": 128, "settled": True, "seconds_per_row": {}}
        for key in caps(desk)
    }
    (desk.folder / FILE).write_text(json.dumps(wide))
    engine = desk.engine(desk.large)
    alone, most = (peak(desk, partial(paint, engine, some)) for some in (tasks[:1], tasks))
    del engine
    total = torch.cuda.mem_get_info()[1] if desk.device == "cuda" else 0
    allowed = alone + (most - alone) // 2
    print(
        f"GB held: one frame {alone / 1e9:.2f}, all {most / 1e9:.2f}; allowed {allowed / 1e9:.2f}"
    )
    if not total:
        print("a limit to the memory needs CUDA")
    engine = desk.engine(desk.large)
    with log_lines() as lines, rows_of_calls(engine) as calls:
        if total:
            torch.cuda.set_per_process_memory_fraction(allowed / total)
        try:
            painted = paint(engine, tasks)
        finally:
            if total:
                torch.cuda.set_per_process_memory_fraction(1.0)
    kinds = Counter(type(event).__name__ for event in painted.events)
    notes = {one.note if isinstance(one, FramePainted) else one.reason for one in painted.events}
    print(f"{dict(kinds)} of {len(tasks)} in {painted.seconds:.1f} s; calls: {worded(calls)} rows")
    print("notes:", notes - {""} or "none", "\n" + "\n".join(lines))
    assert not any(isinstance(event, FrameRefused) for event in painted.events)
    facts = {"alone": alone, "all": most, "allowed": allowed, "came": kinds, "calls": dict(calls)}
    return facts | {"log": lines, "caps": caps(desk)}


def peak(desk: Desk, work: Callable[[], object]) -> int:
    """Bytes that torch keeps of the GPU at the most."""
    free_memory()
    if desk.device != "cuda":
        work()
        return 0
    torch.cuda.reset_peak_memory_stats()
    work()
    return torch.cuda.max_memory_reserved()


@contextlib.contextmanager
def moves() -> Generator[Counter[str]]:
    """How often accelerate moves what: whole parts, or single weights."""
    found: Counter[str] = Counter()
    whole, single = torch.nn.Module.to, accelerate.hooks.set_module_tensor_to_device

    def to(module: torch.nn.Module, *where: Any, **how: Any) -> torch.nn.Module:
        before = next((one.device for one in module.parameters()), None)
        moved = whole(module, *where, **how)
        if next((one.device for one in module.parameters()), None) != before:
            found[type(module).__name__] += 1
        return moved

    def weight(*what: Any, **how: Any) -> None:
        found["weights"] += 1
        single(*what, **how)

    torch.nn.Module.to, accelerate.hooks.set_module_tensor_to_device = to, weight  # type: ignore[method-assign]
    try:
        yield found
    finally:
        torch.nn.Module.to, accelerate.hooks.set_module_tensor_to_device = whole, single  # type: ignore[method-assign]


def offload(desk: Desk) -> Facts:
    """Eight frames in one call a step, with the whole model on the GPU and with parts of it."""
    side, steps, frames = (64, 2, 3) if desk.quick else (512, 6, 8)
    rows, facts = [], {}
    for way in ("none", "model", "sequential"):
        engine = desk.engine(desk.large, offload=way)
        share(engine, 2 * frames)
        tasks = desk.sweep(side, steps, [1.0] * frames)
        paint(engine, [replace(task, steps=1, effective_steps=1) for task in tasks[:1]])
        with moves() as moved:
            runs: list[float] = []
            held = peak(desk, lambda e=engine, t=tasks, r=runs: r.append(seconds_of(e, t)))
        facts[way] = {"seconds": runs[0], "held": held, "moves": dict(moved)}
        rows.append((way, runs[0], held / 1e9, str(dict(moved))))
        del engine
    print(table(("offload", "seconds", "GB at most", "moves"), rows))
    return facts
