"""A worker whose device is gone gives every frame back and ends, for a new process to try."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest

from img2imgd.engine.fake import FakeEngine
from img2imgd.engine.protocol import (
    EngineEvent,
    FrameGivenBack,
    FramePainted,
    FrameTask,
    ModelInfo,
    ModelSpec,
    ModelUnavailable,
)
from img2imgd.outputs.orders import FrameFile
from img2imgd.pool.messages import (
    Admit,
    EngineLost,
    FrameStaged,
    Load,
    ModelFailed,
    WorkerEvent,
    WorkerFault,
)
from img2imgd.pool.worker import EXIT_ENGINE_LOST, Worker


class EngineOnALostDevice(FakeEngine):
    """Says at its first step what an engine says after a CUDA fault."""

    def step(self, report: Callable[[EngineEvent], None]) -> None:
        report(FrameGivenBack("j1", 0, "The device has failed.", engine_lost=True))

    def load(self, model: ModelSpec) -> ModelInfo:
        error = ModelUnavailable(f"The device has failed under {model.name}.", "Look at it.")
        error.engine_lost = True
        raise error


def test_a_lost_device_is_told_and_the_frames_stay_with_the_worker_that_ends(
    tmp_path: Path,
) -> None:
    ours, theirs = multiprocessing.Pipe()
    worker = Worker(theirs, "fake", offline=False)
    worker._engine = EngineOnALostDevice()
    worker._model_loaded = True
    for index in range(2):
        worker._admit(Admit(task(index), (FrameFile(tmp_path / f"{index}.png"),)))
    worker._orders.append(Admit(task(2), (FrameFile(tmp_path / "2.png"),)))
    with pytest.raises(SystemExit) as ended:
        worker._engine.step(worker._report)
    assert ended.value.code == EXIT_ENGINE_LOST
    theirs.close()
    assert ours.recv() == EngineLost("The device has failed.")
    with pytest.raises(EOFError):
        ours.recv()


def test_a_model_that_fails_with_the_device_ends_the_worker_too(tmp_path: Path) -> None:
    ours, theirs = multiprocessing.Pipe()
    worker = Worker(theirs, "fake", offline=False)
    worker._engine = EngineOnALostDevice()
    worker._orders.append(Load(ModelSpec("mine", "mine")))
    worker._orders.append(Admit(task(0), (FrameFile(tmp_path / "0.png"),)))
    with pytest.raises(SystemExit) as ended:
        worker._obey()
    assert ended.value.code == EXIT_ENGINE_LOST
    theirs.close()
    events: list[WorkerEvent] = [ours.recv() for _ in range(3)]
    with pytest.raises(EOFError):
        ours.recv()
    assert events == [
        ModelFailed("mine", "The device has failed under mine.", "Look at it."),
        WorkerFault("j1", 0, "The device has failed under mine."),
        EngineLost("The device has failed under mine."),
    ]


def test_a_note_of_the_engine_goes_along_with_the_staged_frame(tmp_path: Path) -> None:
    ours, theirs = multiprocessing.Pipe()
    worker = Worker(theirs, "fake", offline=False)
    worker._files["j1", 0] = (FrameFile(tmp_path / "0.png"),)
    worker._report(FramePainted("j1", 0, 8, 8, bytes(8 * 8 * 3), note="in tiles"))
    assert ours.recv() == FrameStaged("j1", 0, "in tiles")


def task(index: int) -> FrameTask:
    return FrameTask("j1", index, Path("in.png"), "a lake", "", 1, 0.5, 7.0, 4, 2)
