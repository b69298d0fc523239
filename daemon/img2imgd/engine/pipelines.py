"""Paints one frame after the other, each by one call of its diffusers pipeline."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import torch
from PIL import Image

from img2imgd.engine.devices import free_memory
from img2imgd.engine.families import guidance_arguments
from img2imgd.engine.frame_faults import explain, flagged
from img2imgd.engine.opening import Pipeline
from img2imgd.engine.picture import open_picture
from img2imgd.engine.protocol import (
    EngineEvent,
    FramePainted,
    FrameRefused,
    FrameTask,
    Glimpse,
    StepDone,
)
from img2imgd.engine.schedulers import (
    Schedulers,
    UnfitScheduler,
    step_arguments,
    timesteps_from,
)
from img2imgd.engine.sparingly import Sparingly

Report = Callable[[EngineEvent], None]


class _Cancelled(Exception):
    """Raised within a pipeline call to leave it at the end of a denoising step."""


class PipelineCalls:
    """Serves any family that ``AutoPipelineForImage2Image`` knows, one frame at a time.

    A frame's picture is what the pipeline itself makes with a CPU generator of the frame's seed,
    bit for bit.
    """

    def __init__(self, pipe: Pipeline, device: torch.device) -> None:
        self._pipe = pipe
        self._device = device
        self._schedulers = Schedulers(pipe.scheduler)
        self._frames: deque[FrameTask] = deque()
        self._cancelled: set[str] = set()
        self._sparingly = Sparingly(pipe)
        _refuse_infinity(pipe)

    def admit(self, task: FrameTask) -> None:
        """Take a frame; frames are painted in order of admission."""
        self._frames.append(task)

    def step(self, report: Report) -> None:
        """Paint the oldest frame, reporting its steps from within the pipeline call."""
        if not self._frames:
            return
        task = self._frames.popleft()
        self._cancelled.clear()
        try:
            event = self._paint(task, report)
        except _Cancelled:
            self._pipe.maybe_free_model_hooks()  # the call did not come to where it does this
            return
        if task.job not in self._cancelled:
            report(event)

    def cancel(self, job: str) -> None:
        """Forget the job's frames; the one that runs leaves its loop at the end of the step."""
        self._frames = deque(task for task in self._frames if task.job != job)
        self._cancelled.add(job)

    def idle(self) -> bool:
        """True when no frame is left."""
        return not self._frames

    def glimpse(self, job: str) -> Glimpse | None:  # noqa: ARG002 - the protocol's
        """None: between two of its steps, a frame is in a call of the pipeline."""
        return None

    def _paint(self, task: FrameTask, report: Report) -> EngineEvent:
        """Paint a frame; one that memory does not hold, once more with less of it."""
        picture = open_picture(task)
        if not isinstance(picture, Image.Image):
            return picture
        spared = picture.size in self._sparingly
        event = self._attempt(task, picture, report)
        if spared or not isinstance(event, FrameRefused) or not event.out_of_memory:
            return event
        self._sparingly.add(picture.size)
        return self._attempt(task, picture, report)

    def _attempt(self, task: FrameTask, picture: Image.Image, report: Report) -> EngineEvent:
        size = picture.size
        try:
            with torch.inference_mode(), self._sparingly.painting(size):
                event = self._call(task, picture, report)
            if isinstance(event, FramePainted):
                return dataclasses.replace(event, note=self._sparingly.note(size))
            return event
        except _Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - one frame's edge; explain logs it
            event = explain(task, size, error, self._device)
        if isinstance(event, FrameRefused) and event.out_of_memory:
            # Only here, out of the except clause, has its frame let go of tensors.
            self._pipe.maybe_free_model_hooks()
            free_memory()
        return event

    def _call(self, task: FrameTask, picture: Image.Image, report: Report) -> EngineEvent:
        try:
            self._pipe.scheduler = self._schedulers.take(task.scheduler, task.steps)
        except UnfitScheduler as unfit:
            return FrameRefused(task.job, task.index, str(unfit))
        # numpy makes black of what is not a number, with no more than a warning.
        with np.errstate(invalid="raise"), _beginning_at(self._pipe, task):
            output = self._pipe(**self._arguments(task, picture, report))
        if any(getattr(output, "nsfw_content_detected", None) or ()):
            return flagged(task)
        pixels = np.asarray(output.images[0].convert("RGB"))
        height, width = pixels.shape[:2]
        return FramePainted(task.job, task.index, width, height, pixels.tobytes())

    def _arguments(self, task: FrameTask, picture: Image.Image, report: Report) -> dict[str, Any]:
        """The call's arguments, of those that this family's pipeline knows."""
        order = getattr(self._pipe.scheduler, "order", 1)

        def after_step(_: Any, done: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            # A scheduler of order 2 runs two passes a step, and one for the last.
            step = min((done + order) // order, task.effective_steps)
            report(StepDone(task.job, task.index, step, task.effective_steps))
            if task.job in self._cancelled:
                raise _Cancelled
            return tensors

        known = inspect.signature(self._pipe.__call__).parameters
        arguments = {
            "prompt": task.prompt,
            "image": picture,
            "width": picture.width,
            "height": picture.height,
            "strength": task.strength,
            "num_inference_steps": task.steps,
            **guidance_arguments(self._pipe, task.guidance_scale, task.negative_prompt),
            "generator": torch.Generator("cpu").manual_seed(task.seed),
            "callback_on_step_end": after_step,
            **step_arguments(self._pipe.scheduler),
        }
        return {name: value for name, value in arguments.items() if name in known}


def _refuse_infinity(pipe: Pipeline) -> None:
    """Have FloatingPointError raised where pixels are infinite.

    Pipelines, and some autoencoders, clamp those to white or black.
    """

    def check(_: object, __: object, decoded: torch.Tensor) -> None:
        if not torch.isfinite(decoded).all():
            raise FloatingPointError("the decoded picture")

    pipe.vae.decoder.register_forward_hook(check)


@contextlib.contextmanager
def _beginning_at(pipe: Pipeline, task: FrameTask) -> Generator[None]:
    """Have the pipeline begin at step ``steps - effective_steps`` of its schedule.

    Its own ``get_timesteps`` begins at ``steps - int(steps * strength)``, the same unless that runs
    no step at all, which crashes. The noise added is that of the first timestep that runs, so one
    step at the schedule's very end changes the picture as little as it should; a raised strength
    might begin one earlier. Families without ``get_timesteps`` begin where they will.
    """
    if not hasattr(pipe, "get_timesteps"):
        yield
        return

    def get_timesteps(*_: Any, **__: Any) -> tuple[Any, int]:
        begin = task.steps - task.effective_steps
        return timesteps_from(pipe.scheduler, begin), task.effective_steps

    pipe.get_timesteps = get_timesteps
    try:
        yield
    finally:
        del pipe.get_timesteps
