"""Who was in a worker that died is a suspect until a frame of it alone is painted or refused."""

from __future__ import annotations

import os
import signal

import pytest
from in_turns import SINGLE, RigMaker, painted, row, shorten, state
from rig import Rig

from img2imgd.config.sections import LimitsConfig, ModelConfig
from img2imgd.dispatch import publishing
from img2imgd.job import FrameState, JobState

FRAMES = 300
SWEEP = f"prompt: a lake\nseed: 7\nsteps: 10\ngif: false\nsheet: false\nn: {FRAMES}\n"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch)


def drop(rig: Rig, name: str, sidecar: str = SINGLE) -> None:
    rig.picture(f"{name}.png")
    rig.drop(f"{name}.yaml", sidecar)
    rig.claim()


def inside(rig: Rig) -> set[str]:
    return {job for job, _ in rig.pool.admitted}


def suspects(rig: Rig) -> set[str]:
    return {job.spec.rel.removesuffix(".png") for job in rig.jobs() if job.suspect}


def kill_worker(rig: Rig) -> None:
    assert rig.pool.pid is not None
    os.kill(rig.pool.pid, signal.SIGKILL)
    rig.until(lambda: not rig.pool.running)


def test_a_suspect_sweep_holds_nobody_up_once_a_frame_of_it_is_painted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(rig, "sweep", SWEEP)
    rig.until(lambda: painted(rig, "sweep") > 0)
    with monkeypatch.context() as slow:
        slow.setattr(rig.dispatch._events, "handle", lambda _: None)  # the single is not done yet
        drop(rig, "single")
        rig.until(lambda: len(inside(rig)) == 2)
    kill_worker(rig)
    rig.until(lambda: suspects(rig) == {"sweep", "single"})
    drop(rig, "late")
    rig.until(lambda: state(rig, "single") is JobState.DONE)
    assert suspects(rig) == {"sweep"}, "the short one goes first"
    rig.until(lambda: state(rig, "late") is JobState.DONE)
    assert painted(rig, "sweep") < FRAMES
    assert suspects(rig) == set()
    assert {job.state for job in rig.serve()} == {JobState.DONE}
    assert {job.attempts for job in rig.jobs()} == {0}


def test_suspect_sweeps_are_cleared_one_after_the_other_and_then_run_beside_each_other(
    rig: Rig,
) -> None:
    for name in ("one", "two"):
        drop(rig, name, SWEEP)
    rig.until(lambda: painted(rig, "one") > 0 < painted(rig, "two"))
    kill_worker(rig)
    drop(rig, "late")
    rig.until(lambda: state(rig, "late") is JobState.DONE)
    assert suspects(rig) == set()
    rig.until(lambda: len(inside(rig)) == 2)
    assert {state(rig, name) for name in ("one", "two")} == {JobState.RUNNING}
    assert {job.state for job in rig.serve()} == {JobState.DONE}


@pytest.mark.parametrize("limit", [2, 3])
def test_a_frame_that_kills_each_worker_is_found_though_others_join_its_job_between(
    make_rig: RigMaker, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_POISON", "poison")
    rig = make_rig(root="found", limits=LimitsConfig(min_free_gb=0, max_attempts=limit))
    drop(rig, "bad", "prompt: [a lake, a wood, a hill, poison]\nn: 5\nsteps: 10\nseed: 1\n")
    for number in range(12):
        drop(rig, f"good{number:02}")
    rig.until(lambda: painted(rig, "bad") > 0)
    drop(rig, "late", SWEEP.replace("n: 300", "n: 30"))
    rig.serve()
    outcome = {job.spec.rel: (job.state, job.attempts) for job in rig.jobs()}
    assert outcome.pop("bad.png") == (JobState.FAILED, limit)
    assert set(outcome.values()) == {(JobState.DONE, 0)}
    assert f"died {limit} times" in rig.reason("bad.png")


def test_what_was_under_way_when_the_daemon_died_is_cleared_like_that_too(rig: Rig) -> None:
    for name in ("one", "two"):
        drop(rig, name, SWEEP)
    rig.until(lambda: painted(rig, "one") > 0 < painted(rig, "two"))
    rig.crash()
    rig.dispatch.recover()
    assert suspects(rig) == {"one", "two"}
    drop(rig, "late")
    rig.until(lambda: state(rig, "late") is JobState.DONE)
    assert suspects(rig) == set()
    assert JobState.DONE not in {state(rig, name) for name in ("one", "two")}
    assert {job.attempts for job in rig.serve()} == {0}


def test_a_suspect_is_none_any_more_once_a_frame_of_it_was_refused(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_OOM", "huge")
    drop(rig, "sweep", SWEEP.replace("a lake", "[huge, a lake]").replace("n: 300", "n: 1"))
    sweep = row(rig, "sweep").id
    rig.ledger.set_suspect(sweep, True)
    rig.ledger.count_attempt(sweep)
    with monkeypatch.context() as held:  # what comes after the refusal
        held.setattr(rig.dispatch._crashes, "got_on", lambda _: None)
        rig.until(lambda: rig.ledger.frames(sweep)[0].state is FrameState.FAILED)
        assert suspects(rig) == set()
        assert row(rig, "sweep").attempts == 1
    rig.serve()


def test_a_frame_that_kills_each_worker_is_found_behind_some_that_are_refused(
    make_rig: RigMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_POISON", "poison")
    monkeypatch.setenv("IMG2IMGD_FAKE_OOM", "huge")
    rig = make_rig(root="behind", limits=LimitsConfig(min_free_gb=0, max_attempts=2))
    drop(rig, "bad", "prompt: [huge, a lake, poison]\nn: 5\nsteps: 10\nseed: 1\n")
    for number in range(12):
        drop(rig, f"good{number:02}", SINGLE.replace("a lake", "[huge, a lake]"))
    rig.serve()
    outcome = {job.spec.rel: (job.state, job.attempts) for job in rig.jobs()}
    assert outcome.pop("bad.png") == (JobState.FAILED, 2)
    assert set(outcome.values()) == {(JobState.DONE, 0)}


def test_a_suspect_of_another_model_holds_nobody_up_before_its_turn(make_rig: RigMaker) -> None:
    source = make_rig(root="one").config.models["demo"].source
    models = {name: ModelConfig(source=source) for name in ("demo", "other")}
    rig = make_rig(root="models", models=models)
    drop(rig, "sweep", SWEEP)
    rig.until(lambda: painted(rig, "sweep") > 0)
    drop(rig, "other", f"{SINGLE}model: other\n")
    rig.ledger.set_suspect(row(rig, "other").id, True)
    drop(rig, "late")
    rig.until(lambda: state(rig, "late") is JobState.DONE)
    assert state(rig, "other") is JobState.QUEUED
    assert painted(rig, "sweep") < FRAMES
    rig.serve()


def test_a_suspect_is_read_though_as_many_pictures_as_there_may_be_were_read_ahead(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        rig.pair(name)
    rig.claim()
    rig.read_ahead(2)
    with monkeypatch.context() as full:
        full.setattr(rig.dispatch._turns, "has_room", lambda _: False)
        drop(rig, "c")
        rig.until(lambda: not rig.dispatch._starting.under_way)
    rig.ledger.set_suspect(row(rig, "c").id, True)
    rig.until(lambda: state(rig, "c") is JobState.DONE)
    rig.serve()


def test_a_suspect_does_not_wait_for_a_painted_job_that_the_disk_holds_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied", "staging")

    drop(rig, "held", "prompt: a lake\nn: 2\n")
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "next_assembly", refuse)
        rig.until(lambda: "Permission denied" in rig.ledger.facts().get("waits_for", ""))
        drop(rig, "single")
        rig.ledger.set_suspect(row(rig, "single").id, True)
        rig.until(lambda: painted(rig, "single") == 1)
        assert state(rig, "held") is JobState.RUNNING
    rig.serve()
