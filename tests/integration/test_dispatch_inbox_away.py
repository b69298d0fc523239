"""An inbox that is away, or another folder under its name: its jobs wait and lose nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rig import Rig

from img2imgd.dispatch import faults
from img2imgd.dispatch.archive import Archive
from img2imgd.dispatch.spools import has_files
from img2imgd.job import JobState
from img2imgd.ledger import JobRow


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(faults, "_LONGEST_PAUSE", 0.2)


def test_an_inbox_that_is_gone_fails_none_of_its_queued_jobs(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    rig.claim()
    aside = rig.folder.rename(rig.root / "unmounted")
    rig.until(lambda: str(rig.folder) in rig.ledger.facts().get("waits_for", ""))
    aside.rename(rig.folder)
    assert [job.state for job in rig.serve()] == [JobState.DONE]


def test_a_job_whose_files_were_taken_out_of_the_spool_fails_and_says_so(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    (job,) = rig.claim()
    shutil.rmtree(rig.spool / job.id)
    (ended,) = rig.serve()
    assert ended.state is JobState.FAILED
    assert "no longer in" in rig.reason("cat.png")


def test_a_disk_that_comes_between_two_looks_has_the_files(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.pair("cat")
    (job,) = rig.claim()
    aside = rig.folder.rename(rig.root / "unmounted")
    rig.folder.mkdir()
    look = Path.is_dir

    def is_dir(path: Path) -> bool:
        found = look(path)
        if path == rig.spool / job.id / "in" and aside.exists():
            rig.folder.rmdir()
            aside.rename(rig.folder)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_dir", is_dir)
        assert has_files(job)
    assert [job.state for job in rig.serve()] == [JobState.DONE]


def test_a_job_waits_while_another_folder_has_the_name_of_its_inbox(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    rig.claim()
    rig.folder.rename(rig.root / "away")
    rig.spool.mkdir(parents=True)
    rig.new_inbox().recover()  # as a daemon does that finds the folder, or starts now
    rig.until(lambda: "is another folder" in rig.ledger.facts().get("waits_for", ""))
    assert "\n" not in rig.ledger.facts()["waits_for"]
    assert [job.state for job in rig.jobs()] == [JobState.QUEUED]
    shutil.rmtree(rig.folder)
    (rig.root / "away").rename(rig.folder)
    assert [job.state for job in rig.serve()] == [JobState.DONE]


def test_jobs_of_the_folder_that_has_the_name_now_are_served(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    (cat,) = rig.claim()
    rig.folder.rename(rig.root / "away")
    rig.folder.mkdir()
    rig.inbox = rig.new_inbox()
    rig.picture("dog.png")
    rig.drop("dog.yaml")
    rig.claim()
    rig.until(lambda: [job.state for job in rig.jobs() if job.archived] == [JobState.DONE])
    assert [job.spec.rel for job in rig.jobs() if job.archived] == ["dog.png"]
    rig.until(lambda: "were claimed from" in rig.ledger.facts().get("waits_for", ""))
    assert "`img2imgd status` lists them as queued" in rig.ledger.facts()["waits_for"]
    assert [job.id for job in rig.ledger.jobs_in(JobState.QUEUED)] == [cat.id]
    shutil.rmtree(rig.folder)
    (rig.root / "away").rename(rig.folder)
    assert {job.state for job in rig.serve()} == {JobState.DONE}


def test_inputs_are_archived_from_the_inbox_that_they_are_in(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    rig.claim()
    finish = Archive.finish

    def unmounted(archive: Archive, row: JobRow) -> None:
        monkeypatch.setattr(Archive, "finish", finish)
        rig.folder.rename(rig.root / "away")
        rig.spool.mkdir(parents=True)
        finish(archive, row)

    monkeypatch.setattr(Archive, "finish", unmounted)
    rig.until(lambda: "is another folder" in rig.ledger.facts().get("waits_for", ""))
    shutil.rmtree(rig.folder)
    (rig.root / "away").rename(rig.folder)
    rig.serve()
    assert rig.tree(rig.config.done) == ["cat.png", "cat.yaml"]
    assert len(rig.outputs()) == 1
