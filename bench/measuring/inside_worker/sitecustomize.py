"""Times the parts of the worker's work; Python imports this by itself where it is on its path.

In any other process it does nothing. ``SIGUSR1`` has the worker write what it has timed so far to
the file that ``IMG2IMGD_BENCH_TIMES`` names: for each thread and part, calls and seconds without
what other parts within took.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

_TARGET = os.environ.get("IMG2IMGD_BENCH_TIMES")
_here = threading.local()
_totals: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0, 0.0]))


def timed(owner: Any, name: str, part: str) -> None:
    """Count the calls of a function, and its seconds less those of timed calls within."""
    original: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(original)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        within = _here.__dict__.setdefault("within", [])
        within.append(0.0)
        began = time.perf_counter()
        try:
            return original(*arguments, **named)
        finally:
            took = time.perf_counter() - began
            total = _totals[threading.current_thread().name][part]
            total[0] += 1
            total[1] += took - within.pop()
            if within:
                within[-1] += took

    setattr(owner, name, wrapper)


def time_the_engine() -> None:
    """Once torch is there: what a frame passes through."""
    import copy

    import diffusers
    from diffusers.image_processor import VaeImageProcessor
    from PIL import Image
    from transformers import CLIPTextModel, PreTrainedTokenizerBase

    timed(diffusers.UNet2DConditionModel, "forward", "UNet")
    timed(diffusers.AutoencoderKL, "encode", "VAE encode")
    timed(diffusers.AutoencoderKL, "decode", "VAE decode")
    timed(CLIPTextModel, "forward", "text encoder")
    timed(PreTrainedTokenizerBase, "__call__", "tokenizer")
    timed(VaeImageProcessor, "preprocess", "pixels to numbers")
    timed(VaeImageProcessor, "postprocess", "numbers to pixels")
    timed(Image, "open", "open pictures")
    timed(copy, "deepcopy", "copies")
    for method in ("step", "scale_model_input", "add_noise", "set_timesteps"):
        timed(diffusers.EulerDiscreteScheduler, method, f"scheduler.{method}")


def time_the_worker() -> None:
    """What the process does around the engine."""
    from img2imgd.pool import assembling, worker

    make = worker.create_engine

    def create_engine(backend: str, *, offline: bool) -> Any:
        engine = make(backend, offline=offline)
        timed(type(engine), "step", "engine, between the parts")
        time_the_engine()
        return engine

    worker.create_engine = create_engine
    timed(worker, "write_frame", "write frames, durably")
    timed(assembling, "write_animation", "animation")
    timed(assembling, "write_sheet", "contact sheet")
    timed(worker.Worker, "_send", "tell the supervisor")
    timed(worker.Worker, "_take", "take or wait for orders")
    signal.signal(signal.SIGUSR1, lambda *_: write(Path(str(_TARGET))))


def write(target: Path) -> None:
    """The totals so far, whole at once."""
    temporary = target.with_suffix(".part")
    temporary.write_text(json.dumps(_totals))
    temporary.rename(target)


if _TARGET and "img2imgd.pool.process" in sys.orig_argv:
    time_the_worker()
