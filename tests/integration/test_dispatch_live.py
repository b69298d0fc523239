"""A live inbox: what is painted of a picture that was saved anew gives way to the newer save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from in_turns import shorten
from PIL import Image
from rig import Rig

from img2imgd import durable
from img2imgd.dispatch import superseding
from img2imgd.dispatch.running import RunningJob
from img2imgd.job import JobState
from img2imgd.ledger import JobRow
from img2imgd.request import RequestKeys

RigMaker = Callable[..., Rig]
STEPS = 40
LAKE = RequestKeys(prompt="a lake", steps=STEPS, strength=1)
FAINT = RequestKeys(prompt="a lake", steps=50, strength=0.02)  # the picture shines through


@pytest.fixture(autouse=True)
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch)
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.03")


@pytest.fixture
def live(make_rig: RigMaker) -> Rig:
    return make_rig(mode="keep", settle=1, live=True, defaults=LAKE)


def save(rig: Rig, grey: int, rel: str = "cat.png") -> JobRow:
    rig.picture(rel, grey)
    rig.look(1.1)
    return [job for job in rig.jobs() if job.spec.rel == rel][-1]


def states(rig: Rig) -> list[JobState]:
    return [job.state for job in rig.jobs()]


def job_of(rig: Rig, known: JobRow) -> JobRow:
    job = rig.ledger.job(known.id)
    assert job is not None
    return job


def steps_of(rig: Rig, job: JobRow) -> int:
    running = rig.dispatch._running.get(job.id)
    return sum(running.steps_taken.values()) if running else 0


def begin(rig: Rig, job: JobRow, steps: int = 1) -> None:
    rig.until(lambda: steps_of(rig, job) >= steps)


def test_a_running_job_is_given_up_at_its_next_step_for_a_newer_save(live: Rig) -> None:
    first = save(live, 200)
    begin(live, first)
    second = save(live, 100)
    taken = steps_of(live, first)
    live.until(lambda: states(live)[0] is JobState.REPLACED)
    assert taken < STEPS / 2
    live.serve()
    assert states(live) == [JobState.REPLACED, JobState.DONE]
    assert live.outputs() == [job_of(live, second).published]
    assert not list((live.config.outbox / ".img2imgd").iterdir())
    assert "saved anew" in job_of(live, first).reason
    assert live.tree(live.config.failed) == live.tree(live.config.done) == []


def test_what_is_half_painted_is_finished(live: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(superseding, "_WORTH_FINISHING", 2 / STEPS)
    begin(live, save(live, 200), steps=2)
    save(live, 100)
    live.serve()
    assert states(live) == [JobState.DONE, JobState.DONE]


def test_of_two_in_a_row_one_is_finished_whatever_comes(live: Rig) -> None:
    """Somebody who draws on and on sees results."""
    for grey in (200, 180):
        begin(live, save(live, grey))
    save(live, 160)
    live.serve()
    assert states(live) == [JobState.REPLACED, JobState.DONE, JobState.DONE]


def test_after_a_result_the_next_stale_one_is_given_up_again(live: Rig) -> None:
    for grey in (200, 180):
        begin(live, save(live, grey))
    live.serve()
    assert states(live) == [JobState.REPLACED, JobState.DONE]
    begin(live, save(live, 160))
    save(live, 140)
    live.serve()
    assert states(live)[2:] == [JobState.REPLACED, JobState.DONE]


def test_without_live_a_running_job_is_finished(make_rig: RigMaker) -> None:
    rig = make_rig(mode="keep", settle=1, defaults=LAKE)
    begin(rig, save(rig, 200))
    save(rig, 100)
    rig.serve()
    assert states(rig) == [JobState.DONE, JobState.DONE]


def test_other_pictures_are_painted_on(live: Rig) -> None:
    begin(live, save(live, 200))
    save(live, 200, "dog.png")
    save(live, 100)
    live.serve()
    assert states(live) == [JobState.REPLACED, JobState.DONE, JobState.DONE]


def test_a_crash_amid_giving_up_ends_with_the_newest_being_painted(live: Rig) -> None:
    begin(live, save(live, 200))
    newest = save(live, 100)
    live.dispatch._superseding.step()
    live.crash()
    live.serve()
    assert job_of(live, newest).state is JobState.DONE
    assert states(live)[0] in (JobState.REPLACED, JobState.DONE)


def test_the_seed_belongs_to_the_file(live: Rig) -> None:
    first, second = save(live, 200), save(live, 100)
    other = save(live, 100, "dog.png")
    live.drop("given.yaml", "prompt: a\nseed: 5\n")
    given = save(live, 100, "given.png")
    seeds = [job.spec.asked.seed for job in (first, second, other, given)]
    assert seeds[0] == seeds[1] != seeds[2]
    assert seeds[3] == 5
    live.lose_ledger()
    live.look()
    assert save(live, 50).spec.asked.seed == seeds[0]


def test_without_live_each_job_has_a_seed_of_its_own(make_rig: RigMaker) -> None:
    rig = make_rig(mode="keep", settle=1, defaults=LAKE)
    assert save(rig, 200).spec.asked.seed != save(rig, 100).spec.asked.seed


# The newest result under a name that stays


def brightness(path: Path) -> int:
    with Image.open(path) as image:
        pixel = image.convert("L").resize((1, 1)).getpixel((0, 0))
    assert isinstance(pixel, int)
    return pixel


@pytest.fixture
def latest(make_rig: RigMaker) -> Rig:
    return make_rig(mode="keep", settle=1, latest=True, defaults=FAINT)


def test_the_newest_result_is_replaced_under_a_name_that_stays(latest: Rig) -> None:
    seen: list[tuple[int, int]] = []
    for grey in (250, 60):
        job = save(latest, grey, "sketches/cat.png")
        latest.serve()
        path = latest.config.outbox / "sketches" / "cat.latest.png"
        published = latest.config.outbox / job_of(latest, job).published
        assert path.read_bytes() == published.read_bytes()
        seen.append((brightness(path), path.stat().st_ino))
    assert seen[0][0] > seen[1][0] + 40
    assert seen[0][1] != seen[1][1], "a viewer that has it open keeps the old one whole"
    assert len(latest.outputs()) == 3


def test_of_several_frames_the_sheet_is_the_latest(latest: Rig) -> None:
    latest.drop("cat.yaml", "prompt: a lake\nn: 3\nstrength: 0.02\n")
    job = save(latest, 200)
    latest.serve()
    folder = latest.config.outbox / job_of(latest, job).published
    (sheet,) = folder.glob("*_sheet.png")
    assert (latest.config.outbox / "cat.latest.png").read_bytes() == sheet.read_bytes()
    latest.drop("cat.yaml", "prompt: a lake\nn: 2\nstrength: 0.02\nsheet: false\n")
    latest.look(1.1)
    latest.serve()
    job = latest.jobs()[-1]
    first = latest.config.outbox / job.published / job.spec.reserved.frames[0]
    assert (latest.config.outbox / "cat.latest.png").read_bytes() == first.read_bytes()


def test_a_file_of_somebody_else_is_not_replaced_nor_that_of_another_picture(latest: Rig) -> None:
    mine = latest.config.outbox / "cat.latest.png"
    mine.write_bytes(b"mine")
    Image.new("RGB", (32, 32), "white").save(latest.folder / "cat.jpg")
    save(latest, 60)
    latest.serve()
    assert mine.read_bytes() == b"mine"
    names = {rel for rel in latest.outputs() if "latest" in rel}
    assert names == {"cat.latest.png", "cat.latest~2.png", "cat.latest~3.png"}
    before = {name: (latest.config.outbox / name).read_bytes() for name in names}
    save(latest, 250)
    latest.serve()
    changed = [n for n in names if (latest.config.outbox / n).read_bytes() != before[n]]
    assert len(changed) == 1
    assert {rel for rel in latest.outputs() if "latest" in rel} == names


def test_a_folder_put_in_its_place_is_passed_by(latest: Rig) -> None:
    save(latest, 60)
    latest.serve()
    path = latest.config.outbox / "cat.latest.png"
    path.unlink()
    path.mkdir()
    job = save(latest, 250)
    latest.serve()
    published = latest.config.outbox / job_of(latest, job).published
    assert path.with_name("cat.latest~2.png").read_bytes() == published.read_bytes()
    assert path.is_dir()


def test_an_older_job_that_ends_later_does_not_replace_a_newer_result(latest: Rig) -> None:
    old = save(latest, 60)
    latest.serve()
    save(latest, 250)
    latest.serve()
    path = latest.config.outbox / "cat.latest.png"
    newest = path.read_bytes()
    row = job_of(latest, old)
    latest.dispatch._latest.update(RunningJob._of(row, latest.config.outbox), row.published)
    assert path.read_bytes() == newest


def test_that_it_cannot_be_written_is_no_fault_of_the_job(
    latest: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    save(latest, 60)
    latest.serve()
    path = latest.config.outbox / "cat.latest.png"
    before = path.read_bytes()
    durable._half(path).mkdir()
    job = save(latest, 200)
    latest.serve()
    assert job_of(latest, job).state is JobState.DONE
    assert path.read_bytes() == before
    assert "no newest result of cat.png" in caplog.text


def test_without_latest_there_is_none(make_rig: RigMaker) -> None:
    rig = make_rig(mode="keep", settle=1, defaults=FAINT)
    save(rig, 200)
    rig.serve()
    assert len(rig.outputs()) == 1
