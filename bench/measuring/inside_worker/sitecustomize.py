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


def timing(original: Callable[..., Any], part: str) -> Callable[..., Any]:
    """A function that counts its calls, and its seconds less those of timed calls within."""

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

    return wrapper


def timed(owner: Any, name: str, part: str) -> None:
    """Time a method, or a function where it is looked up with each call."""
    setattr(owner, name, timing(getattr(owner, name), part))


def timed_where_imported(function: Callable[..., Any], part: str) -> None:
    """Time a function in every module of the package that has imported it."""
    wrapper = timing(function, part)
    for module in [m for name, m in sys.modules.items() if name.startswith("img2imgd")]:
        for name in [name for name, value in vars(module).items() if value is function]:
            setattr(module, name, wrapper)


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
    from img2imgd.outputs import animation, encode, sheet
    from img2imgd.pool import worker

    make = worker.create_engine

    def create_engine(backend: str, *, offline: bool) -> Any:
        engine = make(backend, offline=offline)
        timed(type(engine), "step", "engine, between the parts")
        time_the_engine()
        return engine

    worker.create_engine = create_engine
    timed_where_imported(encode.write_frame, "write frames, durably")
    timed_where_imported(animation.write_animation, "animation")
    timed_where_imported(sheet.write_sheet, "contact sheet")
    timed(worker.Worker, "_send", "tell the supervisor")
    signal.signal(signal.SIGUSR1, lambda *_: write(Path(str(_TARGET))))


def write(target: Path) -> None:
    """The totals so far, whole at once."""
    temporary = target.with_suffix(".part")
    temporary.write_text(json.dumps({name: dict(parts) for name, parts in list(_totals.items())}))
    temporary.rename(target)


if _TARGET and "img2imgd.pool.process" in sys.orig_argv:
    time_the_worker()
