"""Retention: what img2imgd put into done, failed and outbox goes by age, and nothing else."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rig import Rig

import documents
from img2imgd.config.sections import RetentionConfig
from img2imgd.job import JobState
from img2imgd.ledger import JobRow
from img2imgd.request import RequestKeys
from img2imgd.upkeep import Upkeep

RigMaker = Callable[..., Rig]
DAY = 86_400.0
MONTH = RetentionConfig(done=30 * DAY, failed=30 * DAY, outbox=30 * DAY, ledger=90 * DAY)
SWEEP = "prompt: a lake\nseed: 7\nsweep: {strength: [0.2, 0.5]}\nsheet: true\ngif: true\n"


def upkeep(rig: Rig, days: float) -> None:
    """A round that finds what is archived by now, and one so many days later."""
    rig.ledger.note_archived(time.time())
    Upkeep(rig.config, rig.ledger).step(time.time() + days * DAY)


def serve(rig: Rig, *names: str, sidecar: str = "prompt: a lake\nseed: 7\n") -> list[JobRow]:
    for name in names:
        rig.picture(name)
        rig.drop(f"{name}.yaml", sidecar)
    rig.claim()
    return rig.serve()


@pytest.fixture
def rig(make_rig: RigMaker) -> Rig:
    return make_rig(retention=MONTH, orphan_after=5)


def everything(rig: Rig) -> list[str]:
    """All that lies in the three folders, subfolders too."""
    config = rig.config
    return sorted(
        str(path.relative_to(rig.root))
        for folder in (config.done, config.failed, config.outbox)
        for path in folder.rglob("*")
        if ".img2imgd" not in path.parts
    )


def test_old_files_go_with_their_reasons_and_the_subfolders_they_leave_empty(rig: Rig) -> None:
    serve(rig, "cat.png", "a/b/dog.png")
    serve(rig, "set.png", sidecar=SWEEP)
    serve(rig, "a/bad.png", sidecar="promt: no\n")
    before = everything(rig)
    assert {"done/a/b/dog.png", "failed/a/bad.png.reason.txt"} < set(before)
    assert len([name for name in before if name.startswith("outbox/set_")]) == 5, before
    upkeep(rig, 29)
    assert everything(rig) == before
    upkeep(rig, 31)
    assert everything(rig) == []
    for folder in (rig.config.done, rig.config.failed, rig.config.outbox):
        assert folder.is_dir()


def test_times_that_a_disk_keeps_to_two_seconds_are_no_change(rig: Rig) -> None:
    serve(rig, "cat.png", sidecar=SWEEP)
    serve(rig, "bad.png", sidecar="promt: no\n")
    for name in everything(rig):
        if (path := rig.root / name).is_file():
            coarse = path.stat().st_mtime // 2 * 2
            os.utime(path, (coarse, coarse))
    upkeep(rig, 31)
    assert everything(rig) == []


def test_without_a_retention_files_stay_for_ever(make_rig: RigMaker) -> None:
    rig = make_rig(retention=RetentionConfig())
    serve(rig, "cat.png")
    before = everything(rig)
    upkeep(rig, 10_000)
    assert everything(rig) == before
    assert rig.jobs() == [], "the ledger forgets by itself"


def test_what_a_person_put_there_or_changed_stays(rig: Rig) -> None:
    serve(rig, "cat.png", "dog.png")
    (job,) = [row for row in serve(rig, "set.png", sidecar=SWEEP) if row.spec.rel == "set.png"]
    folder = rig.config.outbox / job.published
    (folder / "mine.txt").write_text("mine")
    (rig.config.done / "mine.png").write_bytes(b"mine")
    (rig.config.done / "cat.png").write_bytes(b"drawn over")
    changed = folder / job.spec.reserved.frames[0]
    changed.write_bytes(b"drawn over")
    for path in (changed, rig.config.done / "cat.png"):
        os.utime(path, (time.time() + DAY, time.time() + DAY))
    upkeep(rig, 60)
    left = [folder / "mine.txt", changed, rig.config.done / "mine.png", rig.config.done / "cat.png"]
    names = {str(path.relative_to(rig.root)) for path in left}
    assert set(everything(rig)) == names | {str(folder.relative_to(rig.root))}


def test_what_programs_leave_in_every_folder_holds_none(rig: Rig) -> None:
    (job,) = serve(rig, "set.png", sidecar=SWEEP)
    (rig.config.outbox / job.published / "Thumbs.db").write_bytes(b"x")
    upkeep(rig, 31)
    assert everything(rig) == []


def test_nothing_is_removed_through_a_symlink_or_outside(rig: Rig, tmp_path: Path) -> None:
    serve(rig, "sub/cat.png", "dog.png")
    elsewhere = tmp_path / "elsewhere"
    shutil.move(rig.config.done / "sub", elsewhere)
    (rig.config.done / "sub").symlink_to(elsewhere)
    (rig.config.done / "dog.png").rename(tmp_path / "dog.png")
    (rig.config.done / "dog.png").symlink_to(tmp_path / "dog.png")
    with rig.ledger.transaction():
        away = f'"folder": "{rig.config.done}/../elsewhere"'
        rig.ledger.sql.execute(
            "UPDATE jobs SET archive=replace(archive, ?, ?)",
            (f'"folder": "{rig.config.done}"', away),
        )
    (elsewhere / "dog.png.yaml").write_text("prompt: a lake\nseed: 7\n")
    upkeep(rig, 31)
    left = {path.name for path in elsewhere.iterdir()}
    assert left == {"cat.png", "cat.png.yaml", "dog.png.yaml"}
    assert (tmp_path / "dog.png").is_file()
    assert (rig.config.done / "dog.png").is_symlink()


def test_a_picture_stays_while_a_late_sidecar_may_come_for_it(make_rig: RigMaker) -> None:
    keys = RequestKeys(prompt="a default", seed=1)
    soon = RetentionConfig(done=0, failed=0, outbox=0, ledger=0)
    rig = make_rig(retention=soon, late_sidecar=2 * DAY, defaults=keys)
    rig.picture("cat.png")
    rig.claim()
    rig.serve()
    upkeep(rig, 1)
    assert rig.tree(rig.config.done) == ["cat.png"]
    assert rig.outputs() == []
    rig.drop("cat.yaml", "prompt: late\n")
    rig.claim()
    rig.serve()
    assert [row.state for row in rig.jobs()] == [JobState.DONE, JobState.DONE]
    first = rig.jobs()[0].id
    with rig.ledger.transaction():
        rig.ledger.sql.execute(
            "UPDATE jobs SET aging_from=aging_from-? WHERE id=?", (3 * DAY, first)
        )
    upkeep(rig, 0.5)
    assert rig.tree(rig.config.done) == ["cat.png", "cat.yaml"], "the later job goes back to it"
    upkeep(rig, 6)
    assert rig.tree(rig.config.done) == []
    assert rig.jobs() == []


def test_a_picture_that_a_later_job_put_under_the_same_name_has_that_jobs_age(rig: Rig) -> None:
    serve(rig, "cat.png")
    for name in ("cat.png", "cat.png.yaml"):
        (rig.config.done / name).rename(rig.folder / name)
    rig.claim()
    first, _ = rig.serve()
    with rig.ledger.transaction():
        rig.ledger.sql.execute(
            "UPDATE jobs SET aging_from=aging_from-? WHERE id=?", (80 * DAY, first.id)
        )
    upkeep(rig, 20)
    assert rig.tree(rig.config.done) == ["cat.png", "cat.png.yaml"]
    upkeep(rig, 31)
    assert rig.tree(rig.config.done) == []


def test_a_file_that_was_put_there_late_stays_longer_but_not_for_ever(rig: Rig) -> None:
    (job,) = serve(rig, "cat.png")
    for age, left in ((40, ["cat.png", "cat.png.yaml"]), (61, [])):
        with rig.ledger.transaction():
            rig.ledger.sql.execute("UPDATE jobs SET aging_from=?", (time.time() - age * DAY,))
        upkeep(rig, 0)
        assert rig.tree(rig.config.done) == left
    assert rig.ledger.job(job.id) is not None


def test_a_shared_sidecar_goes_with_its_last_job(rig: Rig) -> None:
    for name in ("a.png", "b.png"):
        rig.picture(name)
    rig.drop("both.yaml", "prompt: a lake\nseed: 7\nimages: [a.png, b.png]\n")
    rig.claim()
    rig.serve()
    assert rig.tree(rig.config.done) == ["a.png", "b.png", "both.yaml"]
    upkeep(rig, 31)
    assert rig.tree(rig.config.done) == []
    upkeep(rig, 91)
    assert rig.jobs() == []
    assert rig.ledger.sql.execute("SELECT count(*) FROM bundles").fetchone()[0] == 0


@pytest.mark.parametrize("served", [1, 2])
def test_a_document_goes_with_its_sidecar_after_its_last_page(
    make_rig: RigMaker, served: int
) -> None:
    rig = make_rig(retention=MONTH, pages="each")
    pages = documents.tiff(64, 72)
    for _ in range(served):
        rig.drop("scan.tif", pages)
        rig.drop("scan.yaml", "prompt: a lake\nseed: 7\n")
        rig.drop("scan.yml", "prompt: this one loses, and goes along\n")
        rig.claim()
        rig.serve()
        rig.look()
    assert len(rig.tree(rig.config.done)) == 3 * served
    upkeep(rig, 31)
    assert everything(rig) == []


def test_a_document_that_was_put_back_has_the_age_of_its_later_job(make_rig: RigMaker) -> None:
    rig = make_rig(retention=MONTH, pages="each")
    for text in ("prompt: a lake\n", "prompt: a sea\n"):
        rig.drop("scan.tif", documents.tiff(64, 72))
        rig.drop("scan.yaml", text)
        rig.claim()
        rig.serve()
        (rig.config.done / "scan.yaml").unlink()
        if text == "prompt: a lake\n":
            (rig.config.done / "scan.tif").unlink()
    rig.ledger.note_archived(time.time())
    first, *_ = rig.jobs()
    with rig.ledger.transaction():
        rig.ledger.sql.execute(
            "UPDATE jobs SET aging_from=aging_from-? WHERE bundle=?",
            (80 * DAY, first.spec.bundle),
        )
    upkeep(rig, 20)
    assert rig.tree(rig.config.done) == ["scan.tif"]
    upkeep(rig, 31)
    assert rig.tree(rig.config.done) == []


def test_jobs_that_have_not_ended_or_are_not_archived_keep_everything(rig: Rig) -> None:
    serve(rig, "cat.png")
    with rig.ledger.transaction():
        rig.ledger.sql.execute("UPDATE jobs SET archived=0")
    before = everything(rig)
    upkeep(rig, 100)
    assert everything(rig) == before
    assert len(rig.jobs()) == 1


def test_a_subfolder_stays_while_a_job_is_about_to_be_put_into_it(rig: Rig) -> None:
    serve(rig, "sub/cat.png")
    rig.picture("sub/dog.png")
    rig.drop("sub/dog.png.yaml")
    rig.claim()
    other = rig.jobs(JobState.QUEUED)[0]
    rig.ledger.set_state(other.id, JobState.PUBLISHING)
    rig.ledger.note_archived(time.time())
    keep = Upkeep(rig.config, rig.ledger)
    keep.step(time.time() + 31 * DAY)
    assert everything(rig) == ["done/sub", "outbox/sub"]
    rig.ledger.set_state(other.id, JobState.QUEUED)
    keep.step(time.time() + 31 * DAY)
    assert everything(rig) == []


def test_an_outbox_that_is_not_mounted_is_not_forgotten(rig: Rig) -> None:
    serve(rig, "cat.png")
    away = rig.root / "away"
    rig.config.outbox.rename(away)
    rig.config.outbox.mkdir()
    upkeep(rig, 100)
    assert len(rig.jobs()) == 1
    rig.config.outbox.rmdir()
    away.rename(rig.config.outbox)
    upkeep(rig, 100)
    assert rig.outputs() == []
    assert rig.jobs() == []
