"""Hangs, lost devices, crash loops, memory: what the jobs come to, and what is said of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rig import Rig

from img2imgd.config.sections import ModelConfig
from img2imgd.dispatch import Dispatch, faults
from img2imgd.dispatch.faults import Faults
from img2imgd.errors import EnvironmentFault
from img2imgd.job import JobState
from img2imgd.ledger import Ledger
from img2imgd.pool.child import Child
from img2imgd.pool.messages import FrameStaged, PoolEvent
from img2imgd.pool.supervision import WorkerPool

RigMaker = Callable[..., Rig]
STALL = 1.0


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Short pauses, and each that was made."""
    monkeypatch.setattr(faults, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(faults, "_LONGEST_PAUSE", 0.2)
    made: list[float] = []
    say = Faults._say

    def noted(of: Faults, what: str, pause: float, now: float) -> None:
        made.append(pause)
        say(of, what, pause, now)

    monkeypatch.setattr(Faults, "_say", noted)
    return made


def drop(rig: Rig, **prompts: str) -> None:
    for name, prompt in prompts.items():
        rig.picture(f"{name}.png")
        rig.drop(f"{name}.yaml", f"prompt: {prompt}\nsteps: 2\nstrength: 1\nseed: 1\n")
    rig.claim()


def impatient(rig: Rig) -> WorkerPool:
    """Give the rig a pool that takes a second of silence for a hang."""
    pool = WorkerPool("fake", stall_timeout=STALL)
    rig._pools.append(pool)
    rig.pool = pool
    rig.dispatch = Dispatch(rig.config, rig.ledger, pool, rig.reader)
    return pool


def outcome(rig: Rig) -> dict[str, tuple[JobState, int]]:
    return {job.spec.rel: (job.state, job.attempts) for job in rig.jobs()}


def waits_for(rig: Rig) -> str:
    return rig.ledger.facts().get("waits_for", "")


@pytest.mark.parametrize(
    ("trouble", "told", "advice"),
    [
        ("HANG", "no progress for 1 s, so it was killed", "engine.stall_timeout"),
        ("LOSS", "The device has failed.", "another size or model"),
        ("POISON", "killed by SIGKILL; perhaps the machine's memory ran out", "journalctl -k"),
    ],
)
def test_a_picture_that_takes_the_worker_along_each_time_is_set_aside_and_others_are_served(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, trouble: str, told: str, advice: str
) -> None:
    monkeypatch.setenv(f"IMG2IMGD_FAKE_{trouble}", "trouble")
    impatient(rig)
    drop(rig, a="trouble", b="a lake", c="a wood")
    rig.serve()
    assert outcome(rig) == {
        "a.png": (JobState.FAILED, 3),
        "b.png": (JobState.DONE, 0),
        "c.png": (JobState.DONE, 0),
    }
    reason = " ".join(rig.reason("a.png").split())
    assert f"died 3 times while it painted this picture alone ({told})" in reason
    assert advice in reason
    assert waits_for(rig) == ""


def test_a_device_that_is_unplugged_burns_no_attempt_until_it_is_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Path(rig.config.models["demo"].source)
    monkeypatch.setenv("IMG2IMGD_FAKE_LOSS", "a lake")
    drop(rig, a="a lake")
    rig.until(lambda: rig.pool.loaded is not None)
    aside = model.rename(model.with_name("unplugged"))  # what is loaded stays; no new worker loads
    rig.until(lambda: "nothing at" in waits_for(rig))
    assert outcome(rig) == {"a.png": (JobState.QUEUED, 0)}
    monkeypatch.delenv("IMG2IMGD_FAKE_LOSS")
    aside.rename(model)
    rig.serve()
    assert outcome(rig) == {"a.png": (JobState.DONE, 0)}


def test_a_device_that_is_lost_for_good_at_the_last_attempt_fails_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each loss counts when the device is back; after the third it never is."""
    model = Path(rig.config.models["demo"].source)
    monkeypatch.setenv("IMG2IMGD_FAKE_LOSS", "a lake")
    drop(rig, a="a lake")
    rig.until(lambda: rig.jobs()[0].attempts == 2)
    model.rename(model.with_name("unplugged"))
    rig.until(lambda: "nothing at" in waits_for(rig))
    assert outcome(rig) == {"a.png": (JobState.QUEUED, 2)}


def test_a_model_that_kills_each_worker_pauses_ever_longer_and_others_are_served(
    rig: Rig, make_rig: RigMaker, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_POISON", "poison")
    source = rig.config.models["demo"].source
    rig = make_rig(
        root="models",
        models={"demo": ModelConfig(source=source), "poison": ModelConfig(source=source)},
    )
    rig.picture("a.png")
    rig.drop("a.yaml", "prompt: a lake\nmodel: poison\n")
    drop(rig, b="a lake")
    rig.until(lambda: len(pauses) >= 4 and outcome(rig)["b.png"][0] is JobState.DONE)
    assert pauses[:4] == [0.05, 0.1, 0.2, 0.2]
    assert "Model poison: the worker died loading it (killed by SIGKILL" in waits_for(rig)
    assert outcome(rig) == {"a.png": (JobState.QUEUED, 0), "b.png": (JobState.DONE, 0)}


def test_workers_that_die_painting_pause_ever_longer_until_something_is_painted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_POISON", "poison")
    drop(rig, a="poison", b="poison two")
    rig.serve()
    deaths = len(pauses)
    assert deaths in (6, 7), "three of each, and one with both in it, if b was read in time"
    assert pauses == [0.05, 0.1, *[0.2] * (deaths - 2)]
    drop(rig, c="a lake")
    rig.serve()
    drop(rig, d="a poison again")
    rig.until(lambda: len(pauses) > deaths)
    assert pauses[deaths] == 0.05, "c was painted"


def test_workers_that_are_stopped_burn_no_attempt_and_make_no_suspect(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stops a service sends SIGTERM to all of its processes."""
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.2")
    drop(rig, a="a lake")
    for _ in range(4):
        rig.until(lambda: bool(rig.pool.loaded and rig.pool.admitted))
        assert rig.pool.pid is not None
        os.kill(rig.pool.pid, signal.SIGTERM)
        rig.until(lambda: not rig.pool.running)
        (job,) = rig.jobs()
        assert (job.state, job.attempts, job.suspect) == (JobState.QUEUED, 0, False)
    rig.serve()
    assert outcome(rig) == {"a.png": (JobState.DONE, 0)}


def test_a_picture_too_large_for_the_memory_fails_alone(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_OOM", "huge")
    drop(rig, a="a huge lake", b="a lake")
    rig.serve()
    assert outcome(rig) == {"a.png": (JobState.FAILED, 0), "b.png": (JobState.DONE, 0)}
    assert "memory ran out" in rig.reason("a.png")


class SparingPool(WorkerPool):
    """Tells of each frame that it was painted in tiles, as the worker does."""

    def poll(self, timeout: float) -> list[PoolEvent]:
        return [
            replace(event, note="It was painted in tiles.")
            if isinstance(event, FrameStaged)
            else event
            for event in super().poll(timeout)
        ]


def test_what_the_engine_notes_of_frames_is_told_once_a_job(rig: Rig) -> None:
    pool = SparingPool("fake")
    rig._pools.append(pool)
    rig.dispatch = Dispatch(rig.config, rig.ledger, pool, rig.reader)
    rig.picture("a.png")
    rig.drop("a.yaml", "prompt: a lake\nn: 3\n")
    rig.claim()
    (job,) = rig.serve()
    assert (job.state, job.reason) == (JobState.DONE, "It was painted in tiles.")


def test_a_worker_that_cannot_be_ended_is_waited_for_and_no_second_one_is_started(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in state D. Jobs that are claimed meanwhile wait, and nothing is blocked."""
    monkeypatch.setenv("IMG2IMGD_FAKE_HANG", "tar pit")
    pool = impatient(rig)
    with monkeypatch.context() as unkillable:
        unkillable.setattr(Child, "kill", lambda _: None)
        drop(rig, a="a tar pit")
        rig.until(lambda: pool.stuck)
        pid = pool.pid
        assert pid is not None
        rig.until(lambda: f"process {pid}) hangs and cannot be ended" in waits_for(rig))
        monkeypatch.delenv("IMG2IMGD_FAKE_HANG")
        drop(rig, b="a lake")
        for _ in range(30):
            rig.dispatch.step(0.01)
        assert (pool.pid, pool.stuck) == (pid, True)
        assert rig.dispatch.blocked_since is not None
        assert outcome(rig) == {"a.png": (JobState.RUNNING, 0), "b.png": (JobState.QUEUED, 0)}
    os.kill(pid, signal.SIGKILL)
    rig.serve()
    assert outcome(rig) == {"a.png": (JobState.DONE, 0), "b.png": (JobState.DONE, 0)}
    assert waits_for(rig) == ""


def test_a_picture_that_takes_the_machine_down_each_time_is_set_aside(make_rig: RigMaker) -> None:
    rig = make_rig()
    for stem in ("bad", "good"):
        rig.picture(f"{stem}.png")
        rig.drop(f"{stem}.yaml")
    rig.claim()
    (bad,) = (job.id for job in rig.jobs() if job.spec.rel == "bad.png")
    for starts in range(1, 5):  # once among others, then three times alone
        assert bad in [job.id for job in rig.jobs(JobState.QUEUED)], starts
        rig.ledger.set_state(bad, JobState.RUNNING)  # it runs, and the power is gone
        rig.crash()
        rig.dispatch.recover()
    rig.serve()
    assert {job.spec.rel: job.state for job in rig.jobs()} == {
        "bad.png": JobState.FAILED, "good.png": JobState.DONE,
    }  # fmt: skip
    assert "img2imgd or its machine died 3 times" in rig.reason("bad.png")
    assert "journalctl -b -1" in rig.reason("bad.png")


def test_a_daemon_that_was_killed_serves_what_ran_alone_and_counts_nothing(rig: Rig) -> None:
    for stem in ("a", "b"):
        rig.picture(f"{stem}.png")
        rig.drop(f"{stem}.yaml")
    for job in rig.claim():
        rig.ledger.set_state(job.id, JobState.RUNNING)
    rig.crash()
    rig.dispatch.recover()
    assert [(job.suspect, job.attempts) for job in rig.jobs()] == [(True, 0)] * 2
    assert {job.state for job in rig.serve()} == {JobState.DONE}


@pytest.mark.parametrize("last", [False, True], ids=["queued-again", "set-aside"])
def test_a_death_that_the_ledger_could_not_take_at_once_is_counted_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, last: bool
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_POISON", "poison")
    drop(rig, a="poison")
    before = 2 if last else 0
    rig.until(lambda: rig.jobs()[0].attempts == before)
    refused = {JobState.FAILED, JobState.QUEUED}
    set_state = Ledger.set_state

    def full(ledger: Ledger, job: str, state: JobState, reason: str | None = None) -> None:
        if state in refused:
            refused.clear()
            raise EnvironmentFault("The ledger cannot be written: database or disk is full.")
        set_state(ledger, job, state, reason)

    monkeypatch.setattr(Ledger, "set_state", full)
    rig.until(lambda: not refused and rig.jobs()[0].state is not JobState.RUNNING)
    assert rig.jobs()[0].attempts == before + 1
    rig.serve()
    assert "died 3 times" in rig.reason("a.png")
