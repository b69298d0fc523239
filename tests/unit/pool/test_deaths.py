"""How a worker's end is told apart: crash, kill, stop; and how often the log speaks of it."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from img2imgd.engine.protocol import FrameTask, ModelSpec
from img2imgd.outputs.orders import FrameFile
from img2imgd.pool.deaths import cause_of_death, exit_in_words
from img2imgd.pool.messages import Death, FrameStaged, ModelLoaded, PoolEvent, WorkerDied
from img2imgd.pool.supervision import WorkerPool
from waiting import wait_until


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool("fake")
    yield made
    made.stop(grace=5)


def until(pool: WorkerPool, wanted: Callable[[PoolEvent], bool]) -> PoolEvent:
    seen: list[PoolEvent] = []

    def come() -> bool:
        seen.extend(pool.poll(0.1))
        return any(wanted(event) for event in seen)

    wait_until(come, "the event")
    return seen[-1]


def die(pool: WorkerPool, number: signal.Signals) -> WorkerDied:
    pool.load(ModelSpec("demo", "demo"))
    until(pool, lambda event: isinstance(event, ModelLoaded))
    assert pool.pid is not None
    os.kill(pool.pid, number)
    died = until(pool, lambda event: isinstance(event, WorkerDied))
    assert isinstance(died, WorkerDied)
    return died


@pytest.mark.parametrize(
    ("code", "cause", "words"),
    [
        (1, Death.CRASHED, "exit status 1"),
        (0, Death.CRASHED, "exit status 0"),
        (-signal.SIGSEGV, Death.CRASHED, "killed by SIGSEGV"),
        (-signal.SIGKILL, Death.KILLED, "killed by SIGKILL"),
        (-signal.SIGTERM, Death.STOPPED, "killed by SIGTERM"),
        (-signal.SIGHUP, Death.STOPPED, "killed by SIGHUP"),
        (-99, Death.CRASHED, "killed by signal 99"),
    ],
)
def test_an_exit_code_tells_the_cause(code: int, cause: Death, words: str) -> None:
    assert (cause_of_death(code), exit_in_words(code)) == (cause, words)


def test_a_worker_that_somebody_stops_says_so(pool: WorkerPool) -> None:
    assert die(pool, signal.SIGTERM).cause is Death.STOPPED
    assert die(pool, signal.SIGKILL).cause is Death.KILLED


def test_workers_that_die_and_die_fill_no_log_until_one_has_painted(
    pool: WorkerPool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        die(pool, signal.SIGKILL)
    started, died = (text.rstrip("0123456789") for text in caplog.messages)
    assert (started, died) == (
        "worker started pid=",
        "worker died: killed by SIGKILL, with nothing in it",
    )
    Image.new("RGB", (64, 64)).save(tmp_path / "in.png")
    pool.load(ModelSpec("demo", "demo"))
    frame = FrameTask("j1", 0, tmp_path / "in.png", "a lake", "", 1, 0.5, 7.0, 4, 2)
    pool.admit(frame, FrameFile(tmp_path / "0.png"))
    until(pool, lambda event: event == FrameStaged("j1", 0))
    caplog.clear()
    died_anew = die(pool, signal.SIGKILL)
    die(pool, signal.SIGKILL)
    assert died_anew.cause is Death.KILLED
    assert [text.partition(":")[0] for text in caplog.messages if "died" in text] == ["worker died"]
