"""The wall clock jumps: by days, in both directions, between any two steps. Waits do not notice."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import pytest
from people import World

from img2imgd.config import Config
from img2imgd.job import JobState
from img2imgd.pool.reading import ReaderProcess

DAY = 86_400.0


class Clock:
    """The wall clock, set wrong by ``shift`` seconds."""

    def __init__(self) -> None:
        self.shift = 0.0
        self._time = time.time

    def __call__(self) -> float:
        return self._time() + self.shift


@pytest.fixture
def world(make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A rig with its worker in this process."""

    def fsync(_: int) -> None:
        pass

    monkeypatch.setattr(os, "fsync", fsync)
    reader = ReaderProcess(timeout=30)
    world = World(make_config(), reader)
    yield world
    world.close()
    reader.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that the daemon's parts read."""
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.mark.parametrize("jump", [-400 * DAY, -3600.0, 3600.0, 400 * DAY])
def test_a_jump_at_any_step_changes_nothing(world: World, clock: Clock, jump: float) -> None:
    world.picture("cat.png")
    world.drop("cat.yaml")
    world.look()
    clock.shift += jump
    world.look(1)
    assert world.jobs() == [], "it settles by our own clock"
    world.look(1.5)
    assert [job.state for job in world.jobs()] == [JobState.QUEUED]
    clock.shift += jump
    world.until(lambda: bool(world.jobs(JobState.RUNNING, JobState.DONE)))
    clock.shift += jump
    world.crash()
    world.look()
    (job,) = world.serve()
    assert job.state is JobState.DONE
    assert world.tree(world.config.done) == ["cat.png", "cat.yaml"]
    assert len(world.outputs()) == 1


@pytest.mark.parametrize("jump", [-400 * DAY, -3600.0, 1800.0])
def test_a_late_sidecar_finds_its_picture_after_a_jump(
    world: World, clock: Clock, jump: float
) -> None:
    world.picture("cat.png")
    world.drop("cat.yaml")
    world.claim()
    world.serve()
    clock.shift += jump
    world.drop("cat.yaml", "prompt: a castle\nseed: 8\n")
    world.look(0, 2.5, 11)
    assert [job.state for job in world.serve()] == [JobState.DONE] * 2
    assert len(world.outputs()) == 2


def test_a_picture_from_the_future_or_the_past_settles_like_any_other(world: World) -> None:
    for name, when in (("future.png", time.time() + 400 * DAY), ("past.png", 0)):
        os.utime(world.picture(name), (when, when))
        world.drop(name.replace("png", "yaml"))
    world.look(0, 1)
    assert world.jobs() == []
    world.look(1.5)
    assert {job.state for job in world.serve()} == {JobState.DONE}
    assert len(world.outputs()) == 2
