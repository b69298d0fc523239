"""An engine without a model: it tints the picture, to test the daemon at full speed."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from img2imgd.engine.picture import open_picture
from img2imgd.engine.protocol import (
    EngineEvent,
    FrameGivenBack,
    FramePainted,
    FrameRefused,
    FrameTask,
    Glimpse,
    ModelInfo,
    ModelSpec,
    ModelUnavailable,
    StepDone,
)

NATIVE_SIZE = 64
MULTIPLE = 8
TROUBLES = ("poison", "hang", "loss", "oom")
"""What a text in a prompt can do to the engine; the first two in a model's name, too."""


class FakeEngine:
    """Paints frames one after the other, one denoising step per :meth:`step`.

    Same task, same picture, same pixels; another picture, prompt, seed, strength, guidance scale,
    number of steps or scheduler gives other pixels. A prompt with one of these texts, at its first
    step, or a model with it in its name, when it is loaded: ``poison`` kills the process, as a
    driver fault would; ``hang`` never comes back; ``loss`` loses the device; ``oom`` its memory.
    """

    def __init__(
        self,
        step_seconds: float = 0.0,
        *,
        poison: str = "",
        hang: str = "",
        loss: str = "",
        oom: str = "",
    ) -> None:
        self._step_seconds = step_seconds
        self._poison = poison
        self._hang = hang
        self._loss = loss
        self._oom = oom
        self._frames: deque[FrameTask] = deque()
        self._steps_done = 0

    def load(self, model: ModelSpec) -> ModelInfo:
        """Accept any model whose source, if it is an absolute path, is there."""
        self._suffer(model.name)
        source = Path(model.source)
        if source.is_absolute() and not source.exists():
            raise ModelUnavailable(
                f"Model {model.name}: there is nothing at {source}.",
                "Put the model there, or correct `source` in the config's models table.",
            )
        return ModelInfo(
            model.name, NATIVE_SIZE, MULTIPLE, "cpu", "uint8", type(self).__name__,
            family="fake", source=model.source, scheduler=model.scheduler,
            weights=hashlib.sha256(model.source.encode()).hexdigest(),
        )  # fmt: skip

    def admit(self, task: FrameTask) -> None:
        """Take a frame; frames are painted in order of admission."""
        self._frames.append(task)

    def step(self, report: Callable[[EngineEvent], None]) -> None:
        """Run one step of the first frame; its picture is reported together with its last step."""
        if not self._frames:
            return
        task = self._frames[0]
        self._suffer(task.prompt)
        if self._loss and self._loss in task.prompt:
            self._drop_first()
            report(FrameGivenBack(task.job, task.index, "The device has failed.", engine_lost=True))
            return
        if self._oom and self._oom in task.prompt:
            self._drop_first()
            reason = "The device's memory ran out."
            report(FrameRefused(task.job, task.index, reason, out_of_memory=True))
            return
        if self._step_seconds:
            time.sleep(self._step_seconds)
        self._steps_done += 1
        report(StepDone(task.job, task.index, self._steps_done, task.effective_steps))
        if not self._frames or self._frames[0] is not task:
            return  # cancelled from within the report
        if self._steps_done >= task.effective_steps:
            self._drop_first()
            report(_paint(task))

    def cancel(self, job: str) -> None:
        """Forget the job's frames."""
        if self._frames and self._frames[0].job == job:
            self._drop_first()
        self._frames = deque(task for task in self._frames if task.job != job)

    def idle(self) -> bool:
        """True when no frame is left."""
        return not self._frames

    def glimpse(self, job: str) -> Glimpse | None:
        """The finished picture, after the first step."""
        task = self._frames[0] if self._frames else None
        if task is None or task.job != job or not self._steps_done:
            return None
        painted = _paint(task)
        if not isinstance(painted, FramePainted):
            return None
        size = painted.width, painted.height
        return Glimpse(job, task.index, self._steps_done, *size, painted.pixels)

    def _suffer(self, text: str) -> None:
        if self._poison and self._poison in text:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._hang and self._hang in text:
            threading.Event().wait()

    def _drop_first(self) -> None:
        self._frames.popleft()
        self._steps_done = 0


def _paint(task: FrameTask) -> EngineEvent:
    """Blend the picture with a colour drawn from the task; more strength, more of the colour."""
    picture = open_picture(task)
    if not isinstance(picture, Image.Image):
        return picture
    said = repr((task.prompt, task.negative_prompt, task.seed, task.guidance_scale, task.steps,
                 task.scheduler))  # fmt: skip
    colour = hashlib.sha256(said.encode()).digest()
    tint = Image.new("RGB", picture.size, (colour[0], colour[1], colour[2]))
    painted = Image.blend(picture, tint, 0.1 + 0.8 * task.strength)
    return FramePainted(task.job, task.index, painted.width, painted.height, painted.tobytes())
