"""A worker that hangs, in every phase: noticed, killed, replaced; a slow one is left alone."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from img2imgd.engine.protocol import FrameTask, ModelSpec
from img2imgd.outputs.orders import Animation, AnimationFrame, FrameFile
from img2imgd.pool.messages import (
    AssemblyStaged,
    Death,
    FrameStaged,
    ModelLoaded,
    PoolEvent,
    StepDone,
    WorkerDied,
)
from img2imgd.pool.supervision import WorkerPool
from waiting import wait_until

MODEL = ModelSpec("demo", "demo")
STALL = 1.5


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool("fake", stall_timeout=STALL)
    yield made
    made.stop(grace=5)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    Image.linear_gradient("L").resize((64, 64)).convert("RGB").save(path)
    return path


def task(image: Path, index: int = 0, prompt: str = "a lake", steps: int = 2) -> FrameTask:
    return FrameTask("j1", index, image, prompt, "", 1, 0.5, 7.0, steps * 2, steps)


def until(pool: WorkerPool, wanted: Callable[[PoolEvent], bool]) -> list[PoolEvent]:
    seen: list[PoolEvent] = []

    def come() -> bool:
        seen.extend(pool.poll(0.1))
        return any(wanted(event) for event in seen)

    wait_until(come, "the event")
    return seen


def death(pool: WorkerPool) -> WorkerDied:
    died = until(pool, lambda event: isinstance(event, WorkerDied))[-1]
    assert isinstance(died, WorkerDied)
    return died


def loaded(pool: WorkerPool) -> int:
    pool.load(MODEL)
    until(pool, lambda event: isinstance(event, ModelLoaded))
    assert pool.pid is not None
    return pool.pid


def paints_again(pool: WorkerPool, image: Path, target: Path) -> None:
    loaded(pool)
    pool.admit(task(image, 9), FrameFile(target))
    until(pool, lambda event: event == FrameStaged("j1", 9))


def test_a_frame_that_hangs_is_named_and_another_worker_paints_on(
    pool: WorkerPool,
    image: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_HANG", "tar pit")
    pid = loaded(pool)
    pool.admit(task(image, 0), FrameFile(tmp_path / "0.png"))
    pool.admit(task(image, 1, "a tar pit"), FrameFile(tmp_path / "1.png"))
    with caplog.at_level(logging.ERROR):
        died = death(pool)
    assert died.cause is Death.HUNG
    assert died.exit == "no progress for 1.5 s, so it was killed"
    assert died.frames == {("j1", 1)}
    assert f"worker hangs pid={pid}: no progress for 1.5 s; it has 1 frames to paint" in caplog.text
    assert not Path(f"/proc/{pid}").exists()
    paints_again(pool, image, tmp_path / "9.png")


def test_a_model_that_hangs_while_it_loads_is_named(
    pool: WorkerPool, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_HANG", "swamp")
    pool.load(ModelSpec("swamp", "swamp"))
    died = death(pool)
    assert (died.cause, died.loading, died.frames) == (Death.HUNG, "swamp", frozenset())
    paints_again(pool, image, tmp_path / "9.png")


def test_an_animation_that_hangs_is_named(pool: WorkerPool, image: Path, tmp_path: Path) -> None:
    """A named pipe for a frame: whoever opens it waits for a writer that never comes."""
    os.mkfifo(tmp_path / "frame.png")
    frames = (AnimationFrame(image), AnimationFrame(tmp_path / "frame.png"))
    pool.assemble("j1", Animation(frames, tmp_path / "sweep.gif"))
    died = death(pool)
    assert died.cause is Death.HUNG
    assert died.assembling == (("j1", tmp_path / "sweep.gif"),)
    pool.assemble("j1", Animation((AnimationFrame(image),) * 2, tmp_path / "good.gif"))
    until(pool, lambda event: event == AssemblyStaged("j1", tmp_path / "good.gif"))


def test_a_stopped_worker_is_killed(
    pool: WorkerPool, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.05")
    pid = loaded(pool)
    pool.admit(task(image, 0, steps=10_000), FrameFile(tmp_path / "0.png"))
    until(pool, lambda event: isinstance(event, StepDone))
    os.kill(pid, signal.SIGSTOP)
    assert death(pool).cause is Death.HUNG


def test_long_work_that_reports_its_steps_is_left_alone(
    pool: WorkerPool, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", str(STALL / 3))
    loaded(pool)
    pool.admit(task(image, 0, steps=9), FrameFile(tmp_path / "0.png"))
    seen = until(pool, lambda event: isinstance(event, FrameStaged | WorkerDied))
    assert seen[-1] == FrameStaged("j1", 0)


def test_a_worker_with_nothing_to_do_is_left_alone(pool: WorkerPool) -> None:
    pid = loaded(pool)
    os.kill(pid, signal.SIGSTOP)  # it uses no time at all
    polls = [pool.poll(STALL / 4) for _ in range(12)]
    os.kill(pid, signal.SIGCONT)
    assert polls == [[]] * 12
    assert pool.pid == pid


def test_a_supervisor_that_was_stopped_itself_blames_nobody(
    pool: WorkerPool, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both stopped, as by a suspended machine: the time when nobody looked does not count."""
    from img2imgd.pool import supervision

    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "3600")
    pid = loaded(pool)
    now = [time.monotonic()]
    monkeypatch.setattr(supervision, "time", SimpleNamespace(monotonic=lambda: now[0]))
    pool.admit(task(image), FrameFile(tmp_path / "0.png"))
    pool.poll(0)
    for gap in (0.2, 3600.0, 0.2, 86_400.0, 0.2):
        now[0] += gap
        assert pool.poll(0) == []
    assert pool.pid == pid
    for _ in range(9):
        now[0] += STALL / 8
        pool.poll(0)
    assert pool.pid is None, "the same silence while it is looked at is a hang"


def test_orders_that_a_stopped_worker_does_not_read_hold_nobody_up(
    pool: WorkerPool, image: Path, tmp_path: Path
) -> None:
    """More than the pipe takes; with a worker in that state, stopping must work as well."""
    pid = loaded(pool)
    os.kill(pid, signal.SIGSTOP)
    for index in range(16):
        pool.admit(task(image, index, "x" * 100_000), FrameFile(tmp_path / f"{index}.png"))
    pool.stop(grace=0.1)
    assert not Path(f"/proc/{pid}").exists()
    paints_again(pool, image, tmp_path / "9.png")
