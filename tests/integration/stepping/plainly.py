"""The plain pipeline call that a stepped frame is compared with, and frames stepped together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from diffusers import AutoPipelineForImage2Image
from engines import events_of
from PIL import Image

from img2imgd.engine.diffusers_engine import DiffusersEngine
from img2imgd.engine.protocol import FramePainted, FrameTask, ModelSpec
from img2imgd.engine.schedulers import make_scheduler, step_arguments

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

Picture = "NDArray[np.int16]"


class Plain:
    """A model as diffusers alone loads and calls it."""

    def __init__(self, folder: Path) -> None:
        pipe: Any = AutoPipelineForImage2Image.from_pretrained(folder)
        pipe.set_progress_bar_config(disable=True)
        self._own = pipe.scheduler
        self.pipe = pipe

    def paint(self, task: FrameTask) -> NDArray[np.int16]:
        """One call for one frame."""
        model = ModelSpec("plain", "", scheduler=task.scheduler or "euler")
        self.pipe.scheduler = make_scheduler(model, self._own)
        with torch.no_grad():
            output = self.pipe(
                task.prompt,
                image=Image.open(task.image),
                negative_prompt=task.negative_prompt,
                strength=task.strength,
                num_inference_steps=task.steps,
                guidance_scale=task.guidance_scale,
                generator=torch.Generator().manual_seed(task.seed),
                **step_arguments(self.pipe.scheduler),
            )
        return np.asarray(output.images[0]).astype(np.int16)


def stepped(engine: DiffusersEngine, tasks: Sequence[FrameTask]) -> list[NDArray[np.int16]]:
    """The pictures of frames that are all there from the beginning, in the order of ``tasks``."""
    events = events_of(engine, *tasks)
    painted = {event.key: event for event in events if isinstance(event, FramePainted)}
    return [pixels(painted[task.job, task.index]) for task in tasks]


def pixels(painted: FramePainted) -> NDArray[np.int16]:
    """Its H×W×3 picture."""
    shape = (painted.height, painted.width, 3)
    return np.frombuffer(painted.pixels, np.uint8).reshape(shape).astype(np.int16)


@contextmanager
def calls_of(module: Any) -> Generator[list[int]]:
    """The rows of each call of a module meanwhile."""
    rows: list[int] = []
    hook = module.register_forward_pre_hook(lambda _, inputs: rows.append(inputs[0].shape[0]))
    try:
        yield rows
    finally:
        hook.remove()
