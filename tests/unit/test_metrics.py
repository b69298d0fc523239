"""Counting, and counting what a worker does."""

from __future__ import annotations

from pathlib import Path

import pytest

from img2imgd import metrics
from img2imgd.engine.protocol import FrameTask, StepDone
from img2imgd.metrics import Count, Spread
from img2imgd.pool.counting import Counting
from img2imgd.pool.messages import Admit, Cancel, FrameStaged


def test_counts_by_label() -> None:
    count = Count("c", "help", ["state"])
    count.add("done")
    count.add("done", by=2)
    count.add("failed")
    assert count.values() == {("done",): 3, ("failed",): 1}
    assert Count("c", "help").values() == {(): 0}


def test_a_spread_counts_up_to_each_bound() -> None:
    spread = Spread("s", "help", (1, 2))
    for value in (0.5, 1, 1.5, 9):
        spread.observe(value)
    assert spread.values() == {(): ([2, 1, 1], 12)}


def test_what_raises_is_not_timed() -> None:
    spread = Spread("s", "help", (1,))
    with pytest.raises(ValueError, match="x"), spread.timed():
        raise ValueError("x")
    assert spread.values() == {}


def task(index: int) -> FrameTask:
    return FrameTask("job", index, Path("x"), "p", "", 1, 0.5, 7, 8, 8)


def test_steps_between_messages_are_counted_with_their_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "STEPS", steps := Count("steps", ""))
    monkeypatch.setattr(metrics, "CALLS", calls := Spread("calls", "", (1, 2, 3)))
    monkeypatch.setattr(metrics, "STAGES", stages := Spread("stages", "", (1, 10), ["stage"]))
    now = 100.0
    counting = Counting(lambda: now)
    for index in (0, 1):
        counting.told(Admit(task(index), ()))
    for index in (0, 1):
        counting.heard(StepDone("job", index, 3, 8, 2))
        counting.heard(StepDone("job", index, 8, 8, 2))
    now += 5
    counting.heard(FrameStaged("job", 0))
    assert steps.values() == {(): 16}
    assert calls.values() == {(): ([0, 8, 0, 0], 16)}  # eight calls of two frames
    assert stages.values() == {("paint",): ([0, 1, 0], 5)}


def test_a_job_that_is_given_up_counts_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "STEPS", steps := Count("steps", ""))
    counting = Counting()
    counting.told(Admit(task(0), ()))
    counting.told(Cancel("job"))
    counting.heard(StepDone("job", 0, 3, 8))
    assert steps.values() == {(): 0}
    assert not counting._began
