"""Sheets and animations that go wrong cost themselves, never the frames; a job ends as it began."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from PIL import Image
from rig import Rig

from img2imgd.dispatch import Dispatch, faults
from img2imgd.dispatch import publishing as publishing_module
from img2imgd.job import FrameState, JobState
from img2imgd.pool.messages import Assembly, WorkerDied
from img2imgd.pool.supervision import WorkerPool

SWEEP = "prompt: a lake\nseed: 7\nsteps: 10\nsweep: {strength: [0.2, 0.4, 0.6, 0.8]}\n"
MADE = ["cat_a-lake_morph.gif", "cat_a-lake_sheet.png"]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(faults, "_LONGEST_PAUSE", 0.1)


class FatalPool(WorkerPool):
    """Its worker dies of some assemblies, so often, with so many of them and these frames in it."""

    def __init__(
        self, suffix: str, deaths: int, waiting: int = 1, frames: tuple[tuple[str, int], ...] = ()
    ) -> None:
        super().__init__("fake")
        self.suffix = suffix
        self.deaths = deaths
        self.waiting = waiting
        self.frames = frozenset(frames)
        self.inside: list[tuple[str, Path]] = []
        self.tried: list[str] = []

    def assemble(self, job: str, assembly: Assembly) -> None:
        self.tried.append(assembly.target.suffix)
        if assembly.target.suffix != self.suffix or self.deaths == 0:
            super().assemble(job, assembly)
            return
        self.inside.append((job, assembly.target))
        if len(self.inside) == self.waiting:
            self.deaths -= 1
            died = WorkerDied("killed by SIGKILL", self.frames, tuple(self.inside), None)
            self._unread.append(died)
            self.inside.clear()


def use(rig: Rig, pool: WorkerPool) -> None:
    rig._pools.append(pool)
    rig.pool = pool
    rig.dispatch = Dispatch(rig.config, rig.ledger, pool, rig.reader)


def drop(rig: Rig, *stems: str) -> None:
    for stem in stems or ("cat",):
        rig.picture(f"{stem}.png")
        rig.drop(f"{stem}.yaml", SWEEP)
    rig.claim()


def beside_the_frames(rig: Rig) -> list[str]:
    return [name.rpartition("/")[2] for name in rig.outputs() if "strength" not in name]


def test_a_worker_that_dies_of_an_animation_costs_the_animation_alone(rig: Rig) -> None:
    pool = FatalPool(".gif", deaths=99)
    use(rig, pool)
    drop(rig)
    (job,) = rig.serve()
    assert (job.state, job.attempts) == (JobState.DONE, 0)
    assert pool.tried == [".gif", ".gif", ".gif", ".png"]
    assert beside_the_frames(rig) == MADE[1:]
    assert len(rig.outputs()) == 5
    assert "cat_a-lake_morph.gif could not be made: the worker died of it" in job.reason


def test_a_worker_that_dies_once_makes_it_at_the_second_try(rig: Rig) -> None:
    use(rig, FatalPool(".png", deaths=1))
    drop(rig)
    (job,) = rig.serve()
    assert (job.state, job.reason) == (JobState.DONE, "")
    assert beside_the_frames(rig) == MADE


def test_those_that_waited_behind_a_fatal_one_are_made(rig: Rig) -> None:
    use(rig, FatalPool(".gif", deaths=3, waiting=2))
    drop(rig, "cat", "dog")
    reasons = [job.reason for job in rig.serve()]
    assert ["could not be made" in reason for reason in reasons] == [True, False]
    assert beside_the_frames(rig) == [*MADE[1:], "dog_a-lake_morph.gif", "dog_a-lake_sheet.png"]


def test_none_is_to_blame_for_a_worker_that_died_while_it_painted(rig: Rig) -> None:
    use(rig, FatalPool(".gif", deaths=3, frames=(("another", 0),)))
    drop(rig)
    (job,) = rig.serve()
    assert (job.state, job.reason) == (JobState.DONE, "")
    assert beside_the_frames(rig) == MADE


def test_a_fault_in_planning_a_sheet_costs_no_frame(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError("no room")

    monkeypatch.setattr(publishing_module, "next_assembly", fail)
    drop(rig)
    (job,) = rig.serve()
    assert job.state is JobState.DONE
    assert len(rig.outputs()) == 4
    assert "no room" in job.reason


def test_a_job_goes_on_as_it_was_begun_whatever_the_config_says_by_then(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.02")
    use(rig, WorkerPool("fake"))
    drop(rig)
    (job,) = rig.jobs()
    rig.until(lambda: rig.ledger.frames(job.id)[0].state is FrameState.STAGED)
    rig.dispatch.stop(5)
    changed = structs.replace(rig.config.models["demo"], size=128, scheduler="ddim")
    rig.config = replace(rig.config, models={"demo": changed})
    rig.crash()
    rig.serve()
    frames = [rig.config.outbox / name for name in rig.outputs() if "strength" in name]
    assert len(frames) == 4
    for path in frames:
        found = rig.reader.inspect(path)
        assert (found.width, found.height) == (64, 64)
        assert ", Sampler: Euler, " in (found.infotext or "")
    rig.picture("dog.png")
    rig.drop("dog.yaml", "prompt: a dog\nseed: 1\n")
    rig.claim()
    rig.serve()
    (later,) = rig.config.outbox.glob("dog_*.png")
    assert rig.reader.inspect(later).width == 128


def test_a_picture_that_the_format_has_no_room_for_is_told_before_it_is_painted(rig: Rig) -> None:
    Image.new("RGB", (17_000, 4_500)).save(rig.folder / "cat.png")
    rig.drop("cat.yaml", "prompt: x\nformat: webp\nrestore_size: true\n")
    rig.claim()
    (job,) = rig.serve()
    assert job.state is JobState.FAILED
    assert "17000×4500, and a webp has at most 16,383 pixels a side" in job.reason
    assert "format: png" in rig.reason("cat.png")
