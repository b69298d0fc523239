"""What is known of a job that was queued again: its refused frames and its notes."""

from __future__ import annotations

import os
import signal
import time

import pytest
from in_turns import RigMaker, shorten, with_two_models
from rig import Rig

from img2imgd.dispatch.running import RunningJob
from img2imgd.engine.protocol import FrameTask
from img2imgd.job import FrameState, JobState
from img2imgd.ledger import JobRow
from img2imgd.outputs.orders import FrameFile
from img2imgd.pool.supervision import WorkerPool

SWEEP = "prompt: [huge, a lake]\nseed: 7\nsteps: 10\ngif: false\nsheet: false\nn: 150\n"
REFUSED = 150


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames that take some milliseconds, or are refused."""
    shorten(monkeypatch)
    monkeypatch.setenv("IMG2IMGD_FAKE_OOM", "huge")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The prompt of each frame that a worker was given."""
    prompts: list[str] = []
    admit = WorkerPool.admit

    def noted(pool: WorkerPool, task: FrameTask, *files: FrameFile) -> None:
        prompts.append(task.prompt)
        admit(pool, task, *files)

    monkeypatch.setattr(WorkerPool, "admit", noted)
    return prompts


@pytest.fixture
def rig(make_rig: RigMaker) -> Rig:
    return with_two_models(make_rig)


def drop(rig: Rig, name: str, sidecar: str) -> JobRow:
    rig.picture(f"{name}.png")
    rig.drop(f"{name}.yaml", sidecar)
    return rig.claim()[-1]


def row(rig: Rig, job: JobRow) -> JobRow:
    now = rig.ledger.job(job.id)
    assert now is not None
    return now


def count(rig: Rig, job: JobRow, state: FrameState) -> int:
    return sum(frame.state is state for frame in rig.ledger.frames(job.id))


def until_half_painted(rig: Rig, job: JobRow) -> None:
    """Go on until all frames that are refused were so, and some of the others are painted."""
    rig.until(lambda: count(rig, job, FrameState.FAILED) == REFUSED)
    rig.until(lambda: count(rig, job, FrameState.STAGED) > 0)
    assert count(rig, job, FrameState.WAITING) > 0


def test_what_was_refused_is_not_tried_again_after_the_worker_has_died(
    rig: Rig, given: list[str]
) -> None:
    sweep = drop(rig, "sweep", SWEEP)
    until_half_painted(rig, sweep)
    assert rig.pool.pid is not None
    os.kill(rig.pool.pid, signal.SIGKILL)
    rig.until(lambda: row(rig, sweep).suspect)
    rig.serve()
    assert given.count("huge") == REFUSED
    assert count(rig, sweep, FrameState.FAILED) == REFUSED
    assert "could not be painted" in row(rig, sweep).reason


def test_what_was_noted_of_a_job_is_kept_while_its_model_is_held_and_the_disk_is_full(
    rig: Rig, given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    full: list[str] = []
    prepare = RunningJob.prepare_staging

    def refuse_once(job: RunningJob) -> None:
        if job.id == sweep.id and not full:
            full.append(job.id)
            raise OSError(28, "No space left on device", "staging")
        prepare(job)

    sweep = drop(rig, "sweep", SWEEP)
    until_half_painted(rig, sweep)
    rig.dispatch._running[sweep.id].notes.append("The prompt is long.")
    other = drop(rig, "other", "prompt: a lake\nmodel: other\n")
    rig.until(lambda: row(rig, sweep).state is JobState.QUEUED)
    rig.dispatch._faults.report_model("demo", "its disk is away.", time.monotonic())
    rig.until(lambda: row(rig, other).state is JobState.DONE)
    monkeypatch.setattr(RunningJob, "prepare_staging", refuse_once)
    rig.serve()
    assert full == [sweep.id]
    assert given.count("huge") == REFUSED
    assert "The prompt is long." in row(rig, sweep).reason
