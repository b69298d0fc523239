"""From the ledger to the outbox with a real worker and reader: what is painted and published."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest
from PIL import Image
from rig import Rig

from img2imgd.config.sections import EngineConfig, LimitsConfig, ModelConfig
from img2imgd.dispatch import Dispatch, faults
from img2imgd.engine.protocol import FrameRefused, FrameTask
from img2imgd.job import FrameState, JobState
from img2imgd.outputs.orders import FrameFile
from img2imgd.pool.supervision import WorkerPool

RigMaker = Callable[..., Rig]
SWEEP = "prompt: a lake\nseed: 7\nsteps: 10\nsweep: {strength: [0.2, 0.4, 0.6, 0.8]}\n"


class RefusingPool(WorkerPool):
    """Refuses some frames, as an engine does that has no memory for them."""

    refused: frozenset[int] = frozenset()

    def admit(self, task: FrameTask, *files: FrameFile) -> None:
        if task.index in self.refused:
            self._unread.append(FrameRefused(task.job, task.index, "It does not fit."))
        else:
            super().admit(task, *files)


class CountingPool(WorkerPool):
    """Remembers which frames it was given."""

    def __init__(self, backend: str) -> None:
        super().__init__(backend)
        self.given: list[int] = []

    def admit(self, task: FrameTask, *files: FrameFile) -> None:
        self.given.append(task.index)
        super().admit(task, *files)


def use(rig: Rig, pool: WorkerPool) -> None:
    """Have another pool serve the rig, ended with it."""
    rig._pools.append(pool)
    rig.pool = pool
    rig.dispatch = Dispatch(rig.config, rig.ledger, pool, rig.reader)


def frames_of(rig: Rig) -> list[str]:
    return [name for name in rig.outputs() if "strength" in name]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(faults, "_LONGEST_PAUSE", 0.2)


def test_one_frame_becomes_a_file_and_its_inputs_are_archived(rig: Rig) -> None:
    rig.picture("sub/cat.png")
    rig.drop("sub/cat.yaml")
    rig.claim()
    (job,) = rig.serve()
    assert job.state is JobState.DONE
    assert rig.outputs() == ["sub/cat_a-lake_00_7.png"]
    assert job.published == "sub/cat_a-lake_00_7.png"
    with Image.open(rig.config.outbox / job.published) as output:
        assert (output.size, output.mode) == ((64, 64), "RGB")
    assert rig.tree(rig.config.done) == ["sub/cat.png", "sub/cat.yaml"]
    assert [frame.state for frame in rig.ledger.frames(job.id)] == [FrameState.PUBLISHED]
    assert not (rig.spool / job.id).exists()
    assert os.listdir(rig.config.outbox / ".img2imgd") == []


def test_a_sweep_becomes_a_folder_with_gif_and_sheet_beside_the_frames(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml", SWEEP)
    rig.claim()
    (job,) = rig.serve()
    assert rig.outputs() == [
        *(
            f"cat_a-lake_7/cat_a-lake_0{index}_strength-0.{2 * index + 2}_7.png"
            for index in range(4)
        ),
        "cat_a-lake_7/cat_a-lake_morph.gif",
        "cat_a-lake_7/cat_a-lake_sheet.png",
    ]
    assert job.published == "cat_a-lake_7"
    with Image.open(rig.config.outbox / "cat_a-lake_7/cat_a-lake_morph.gif") as gif:
        assert getattr(gif, "n_frames", 1) == 4


def test_jobs_are_served_in_the_order_of_their_claims(rig: Rig) -> None:
    names = [f"{letter}.png" for letter in "gcafbed"]
    for name in names:
        rig.picture(name)
        rig.drop(name.replace("png", "yaml"), f"prompt: {name}\n")
        rig.look(2.5)
    rig.serve()
    assert [job.spec.rel for job in rig.jobs()] == names
    started = [job.started_at or 0 for job in rig.jobs()]
    assert started == sorted(started)


def test_the_same_drop_again_is_a_job_of_its_own_and_replaces_nothing(rig: Rig) -> None:
    for _ in range(2):
        rig.picture("cat.png")
        rig.drop("cat.yaml")
        rig.claim()
        rig.serve()
    assert rig.outputs() == ["cat_a-lake_00_7.png", "cat_a-lake_00_7~2.png"]
    assert rig.tree(rig.config.done) == ["cat.png", "cat.yaml", "cat~2.png", "cat~2.yaml"]


def test_reserved_names_are_counted_up_without_regard_to_case(rig: Rig) -> None:
    (rig.config.outbox / "CAT_a-lake_00_7.png").write_bytes(b"somebody's")
    for name in ("cat", "Cat", "cAt"):
        rig.picture(f"{name}.png")
        rig.drop(f"{name}.yaml")
    names = [job.spec.reserved.name for job in rig.claim()]
    assert len({name.casefold() for name in names}) == 3
    rig.serve()
    assert len(rig.outputs()) == 4


def test_a_foreign_file_that_takes_the_reserved_name_is_not_replaced(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    (job,) = rig.claim()
    foreign = rig.config.outbox / job.spec.reserved.name
    foreign.write_bytes(b"somebody's")
    (job,) = rig.serve()
    assert foreign.read_bytes() == b"somebody's"
    assert job.published == "cat_a-lake_00_7~2.png"
    assert (rig.config.outbox / job.published).exists()


def test_frames_with_equal_effective_steps_are_painted_once_and_published_each(rig: Rig) -> None:
    pool = CountingPool("fake")
    use(rig, pool)
    rig.picture("cat.png")
    rig.drop("cat.yaml", "prompt: x\nsteps: 4\nsweep: {strength: [0.5, 0.6, 0.75, 0.8, 1.0]}\n")
    rig.claim()
    (job,) = rig.serve()
    assert pool.given == [0, 2, 4]
    paths = [rig.config.outbox / name for name in frames_of(rig)]
    pixels = [Image.open(path).tobytes() for path in paths]
    assert len(pixels) == 5
    assert pixels[0] == pixels[1] != pixels[2] == pixels[3] != pixels[4]
    told = [rig.reader.inspect(path).infotext or "" for path in paths]
    assert [text.partition("strength: ")[2].partition(",")[0] for text in told] == [
        "0.5", "0.6", "0.75", "0.8", "1",
    ]  # fmt: skip
    assert {frame.state for frame in rig.ledger.frames(job.id)} == {FrameState.PUBLISHED}


def test_a_refused_frame_is_reported_while_the_others_are_published(rig: Rig) -> None:
    pool = RefusingPool("fake")
    pool.refused = frozenset({1})
    use(rig, pool)
    rig.picture("cat.png")
    rig.drop("cat.yaml", SWEEP)
    rig.claim()
    (job,) = rig.serve()
    assert job.state is JobState.DONE
    indexes = [name.partition("lake_7/cat_a-lake_")[2][:2] for name in frames_of(rig)]
    assert indexes == ["00", "02", "03"]
    assert "1" in job.reason
    assert "does not fit" in job.reason
    states = [frame.state for frame in rig.ledger.frames(job.id)]
    assert states == [FrameState.PUBLISHED, FrameState.FAILED] + [FrameState.PUBLISHED] * 2


def test_a_job_whose_frames_are_all_refused_fails(rig: Rig) -> None:
    pool = RefusingPool("fake")
    pool.refused = frozenset(range(4))
    use(rig, pool)
    rig.picture("cat.png")
    rig.drop("cat.yaml", SWEEP)
    rig.claim()
    (job,) = rig.serve()
    assert job.state is JobState.FAILED
    assert "does not fit" in rig.reason("cat.png")
    assert rig.tree(rig.config.failed) == ["cat.png", "cat.png.reason.txt", "cat.yaml"]
    assert rig.outputs() == []


def test_a_bad_picture_fails_with_the_readers_reason_and_harms_no_other(rig: Rig) -> None:
    good = rig.picture("good.png").read_bytes()
    rig.drop("good.yaml")
    rig.drop("bad.png", good[: len(good) // 2])
    rig.drop("bad.yaml")
    rig.claim()
    states = {job.spec.rel: job.state for job in rig.serve()}
    assert states == {"bad.png": JobState.FAILED, "good.png": JobState.DONE}
    assert "bad.png" in rig.reason("bad.png")
    assert "put the corrected files back" in rig.reason("bad.png")


def test_what_the_reader_noted_is_told_with_the_result(rig: Rig) -> None:
    frames = [Image.new("L", (32, 32), grey) for grey in (9, 99)]
    frames[0].save(rig.folder / "moving.gif", save_all=True, append_images=frames[1:])
    rig.drop("moving.yaml")
    rig.claim()
    (job,) = rig.serve()
    assert job.state is JobState.DONE
    assert "first" in job.reason


def test_a_model_that_is_not_to_be_had_pauses_its_own_jobs_alone(make_rig: RigMaker) -> None:
    rig = make_rig()
    absent = rig.root / "weights"
    models = {**rig.config.models, "absent": ModelConfig(source=str(absent))}
    rig.config = replace(rig.config, models=models)
    rig.crash()
    for index in range(20):  # more than are looked at in one go
        rig.picture(f"a{index:02}.png")
        rig.drop(f"a{index:02}.yaml", "prompt: x\nmodel: absent\n")
    rig.look(2.5)
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    rig.claim()
    rig.until(lambda: rig.jobs()[-1].archived)
    assert rig.jobs()[-1].spec.rel == "cat.png"
    assert {job.state for job in rig.jobs()[:-1]} == {JobState.QUEUED}
    assert "weights" in rig.ledger.facts()["waits_for"]
    absent.mkdir()
    jobs = rig.serve()
    assert {job.state for job in jobs} == {JobState.DONE}
    assert {job.attempts for job in jobs} == {0}
    assert "waits_for" not in rig.ledger.facts()


def test_a_job_whose_model_left_the_config_fails_with_that_reason(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    rig.claim()
    rig.config = replace(rig.config, models={"other": rig.config.models["demo"]}, model="other")
    rig.crash()
    (job,) = rig.serve()
    assert job.state is JobState.FAILED
    assert "no model demo" in job.reason


def test_frames_that_are_staged_are_not_painted_again_after_a_restart(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.02")
    use(rig, CountingPool("fake"))
    rig.picture("cat.png")
    rig.drop("cat.yaml", SWEEP)
    (job,) = rig.claim()
    rig.until(lambda: rig.ledger.frames(job.id)[1].state is FrameState.STAGED)
    rig.dispatch.stop(5)
    assert rig.jobs()[0].state is JobState.QUEUED
    staging = rig.config.outbox / ".img2imgd" / job.id / job.spec.reserved.name
    before = {path.name: path.stat().st_ino for path in staging.glob("*.png")}
    assert 2 <= len(before) < 4
    rig.crash()
    pool = CountingPool("fake")
    use(rig, pool)
    rig.serve()
    assert len(pool.given) == 4 - len(before)
    published = {path.name: path.stat().st_ino for path in rig.config.outbox.glob("cat*/*_7.png")}
    assert len(published) == 4
    assert before.items() <= published.items()


def test_the_worker_is_let_go_when_idle_and_comes_back(make_rig: RigMaker) -> None:
    rig = make_rig(engine=EngineConfig(backend="fake", idle_unload=0.1))
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    rig.claim()
    rig.serve()
    rig.until(lambda: not rig.pool.running)
    rig.picture("dog.png")
    rig.drop("dog.yaml")
    rig.claim()
    assert {job.state for job in rig.serve()} == {JobState.DONE}


def test_a_failed_job_takes_the_same_number_for_all_its_files(rig: Rig) -> None:
    for _ in range(2):
        rig.drop("sub/cat.png", b"no picture")
        rig.drop("sub/cat.png.yaml")
        rig.claim()
        rig.serve()
    assert rig.tree(rig.config.failed) == [
        "sub/cat.png", "sub/cat.png.reason.txt", "sub/cat.png.yaml",
        "sub/cat~2.png", "sub/cat~2.png.reason.txt", "sub/cat~2.png.yaml",
    ]  # fmt: skip


def test_files_put_back_from_failed_are_a_retry(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml", "strength: 2\n")
    rig.claim()
    rig.serve()
    (rig.config.failed / "cat.png").rename(rig.folder / "cat.png")
    rig.drop("cat.yaml")
    rig.claim()
    assert [job.state for job in rig.serve()] == [JobState.REPLACED, JobState.DONE]


def test_too_many_attempts_are_counted_by_the_limit(
    make_rig: RigMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_POISON", "poison")
    rig = make_rig(limits=LimitsConfig(min_free_gb=0, max_attempts=1))
    rig.picture("cat.png")
    rig.drop("cat.yaml", "prompt: poison\n")
    rig.claim()
    (job,) = rig.serve()
    assert (job.state, job.attempts) == (JobState.FAILED, 1)
