"""A model's turn comes by our own clock, whatever the wall clock is set to meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from running_jobs import job_of

from img2imgd.dispatch.model_choice import SHORTEST_STAY
from img2imgd.dispatch.turns import Turns
from img2imgd.engine.protocol import ModelInfo
from img2imgd.ledger import JobRow, open_ledger
from img2imgd.pool.supervision import WorkerPool

HOUR = 3600.0
LOADED = ModelInfo("demo", 64, 8, "cpu", "uint8", "FakeEngine")


class Clock:
    """The wall clock, which is set as a test likes."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[Turns]:
    ledger = open_ledger(tmp_path / "ledger.sqlite")
    yield Turns(ledger, {}, WorkerPool("fake"), {"demo", "other"})
    ledger.close()


def queued(folder: Path, job: str, model: str, claimed_at: float) -> JobRow:
    row = job_of(folder, model=model).row
    return replace(row, spec=replace(row.spec, id=job), claimed_at=claimed_at)


@pytest.mark.parametrize("jump", [-400 * 24 * HOUR, -HOUR, HOUR])
def test_a_clock_that_is_set_while_a_job_waits_neither_delays_its_turn_nor_hastens_it(
    tmp_path: Path, turns: Turns, wall: Clock, jump: float
) -> None:
    jobs = [queued(tmp_path, model, model, wall.now) for model in ("demo", "other")]
    assert turns.model(jobs, LOADED, 100) == "demo"
    wall.now += jump
    assert turns.model(jobs, LOADED, 100 + SHORTEST_STAY - 1) == "demo"
    assert turns.model(jobs, LOADED, 100 + SHORTEST_STAY) == "other"


def test_what_a_job_has_waited_before_a_restart_counts(
    tmp_path: Path, turns: Turns, wall: Clock
) -> None:
    jobs = [queued(tmp_path, model, model, wall.now - HOUR) for model in ("demo", "other")]
    assert turns.model(jobs, LOADED, 0) == "other"


def test_a_job_that_was_claimed_before_the_clock_was_set_back_waits_from_when_it_is_seen(
    tmp_path: Path, turns: Turns, wall: Clock
) -> None:
    jobs = [queued(tmp_path, model, model, wall.now + HOUR) for model in ("demo", "other")]
    assert turns.model(jobs, LOADED, 0) == "demo"
    assert turns.model(jobs, LOADED, SHORTEST_STAY) == "other"


def test_jobs_that_are_gone_are_forgotten(tmp_path: Path, turns: Turns, wall: Clock) -> None:
    turns.model([queued(tmp_path, "J1", "other", wall.now)], LOADED, 0)
    turns.model([queued(tmp_path, "J2", "other", wall.now)], LOADED, 1)
    assert list(turns._waiting_since) == ["J2"]
