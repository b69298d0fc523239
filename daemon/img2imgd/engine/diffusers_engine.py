"""The engine of diffusers' pipelines: loads a model and chooses what paints with it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Protocol

import torch

from img2imgd.engine.devices import causes, free_memory, is_device_lost
from img2imgd.engine.families import STEPPED
from img2imgd.engine.loading import load_pipeline
from img2imgd.engine.opening import Pipeline
from img2imgd.engine.pipelines import PipelineCalls
from img2imgd.engine.protocol import (
    EngineEvent,
    FrameTask,
    Glimpse,
    ModelInfo,
    ModelSpec,
    ModelUnavailable,
)
from img2imgd.engine.stepping.capping import Capping
from img2imgd.engine.stepping.lanes import lanes_for
from img2imgd.engine.stepping.stepper import Stepper


class Painter(Protocol):
    """What paints with one loaded pipeline; the verbs are those of ``Engine``."""

    def admit(self, task: FrameTask) -> None: ...

    def step(self, report: Callable[[EngineEvent], None]) -> None: ...

    def cancel(self, job: str) -> None: ...

    def idle(self) -> bool: ...

    def glimpse(self, job: str) -> Glimpse | None: ...


class DiffusersEngine:
    """Frames of Stable Diffusion 1, 2 and XL share UNet calls; other families paint one by one."""

    def __init__(self) -> None:
        self._pipe: Pipeline = None
        self._painter: Painter | None = None

    def load(self, model: ModelSpec) -> ModelInfo:
        """Free the model before, then load this one: both together may not fit."""
        self._pipe = self._painter = None
        free_memory()
        try:
            self._pipe, info = load_pipeline(model)
        except ModelUnavailable as error:
            error.engine_lost = any(map(is_device_lost, causes(error)))
            for cause in causes(error):
                traceback.clear_frames(cause.__traceback__)  # they hold what was loaded so far
            free_memory()
            raise
        device = torch.device(info.device)
        if type(self._pipe).__name__ in STEPPED:
            capping = Capping(device, _how_it_runs(model, info), _most_rows(model), model.cache)
            offloaded = model.offload != "none" and device.type != "cpu"
            phased = offloaded and model.offload == "model"
            # Compiled code is made within the first call, which two lanes must not do at once.
            # With a frame a call, pictures are decoded one by one too: so each is as if alone.
            one = device.type != "cpu" or model.compile or model.max_batch == 1
            lanes = 1 if one else lanes_for(self._pipe.unet)
            self._painter = Stepper(
                self._pipe, device, capping, phased=phased, offloaded=offloaded,
                lanes=lanes, compiled=model.compile,
            )  # fmt: skip
        else:
            self._painter = PipelineCalls(self._pipe, device)
        return info

    def admit(self, task: FrameTask) -> None:
        """Take a frame of the loaded model."""
        if self._painter is None:
            raise RuntimeError("no model is loaded")
        self._painter.admit(task)

    def step(self, report: Callable[[EngineEvent], None]) -> None:
        """Do the smallest unit of work there is."""
        if self._painter is not None:
            self._painter.step(report)

    def cancel(self, job: str) -> None:
        """Forget the job's frames."""
        if self._painter is not None:
            self._painter.cancel(job)

    def idle(self) -> bool:
        """True when no frame is left."""
        return self._painter is None or self._painter.idle()

    def glimpse(self, job: str) -> Glimpse | None:
        """What the job's frame that is nearest to its end looks like so far, where that is told."""
        return None if self._painter is None else self._painter.glimpse(job)


def _how_it_runs(model: ModelSpec, info: ModelInfo) -> str:
    """What the speed of a model's UNet depends on."""
    switches = ("channels_last", "compile", "tf32")
    on = [switch for switch in switches if getattr(model, switch)]
    torch_version = info.libraries.get("torch", "")
    said = (info.weights[:10], info.dtype, model.attention, model.offload, *on, torch_version)
    return " ".join(said)


def _most_rows(model: ModelSpec) -> int | None:
    """A frame with guidance takes two rows, another one; with a frame a call, both go alone."""
    if model.max_batch is None:
        return None
    return 1 if model.max_batch == 1 else 2 * model.max_batch
