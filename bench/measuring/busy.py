"""How busy a GPU is, and where a program waits for it. Only CUDA tells."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch.profiler import ProfilerActivity, profile

from img2imgd.engine.protocol import EngineEvent

from .here import Desk, Facts, paint, share, wait
from .pairs import covered, timed
from .report import table


class Busy(NamedTuple):
    """Seconds of some work: of the wall's clock, and within it of kernels and copies."""

    wall: float
    gpu: float
    kernels: int
    longest: list[tuple[str, float]]

    @property
    def share(self) -> float:
        """Of the time, in which the GPU had something to do."""
        return self.gpu / self.wall


def busy(work: Callable[[], object]) -> Busy:
    """Profile the work: time of kernels that lie upon each other counts once."""
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
        wall = time.perf_counter() - began
    events = [
        (event.time_range.start, event.time_range.end, event.name)
        for event in profiler.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
    ]
    gpu = covered((start, end) for start, end, _ in events)
    by_name: Counter[str] = Counter()
    for start, end, name in events:
        by_name[name[:90]] += end - start
    longest = [(name, micro / 1e6) for name, micro in by_name.most_common(8)]
    return Busy(wall, gpu / 1e6, len(events), longest)


def waits(work: Callable[[], object]) -> Counter[str]:
    """The lines of code that wait for the GPU, and how often they do."""
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            work()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return Counter(
        "/".join(Path(one.filename).parts[-3:]) + f":{one.lineno}"
        for one in said
        if "synchroniz" in str(one.message)
    )


def busy_share(desk: Desk) -> Facts:
    """A window in the middle of a sweep, and the whole of it."""
    frames, steps = (3, 14) if desk.quick else (31, 25)
    tasks = desk.sweep(64 if desk.quick else 512, steps, [0.9] * frames)
    engine = desk.engine(desk.large)
    share(engine, 16)
    paint(engine, tasks[:2])

    def window(number: int) -> float:
        events: list[EngineEvent] = []
        began_at = 5

        def some() -> None:
            for _ in range(number):
                engine.step(events.append)

        for task in tasks:
            engine.admit(task)
        for _ in range(began_at):
            engine.step(events.append)
        wait(desk.device)
        seconds = timed(lambda: (some(), wait(desk.device)))
        if desk.device == "cuda":
            found["window"], found["waits"] = busy(some), waits(some)
        while not engine.idle():
            engine.step(events.append)
        return seconds / number

    found: Facts = {}
    found["seconds_per_step"] = window(2 if desk.quick else 10)
    print(f"a step with 16 rows: {1000 * found['seconds_per_step']:.1f} ms")
    if desk.device != "cuda":
        print("the rest needs CUDA")
        return found
    found["whole"] = busy(partial(paint, engine, tasks))
    for name in ("window", "whole"):
        one = found[name]
        print(f"{name}: the GPU is busy {one.share:.1%} of {one.wall:.2f} s, {one.kernels} kernels")
        print(table(("kernel", "seconds"), one.longest))
    print("waits for the GPU in 10 steps:")
    print(table(("line", "times"), found["waits"].most_common(12)))
    return found
