"""Frames painted in this process: by the engine, and by diffusers' pipeline alone."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoPipelineForImage2Image
from numpy.typing import NDArray
from PIL import Image

from img2imgd.engine.diffusers_engine import DiffusersEngine
from img2imgd.engine.protocol import EngineEvent, FramePainted, FrameRefused, FrameTask, ModelSpec
from img2imgd.engine.schedulers import make_scheduler, step_arguments
from img2imgd.engine.stepping.capping import FILE
from img2imgd.job import effective_steps

from .cases import GUIDANCE, NEGATIVE, SEED, prompts, sketch, source_of

Facts = dict[str, Any]
Pictures = list[NDArray[np.int16]]


@dataclass(frozen=True)
class Desk:
    """Where is painted. ``folder`` holds sketches, and what the engine keeps between loads."""

    device: str
    quick: bool
    folder: Path

    @property
    def large(self) -> str:
        """The model whose speed counts: of Stable Diffusion 2.1's shape, unless all is quick."""
        return "demo" if self.quick else "sd21"

    def engine(self, model: str, **changes: Any) -> DiffusersEngine:
        """With the model loaded, by a row of the config as ``changes`` say."""
        engine = DiffusersEngine()
        engine.load(self.row(model, **changes))
        return engine

    def row(self, model: str, **changes: Any) -> ModelSpec:
        """The row itself."""
        source = str(source_of(model, self.device))
        row = ModelSpec(model, source, device=self.device, offline=True, cache=self.folder)
        return replace(row, **changes)

    def plain(self, model: str, dtype: torch.dtype) -> Any:
        """The pipeline as diffusers alone loads it."""
        source = source_of(model, self.device)
        pipe: Any = AutoPipelineForImage2Image.from_pretrained(source, dtype=dtype)
        pipe.set_progress_bar_config(disable=True)
        return pipe.to(self.device)

    def sweep(self, side: int, steps: int, strengths: Sequence[float]) -> list[FrameTask]:
        """Frames of one job and one prompt."""
        image, (prompt,) = sketch(self.folder, side), prompts(1)
        return [
            FrameTask(
                "sweep", number, image, prompt, NEGATIVE, SEED, strength, GUIDANCE, steps,
                effective_steps(steps, strength), job_frames=len(strengths),
            )
            for number, strength in enumerate(strengths)
        ]  # fmt: skip

    def mixture(self, side: int, steps: int, number: int) -> list[FrameTask]:
        """Frames that differ in all that may differ within one UNet call."""
        strengths = [round(1 - 0.1 * (place % 8), 1) for place in range(number)]
        tasks = self.sweep(side, steps, strengths)
        return [
            replace(task, prompt=prompt, seed=SEED + task.index, guidance_scale=3.0 + task.index)
            for task, prompt in zip(tasks, prompts(number), strict=True)
        ]


@dataclass(frozen=True)
class Painted:
    """What came of frames, in their order, and the seconds that all took together."""

    seconds: float
    events: list[FramePainted | FrameRefused]

    @property
    def pictures(self) -> Pictures:
        """Each H×W×3. All frames must have been painted."""
        assert all(isinstance(event, FramePainted) for event in self.events), self.events
        return [_pixels(event) for event in self.events if isinstance(event, FramePainted)]


def _pixels(event: FramePainted) -> NDArray[np.int16]:
    shape = (event.height, event.width, 3)
    return np.frombuffer(event.pixels, np.uint8).reshape(shape).astype(np.int16)


def paint(engine: DiffusersEngine, tasks: Sequence[FrameTask]) -> Painted:
    """All frames, which are there from the beginning."""
    events: list[EngineEvent] = []
    began = time.perf_counter()
    for task in tasks:
        engine.admit(task)
    while not engine.idle():
        engine.step(events.append)
    took = time.perf_counter() - began
    over = [event for event in events if isinstance(event, FramePainted | FrameRefused)]
    return Painted(took, sorted(over, key=lambda event: event.index))


def seconds_of(engine: DiffusersEngine, tasks: Sequence[FrameTask]) -> float:
    """Seconds of frames that must all be painted."""
    painted = paint(engine, tasks)
    assert len(painted.pictures) == len(tasks)
    return painted.seconds


def loop(pipe: Any, tasks: Sequence[FrameTask]) -> tuple[float, Pictures]:
    """One call of diffusers' pipeline a frame: seconds of all, and the pictures."""
    own, pictures = pipe.scheduler, []
    began = time.perf_counter()
    for task in tasks:
        pipe.scheduler = make_scheduler(ModelSpec("", "", scheduler=task.scheduler or "euler"), own)
        image = pipe(
            task.prompt,
            image=Image.open(task.image),
            negative_prompt=task.negative_prompt,
            strength=task.strength,
            num_inference_steps=task.steps,
            guidance_scale=task.guidance_scale,
            generator=torch.Generator("cpu").manual_seed(task.seed),
            **step_arguments(pipe.scheduler),
        ).images[0]
        pictures.append(np.asarray(image).astype(np.int16))
    pipe.scheduler = own
    return time.perf_counter() - began, pictures


def pipe_of(engine: DiffusersEngine) -> Any:
    """The pipeline that the engine has loaded."""
    return engine._pipe  # noqa: SLF001 - a benchmark looks inside


def share(engine: DiffusersEngine, rows: int) -> None:
    """Have UNet calls so many rows from the first, without finding out how many pay."""
    painter: Any = engine._painter  # noqa: SLF001 - as above
    painter._capping.most_rows = lambda _: rows  # noqa: SLF001 - as above


def caps(desk: Desk) -> Facts:
    """What the engine has written down of sizes of batches."""
    path = desk.folder / FILE
    return json.loads(path.read_text()) if path.exists() else {}


@contextlib.contextmanager
def rows_of_calls(engine: DiffusersEngine) -> Generator[Counter[int]]:
    """How many calls of the UNet have how many rows, meanwhile."""
    rows: Counter[int] = Counter()

    def count(_: object, inputs: tuple[torch.Tensor, ...]) -> None:
        rows[inputs[0].shape[0]] += 1

    hook = pipe_of(engine).unet.register_forward_pre_hook(count)
    try:
        yield rows
    finally:
        hook.remove()


def difference(some: Pictures, others: Pictures) -> tuple[int, float]:
    """The largest and the mean difference of two rows of pictures, in 1/255."""
    apart = [np.abs(one - other) for one, other in zip(some, others, strict=True)]
    return max(int(each.max()) for each in apart), float(np.mean([each.mean() for each in apart]))


def told(apart: tuple[int, float]) -> str:
    """A difference in words: the largest and the mean."""
    return f"{apart[0]} / {apart[1]:.2g}"


def wait(device: str) -> None:
    """Until the device has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def worded(counts: Counter[int]) -> str:
    """Calls by their rows."""
    return ", ".join(f"{number} of {rows}" for rows, number in sorted(counts.items()))
