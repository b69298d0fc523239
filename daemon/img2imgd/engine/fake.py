"""An engine without a model: it tints the picture, to test the daemon at full speed."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from img2imgd.engine.picture import open_picture
from img2imgd.engine.protocol import (
    EngineEvent,
    FramePainted,
    FrameTask,
    ModelInfo,
    ModelSpec,
    ModelUnavailable,
    StepDone,
)

NATIVE_SIZE = 64
MULTIPLE = 8


class FakeEngine:
    """Paints frames one after the other, one denoising step per :meth:`step`.

    Same task, same picture, same pixels; another picture, prompt, seed, strength, guidance scale or
    number of steps gives other pixels. ``poison``: a prompt that holds this text kills the process
    when its first step runs, as a driver fault would.
    """

    def __init__(self, step_seconds: float = 0.0, poison: str = "") -> None:
        self._step_seconds = step_seconds
        self._poison = poison
        self._frames: deque[FrameTask] = deque()
        self._steps_done = 0

    def load(self, model: ModelSpec) -> ModelInfo:
        """Accept any model whose source, if it is an absolute path, is there."""
        source = Path(model.source)
        if source.is_absolute() and not source.exists():
            raise ModelUnavailable(
                f"Model {model.name}: there is nothing at {source}.",
                "Put the model there, or correct `source` in the config's models table.",
            )
        return ModelInfo(
            model.name, NATIVE_SIZE, MULTIPLE, "cpu", "uint8", type(self).__name__,
            family="fake", source=model.source, scheduler=model.scheduler,
        )  # fmt: skip

    def admit(self, task: FrameTask) -> None:
        """Take a frame; frames are painted in order of admission."""
        self._frames.append(task)

    def step(self, report: Callable[[EngineEvent], None]) -> None:
        """Run one step of the first frame; its picture is reported together with its last step."""
        if not self._frames:
            return
        task = self._frames[0]
        if self._poison and self._poison in task.prompt:
            os.kill(os.getpid(), signal.SIGKILL)
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

    def _drop_first(self) -> None:
        self._frames.popleft()
        self._steps_done = 0


def _paint(task: FrameTask) -> EngineEvent:
    """Blend the picture with a colour drawn from the task; more strength, more of the colour."""
    picture = open_picture(task)
    if not isinstance(picture, Image.Image):
        return picture
    said = repr((task.prompt, task.negative_prompt, task.seed, task.guidance_scale, task.steps))
    colour = hashlib.sha256(said.encode()).digest()
    tint = Image.new("RGB", picture.size, (colour[0], colour[1], colour[2]))
    painted = Image.blend(picture, tint, 0.1 + 0.8 * task.strength)
    return FramePainted(task.job, task.index, painted.width, painted.height, painted.tobytes())
