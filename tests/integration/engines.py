"""What tests of the engine share: a model's row, one frame painted, one refusal."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from img2imgd.engine.factory import create_engine
from img2imgd.engine.loading import load_pipeline
from img2imgd.engine.protocol import (
    Engine,
    EngineEvent,
    FramePainted,
    FrameTask,
    ModelSpec,
    ModelUnavailable,
)

Pixels = NDArray[np.int16]


def spec(source: Path | str, **changes: object) -> ModelSpec:
    """A row of the models table, on the CPU and offline."""
    model = ModelSpec("mine", str(source), device="cpu", offline=True)
    return dataclasses.replace(model, **changes)  # type: ignore[arg-type]


def task(image: Path, **changes: object) -> FrameTask:
    """A frame of four steps out of five; effective steps follow from steps and strength."""
    frame = FrameTask("j1", 0, image, "a cat by a lake", "blurry", 3, 0.8, 5.0, 5, 0)
    frame = dataclasses.replace(frame, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(frame, effective_steps=max(1, int(frame.steps * frame.strength)))


def events_of(engine: Engine, *frames: FrameTask) -> list[EngineEvent]:
    """Everything that is said of frames that are all there from the beginning."""
    events: list[EngineEvent] = []
    for frame in frames:
        engine.admit(frame)
    while not engine.idle():
        engine.step(events.append)
    return events


def paint(engine: Engine, frame: FrameTask) -> tuple[Pixels, list[EngineEvent]]:
    """The frame's pixels (H×W×3) and every event before."""
    events = events_of(engine, frame)
    painted = events.pop()
    assert isinstance(painted, FramePainted), painted
    shape = (painted.height, painted.width, 3)
    return np.frombuffer(painted.pixels, np.uint8).reshape(shape).astype(np.int16), events


@functools.cache
def pixels(model: ModelSpec, image: Path, **changes: object) -> Pixels:
    """One frame of a model that is loaded for it; many tests compare with the same frames."""
    engine = create_engine("diffusers")
    engine.load(model)
    painted = paint(engine, task(image, **changes))[0]
    painted.flags.writeable = False
    return painted


def refusal(model: ModelSpec) -> ModelUnavailable:
    """What is said of a model that cannot be loaded."""
    with pytest.raises(ModelUnavailable) as caught:
        load_pipeline(model)
    assert caught.value.message.startswith("Model mine: ")
    assert caught.value.advice
    return caught.value


def difference(one: Pixels, other: Pixels) -> int:
    """The largest of any channel, of 255."""
    return int(np.abs(one - other).max())
