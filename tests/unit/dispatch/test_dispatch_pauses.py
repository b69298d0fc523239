"""Faults of the environment: how long work pauses, and what is said of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from img2imgd.dispatch.faults import Faults
from img2imgd.ledger import Ledger, open_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def faults(ledger: Ledger) -> Faults:
    return Faults(ledger)


def test_a_fault_pauses_everything_and_says_why(faults: Faults, ledger: Ledger) -> None:
    assert not faults.holding(0)
    faults.report("The disk is full.", 100)
    assert faults.holding(101.9)
    assert not faults.holding(102)
    assert ledger.facts()["waits_for"] == "The disk is full."
    assert faults.since == 100


def test_faults_in_a_row_pause_longer_up_to_a_minute(faults: Faults) -> None:
    now = 0.0
    pauses: list[float] = []
    for _ in range(8):
        faults.report("full", now)
        began = now
        while faults.holding(now):
            now += 1
        pauses.append(now - began)
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]


def test_the_frames_under_way_that_meet_the_same_fault_are_one(faults: Faults) -> None:
    for number in range(16):
        faults.report("full", 100 + number / 100)
    assert not faults.holding(102)


def test_success_ends_it(faults: Faults, ledger: Ledger) -> None:
    faults.report("full", 100)
    assert not faults.holding(103)
    faults.succeeded()
    assert faults.since is None
    assert "waits_for" not in ledger.facts()
    faults.report("full again", 200)
    assert not faults.holding(202)


def test_a_model_pauses_alone_until_it_is_loaded(faults: Faults, ledger: Ledger) -> None:
    faults.report_model("sd21", "not found.", 100)
    faults.report_model("other", "not found.", 100)
    assert not faults.holding(100)
    assert faults.held_models(101) == ["sd21", "other"]
    assert faults.held_models(102) == []
    faults.succeeded()
    faults.clear_model("demo", 102)
    assert "other" in ledger.facts()["waits_for"]
    for name in ("sd21", "other"):
        faults.clear_model(name, 103)
    assert "waits_for" not in ledger.facts()
    faults.report_model("sd21", "gone again.", 200)
    assert faults.held_models(202) == []


def test_a_model_that_fails_is_not_tried_before_the_jobs_of_one_that_was_just_loaded(
    faults: Faults,
) -> None:
    faults.report_model("sd21", "not found.", 100)
    faults.clear_model("demo", 170)
    assert faults.held_models(171) == ["sd21"]
    assert faults.held_models(172) == []


def test_deaths_of_the_worker_pause_longer_until_something_is_painted(
    faults: Faults, ledger: Ledger
) -> None:
    for now, pause in ((100, 2), (110, 4), (120, 8)):
        faults.report_death("The worker died.", now)
        assert faults.holding(now + pause - 1)
        assert not faults.holding(now + pause)
        faults.succeeded()  # a job was set aside, which says nothing about the worker
        assert "waits_for" not in ledger.facts()
    faults.painted()
    faults.report_death("The worker died.", 200)
    assert not faults.holding(202)


def test_a_fault_that_lasts_is_logged_when_it_begins_and_when_it_is_over(
    faults: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for attempt in range(100):
        faults.report("The disk is full.", 60.0 * attempt)
    faults.succeeded()
    faults.succeeded()
    assert caplog.messages == [
        "The disk is full. Trying again in 2 s.",
        "what was waited for is there; work goes on",
    ]


def test_a_job_pauses_alone_and_everything_when_the_next_one_meets_a_fault_too(
    faults: Faults, ledger: Ledger
) -> None:
    faults.report_work("a", "a.png cannot be read.", 100)
    faults.report_work("a", "a.png cannot be read.", 102)
    assert faults.held_jobs(105) == ["a"]
    assert not faults.holding(102)
    faults.clear_job("b")  # it was started
    faults.report_work("c", "c.png cannot be read.", 103)
    assert not faults.holding(103)
    faults.report_work("d", "d.png cannot be read.", 103)
    assert faults.holding(104)
    assert faults.held_jobs(106) == ["a", "c", "d"], "so others are tried first"
    assert faults.held_jobs(107) == []
    faults.succeeded()
    for job in ("a", "d"):
        faults.clear_job(job)
        assert faults.since == 100
    assert ledger.facts()["waits_for"] == "c.png cannot be read."
    faults.clear_job("c")
    assert faults.since is None
    assert "waits_for" not in ledger.facts()


def test_jobs_that_cannot_be_archived_pause_nobody_else(faults: Faults) -> None:
    for job in ("a", "b"):
        faults.report_job(job, "done/sub cannot be written.", 100)
    assert not faults.holding(100)
    assert faults.held_jobs(101) == ["a", "b"]
