"""Orders to cancel and to pause, carried out by the dispatcher."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from in_turns import painted, row, shorten, state
from PIL import Image
from rig import Rig

from img2imgd.dispatch import Dispatch
from img2imgd.dispatch.cancelling import Cancelling
from img2imgd.job import FrameState, JobState
from img2imgd.ledger import JobRow
from img2imgd.outputs.recipe import Recipe
from img2imgd.reader.carriers import find_recipe

RigMaker = Callable[..., Rig]
FRAMES = 12
SWEEP = """\
prompt: a lake
seed: 7
steps: 10
strength: 1
sweep: {guidance_scale: {from: 1, to: 12, step: 1}}
"""


@pytest.fixture(autouse=True)
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that take some milliseconds, short pauses after faults."""
    shorten(monkeypatch)
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.01")


def drop(rig: Rig, name: str, sidecar: str = SWEEP) -> JobRow:
    rig.picture(f"{name}.png")
    rig.drop(f"{name}.yaml", sidecar)
    rig.claim()
    return row(rig, name)


def half_painted(rig: Rig, name: str = "sweep", frames: int = 3) -> JobRow:
    drop(rig, name)
    rig.until(lambda: painted(rig, name) >= frames)
    assert painted(rig, name) < FRAMES
    return row(rig, name)


def frames_of(rig: Rig, job: JobRow, frame: FrameState) -> list[int]:
    return [each.index for each in rig.ledger.frames(job.id) if each.state is frame]


def assert_published_in_part(rig: Rig, name: str = "sweep") -> JobRow:
    job = row(rig, name)
    assert job.state is JobState.CANCELLED
    kept = frames_of(rig, job, FrameState.PUBLISHED)
    assert 0 < len(kept) < FRAMES
    folder = rig.config.outbox / job.published
    names = {path.name for path in folder.iterdir()}
    assert {job.spec.reserved.frames[index] for index in kept} < names
    assert [n for n in names if n.endswith("_sheet.png")]
    (gif,) = [n for n in names if n.endswith(".gif")]
    assert len(names) == len(kept) + 2
    with Image.open(folder / gif) as image:
        assert sum(_durations(image)) == 400 * len(kept)
    assert f"{len(kept)} of its {FRAMES} frames are kept" in job.reason
    assert job.published in job.reason
    rig.until(lambda: not rig.ledger.orders("cancel"))
    assert rig.tree(rig.config.failed) == [f"{name}.png", f"{name}.png.reason.txt", f"{name}.yaml"]
    assert "Cancelled by hand" in rig.reason(f"{name}.png")
    assert not list((rig.config.outbox / ".img2imgd").iterdir())
    return job


def _durations(image: Image.Image) -> list[int]:
    found = list[int]()
    for at in range(getattr(image, "n_frames", 1)):
        image.seek(at)
        found.append(image.info["duration"])
    return found


def test_a_queued_job_ends_with_its_inputs_in_failed_and_a_reason(rig: Rig) -> None:
    job = drop(rig, "cat", "prompt: a lake\nseed: 1\n")
    rig.ledger.give_order("cancel", job.id)
    rig.serve()
    assert state(rig, "cat") is JobState.CANCELLED
    assert rig.outputs() == []
    assert rig.tree(rig.config.failed) == ["cat.png", "cat.png.reason.txt", "cat.yaml"]
    assert "Cancelled by hand before it was painted." in rig.reason("cat.png")
    assert rig.pool.pid is None, "no worker was started for it"
    assert not rig.ledger.orders("cancel")


def test_a_job_that_is_being_claimed_is_cancelled_when_it_is_queued(rig: Rig) -> None:
    job = drop(rig, "cat")
    rig.ledger.set_state(job.id, JobState.CLAIMING)
    rig.ledger.give_order("cancel", job.id)
    for _ in range(3):
        rig.dispatch.step(0)
    assert rig.ledger.is_ordered("cancel", job.id)
    rig.ledger.set_state(job.id, JobState.QUEUED)
    rig.serve()
    assert state(rig, "cat") is JobState.CANCELLED


def test_a_running_sweep_stops_and_its_painted_frames_are_published(rig: Rig) -> None:
    job = half_painted(rig)
    rig.ledger.give_order("cancel", job.id)
    rig.serve()
    assert_published_in_part(rig)
    assert not rig.pool.admitted


def test_the_others_go_on_while_a_sweep_is_cancelled(rig: Rig) -> None:
    job = half_painted(rig)
    drop(rig, "other", "prompt: a lake\nseed: 1\nsteps: 30\nstrength: 1\n")
    rig.until(lambda: state(rig, "other") is JobState.RUNNING)
    rig.ledger.give_order("cancel", job.id)
    rig.serve()
    assert state(rig, "other") is JobState.DONE
    assert state(rig, "sweep") is JobState.CANCELLED
    assert {each.attempts for each in rig.jobs()} == {0}


def test_nothing_is_published_of_a_job_without_a_painted_frame(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.3")
    job = drop(rig, "sweep")
    rig.until(lambda: bool(rig.pool.admitted))
    rig.ledger.give_order("cancel", job.id)
    rig.serve()
    assert state(rig, "sweep") is JobState.CANCELLED
    assert rig.outputs() == []
    assert "before any of its frames was painted" in rig.reason("sweep.png")


def test_one_kept_frame_is_published_without_a_sheet(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.05")
    job = half_painted(rig, frames=1)
    rig.ledger.give_order("cancel", job.id)
    rig.serve()
    kept = frames_of(rig, job, FrameState.PUBLISHED)
    if len(kept) == 1:
        assert len(rig.outputs()) == 1
        assert f"1 of its {FRAMES} frames is kept" in row(rig, "sweep").reason


@pytest.mark.parametrize("when", ["painted", "ended"])
def test_it_is_too_late_for_a_job_that_is_painted(rig: Rig, when: str) -> None:
    job = drop(rig, "cat")
    if when == "ended":
        rig.serve()
    else:
        rig.until(lambda: any(each.assembling for each in rig.dispatch._running.values()))
    rig.ledger.give_order("cancel", job.id)
    rig.serve()
    rig.dispatch.step(0)
    assert state(rig, "cat") is JobState.DONE
    assert not rig.ledger.orders("cancel")


@pytest.mark.parametrize("fault", [OSError(errno.EIO, "Input/output error"), ValueError("a bug")])
def test_a_job_that_cannot_be_cancelled_keeps_no_others_from_being_served(
    rig: Rig, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = half_painted(rig)
    other = drop(rig, "other", "prompt: a lake\nseed: 1\n")
    original = Cancelling._give_up  # pyright: ignore[reportPrivateUsage]

    def broken(cancelling: Cancelling, row: JobRow) -> bool:
        if row.id == job.id:
            raise fault
        return original(cancelling, row)

    monkeypatch.setattr(Cancelling, "_give_up", broken)
    rig.ledger.give_order("cancel", job.id, other.id)
    rig.serve()
    assert state(rig, "other") is JobState.CANCELLED
    assert state(rig, "sweep") is JobState.DONE
    rig.dispatch.step(0)
    assert not rig.ledger.orders("cancel")


def test_a_job_whose_place_a_newer_save_has_just_taken_stays_replaced(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = drop(rig, "cat", "prompt: a lake\nseed: 1\n")
    original = Cancelling._end  # pyright: ignore[reportPrivateUsage]

    def replaced(cancelling: Cancelling, *what: Any) -> None:
        rig.ledger.set_state(job.id, JobState.REPLACED)
        original(cancelling, *what)

    rig.ledger.give_order("cancel", job.id)
    with monkeypatch.context() as patch:
        patch.setattr(Cancelling, "_end", replaced)
        rig.dispatch._cancelling.step()
    rig.dispatch._cancelling.step()
    assert state(rig, "cat") is JobState.REPLACED
    assert not rig.ledger.orders("cancel")


def test_an_order_for_a_job_that_nobody_knows_is_ended(rig: Rig) -> None:
    rig.ledger.give_order("cancel", "20261126T000000-00000000")
    rig.dispatch.step(0)
    assert not rig.ledger.orders("cancel")


@pytest.mark.parametrize("ends", ["crash", "stop"])
def test_a_sweep_whose_cancelling_was_cut_short_is_cancelled_by_the_next_process(
    rig: Rig, ends: str
) -> None:
    job = half_painted(rig)
    rig.ledger.give_order("cancel", job.id)
    if ends == "stop":
        rig.dispatch.stop(2)
    rig.crash()
    rig.serve()
    published = assert_published_in_part(rig)
    (sheet,) = (rig.config.outbox / published.published).glob("*_sheet.png")
    with Image.open(sheet) as image:
        text = find_recipe(image)
    assert text is not None
    assert Recipe.from_json(text, "sheet").picture.name == "sweep.png"


def test_a_worker_that_dies_while_it_gives_a_job_up_blames_nobody(rig: Rig) -> None:
    job = half_painted(rig)
    rig.ledger.give_order("cancel", job.id)
    rig.dispatch._cancelling.step()
    assert rig.pool.pid is not None
    os.kill(rig.pool.pid, 9)
    rig.serve()
    done = assert_published_in_part(rig)
    assert (done.attempts, done.suspect) == (0, False)


def test_thousands_of_queued_jobs_are_cancelled_in_few_steps(rig: Rig) -> None:
    jobs = [drop(rig, f"cat{n}", "prompt: a lake\nseed: 1\n").id for n in range(3)]
    template = rig.ledger.sql.execute("SELECT * FROM jobs WHERE id=?", (jobs[0],)).fetchone()
    spec = json.loads(template["spec"])
    with rig.ledger.transaction():
        for n in range(500):
            name = f"20261126T000000-{n:08x}"
            values = {**dict(template), "id": name, "spec": json.dumps({**spec, "id": name})}
            marks = ",".join("?" * len(values))
            rig.ledger.sql.execute(f"INSERT INTO jobs VALUES({marks})", tuple(values.values()))
    rig.ledger.order_all("cancel", {JobState.QUEUED, JobState.RUNNING})
    for _ in range(2):
        rig.dispatch._cancelling.step()
    assert rig.ledger.counts() == {"cancelled": 503}


# Pausing


def test_a_pause_frees_the_device_and_keeps_what_is_painted(rig: Rig) -> None:
    sweep = half_painted(rig)
    drop(rig, "next", "prompt: a lake\nseed: 1\n")
    rig.ledger.set_paused(True)
    pid = rig.pool.pid
    assert pid is not None
    rig.until(lambda: not rig.pool.running)
    assert not Path(f"/proc/{pid}").exists()
    kept = painted(rig, "sweep")
    assert 3 <= kept < FRAMES
    job = row(rig, "sweep")
    assert (job.state, job.attempts, job.suspect) == (JobState.QUEUED, 0, False)
    for _ in range(5):
        rig.dispatch.step(0.01)
    assert not rig.pool.running
    assert painted(rig, "sweep") == kept
    assert [each.id for each in rig.ledger.queued(2)] == [sweep.id, row(rig, "next").id]
    assert rig.dispatch.blocked_since is None
    rig.ledger.set_paused(False)
    rig.serve()
    assert {each.state for each in rig.jobs()} == {JobState.DONE}


def test_drops_are_claimed_during_a_pause_and_painted_after_it(rig: Rig) -> None:
    rig.ledger.set_paused(True)
    drop(rig, "cat", "prompt: a lake\nseed: 1\n")
    for _ in range(5):
        rig.dispatch.step(0.01)
    assert state(rig, "cat") is JobState.QUEUED
    assert not rig.pool.running
    rig.crash()
    for _ in range(5):
        rig.dispatch.step(0.01)
    assert state(rig, "cat") is JobState.QUEUED, "it survives a new process"
    rig.ledger.set_paused(False)
    rig.serve()
    assert state(rig, "cat") is JobState.DONE


def test_a_sweep_is_cancelled_during_a_pause_and_its_frames_are_published_at_once(
    rig: Rig,
) -> None:
    job = half_painted(rig)
    rig.ledger.set_paused(True)
    rig.until(lambda: not rig.pool.running)
    rig.ledger.give_order("cancel", job.id)
    rig.serve()
    assert_published_in_part(rig)
    rig.until(lambda: not rig.pool.running)


def test_a_pause_while_a_model_is_loaded_ends_the_loading(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_LOAD_SECONDS", "30")
    drop(rig, "cat", "prompt: a lake\nseed: 1\n")
    rig.until(lambda: rig.dispatch.loading)
    rig.ledger.set_paused(True)
    rig.until(lambda: not rig.pool.running)
    monkeypatch.setenv("IMG2IMGD_FAKE_LOAD_SECONDS", "0")
    rig.ledger.set_paused(False)
    rig.serve()
    assert state(rig, "cat") is JobState.DONE


def test_what_is_being_published_goes_on_during_a_pause(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(rig, "cat", "prompt: a lake\nseed: 1\n")
    rig.until(lambda: painted(rig, "cat") == 1 or state(rig, "cat") is JobState.DONE)
    rig.ledger.set_paused(True)
    for _ in range(10):
        rig.dispatch.step(0.01)
    assert state(rig, "cat") in (JobState.DONE, JobState.QUEUED)
    rig.ledger.set_paused(False)
    rig.serve()
    assert len(rig.outputs()) == 1


def test_a_pause_comes_before_the_first_step_of_a_new_process(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.ledger.set_paused(True)
    dispatch = Dispatch(rig.config, rig.ledger, rig.pool, rig.reader)
    with caplog.at_level("INFO"):
        dispatch.step(0)
        dispatch.step(0)
    assert caplog.text.count("`img2imgd resume`") == 1
