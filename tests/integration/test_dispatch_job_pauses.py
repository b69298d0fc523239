"""A file or folder that one job needs and the disk does not give: that job waits, others do not."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rig import Rig

from img2imgd import durable
from img2imgd.dispatch import faults
from img2imgd.job import JobState
from img2imgd.pool import reading
from img2imgd.reader.files import storage_fault

SEVERAL = "prompt: a lake\nseed: 7\nn: 4\nsteps: 2\nstrength: 1\nsheet: false\ngif: false\n"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(faults, "_LONGEST_PAUSE", 0.2)


def drop(rig: Rig, *rels: str) -> None:
    for rel in rels:
        rig.picture(f"{rel}.png")
        rig.drop(f"{rel}.yaml")
    rig.claim()


def waits_for(rig: Rig) -> str:
    return rig.ledger.facts().get("waits_for", "")


def served(rig: Rig) -> list[str]:
    return [name.partition("_")[0] for name in rig.outputs()]


@contextmanager
def failing(
    owner: object, name: str, is_met: Callable[[Path], bool]
) -> Generator[list[Path], None, None]:
    """While this is open, a function raises EACCES for paths among its first two arguments."""
    original = getattr(owner, name)
    met: list[Path] = []

    def fail(*arguments: object, **keywords: object) -> object:
        for path in arguments[:2]:
            if isinstance(path, Path) and is_met(path):
                met.append(path)
                raise OSError(errno.EACCES, "Permission denied", str(path))
        return original(*arguments, **keywords)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, fail)
        yield met


@contextmanager
def bad_sectors(*names: str) -> Generator[None, None, None]:
    """While this is open, these pictures cannot be read."""
    original = reading.open_picture

    def open_picture(path: Path, *rest: object) -> object:
        if path.name in names:
            raise storage_fault(path, OSError(errno.EIO, "Input/output error"))
        return original(path, *rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "open_picture", open_picture)
        yield


def test_a_picture_on_a_bad_sector_waits_and_those_after_it_are_served(rig: Rig) -> None:
    drop(rig, "bad", "good")
    with bad_sectors("bad.png"):
        rig.until(lambda: served(rig) == ["good"])
        rig.until(lambda: "bad.png cannot be read" in waits_for(rig))
        assert rig.dispatch.blocked_since is not None, "nothing else is left to do"
    rig.serve()
    assert served(rig) == ["bad", "good"]
    assert {(job.state, job.attempts) for job in rig.jobs()} == {(JobState.DONE, 0)}
    assert waits_for(rig) == ""


def test_those_after_several_bad_sectors_are_served_too(rig: Rig) -> None:
    bad = [f"bad{number}" for number in range(4)]
    for name in (*bad, "good", "better"):  # one by one: so they are in this order
        drop(rig, name)
    with bad_sectors(*(f"{name}.png" for name in bad)):
        rig.until(lambda: served(rig) == ["better", "good"])
        assert {job.state for job in rig.jobs() if "bad" in job.spec.rel} == {JobState.QUEUED}
    rig.serve()
    assert len(rig.outputs()) == 6


def test_a_fault_that_two_jobs_meet_is_everybodys_and_not_tried_job_by_job(rig: Rig) -> None:
    drop(rig, *(f"cat{number}" for number in range(6)))
    with failing(durable, "writing", lambda path: path.name == "prepared.png") as met:
        rig.until(lambda: rig.dispatch._faults.general)
        assert len(met) == 2
    rig.serve()
    assert len(rig.outputs()) == 6


def test_a_subfolder_of_done_that_cannot_be_written_holds_no_job_up(rig: Rig) -> None:
    drop(rig, "sub/cat", "sub/dog", "owl")
    with failing(durable, "move_new", lambda path: path.parent.name == "sub"):
        rig.until(lambda: len(rig.outputs()) == 3)
        rig.until(lambda: rig.tree(rig.config.done) == ["owl.png", "owl.yaml"])
        assert "Permission denied" in waits_for(rig)
    rig.serve()
    assert len(rig.tree(rig.config.done)) == 6
    assert waits_for(rig) == ""


def test_inputs_that_cannot_be_archived_are_tried_at_growing_distances(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(rig, "sub/cat")
    with failing(durable, "move_new", lambda path: path.parent.name == "sub") as met:
        rig.until(lambda: bool(met))
        monkeypatch.setattr(faults, "_FIRST_PAUSE", 100.0)
        monkeypatch.setattr(faults, "_LONGEST_PAUSE", 100.0)
        rig.until(lambda: rig.dispatch._faults._jobs[rig.jobs()[0].id].length == 100)
        tried = len(met)
        for _ in range(5):
            rig.dispatch.step(0.01)
        assert len(met) == tried


def test_a_done_folder_that_does_not_answer_at_a_jobs_end_is_asked_later(rig: Rig) -> None:
    drop(rig, "sub/cat", "dog")
    with failing(durable, "is_there", lambda path: path.parent == rig.config.done / "sub"):
        rig.until(lambda: {job.state for job in rig.jobs()} == {JobState.DONE})
    rig.serve()
    assert rig.tree(rig.config.done) == ["dog.png", "dog.yaml", "sub/cat.png", "sub/cat.yaml"]


@pytest.mark.parametrize("restart", [False, True], ids=["goes-on", "restarted"])
def test_a_subfolder_of_the_outbox_that_cannot_be_written_holds_no_other_job_up(
    rig: Rig, restart: bool
) -> None:
    drop(rig, "sub/cat")
    with failing(durable, "rename_new", lambda path: path.parent == rig.config.outbox / "sub"):
        rig.until(lambda: "Permission denied" in waits_for(rig))
        if restart:
            rig.crash()
        drop(rig, "dog")
        rig.until(lambda: served(rig) == ["dog"])
    rig.serve()
    assert len(rig.outputs()) == 2
    assert {(job.state, job.attempts) for job in rig.jobs()} == {(JobState.DONE, 0)}
    assert waits_for(rig) == ""


def test_an_inbox_that_was_away_while_its_job_was_archived_is_waited_for_no_more(rig: Rig) -> None:
    rig.drop("cat.png", b"nothing")
    rig.drop("cat.yaml", "promt: x\n")
    rig.claim()
    away = rig.folder.rename(rig.root / "away")
    rig.until(lambda: str(rig.folder) in waits_for(rig))
    away.rename(rig.folder)
    rig.serve()
    assert waits_for(rig) == ""
    assert rig.dispatch.blocked_since is None


def test_what_is_painted_is_published_while_its_inbox_is_away(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(rig, "cat")
    with failing(durable, "rename_new", lambda path: path.parent == rig.config.outbox):
        rig.until(lambda: "Permission denied" in waits_for(rig))
    away = rig.folder.rename(rig.root / "away")
    monkeypatch.setattr(faults, "_LONGEST_PAUSE", 1000.0)
    monkeypatch.setattr(faults, "_FIRST_PAUSE", 1000.0)
    rig.dispatch._faults.report_inbox(
        rig.jobs()[0].spec.home, "The inbox is away.", time.monotonic()
    )
    rig.until(lambda: served(rig) == ["cat"])
    assert waits_for(rig) == "The inbox is away."
    away.rename(rig.folder)


def test_an_archiving_that_failed_ends_no_fault(rig: Rig) -> None:
    drop(rig, "cat")
    rig.dispatch._faults.report("The disk is full.", 0)
    rig.ledger.set_state(rig.jobs()[0].id, JobState.CANCELLED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rig.dispatch._archive, "finish", lambda _: 1 / 0)
        rig.dispatch.step(0)
    assert rig.dispatch._archiving.unfinished
    assert waits_for(rig) == "The disk is full."


def test_frames_are_painted_again_if_their_staging_folder_is_removed_meanwhile(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml", SEVERAL)
    (job,) = rig.claim()
    staging = rig.config.outbox / ".img2imgd" / job.id
    rig.until(lambda: any(staging.glob("*/*.png")))
    shutil.rmtree(staging, ignore_errors=True)
    rig.serve()
    assert [Path(name).suffix for name in rig.outputs()] == [".png"] * 4


def test_a_job_whose_painted_frames_are_removed_before_it_is_published_is_painted_again(
    rig: Rig,
) -> None:
    drop(rig, "cat")
    advance = rig.dispatch._publishing.advance

    def remove_first(job: object) -> bool:
        patch.undo()
        shutil.rmtree(rig.config.outbox / ".img2imgd" / rig.jobs()[0].id)
        return advance(job)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rig.dispatch._publishing, "advance", remove_first)
        (job,) = rig.serve()
    assert (job.state, len(rig.outputs())) == (JobState.DONE, 1)
    assert job.published == rig.outputs()[0]


def test_a_prepared_picture_that_somebody_removes_is_made_again_and_holds_no_other_job(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.02")
    rig.picture("cat.png")
    rig.drop("cat.yaml", SEVERAL)
    (job,) = rig.claim()
    rig.until(lambda: bool(rig.pool.admitted))
    (rig.spool / job.id / "prepared.png").unlink()
    rig.until(lambda: "prepared.png" in waits_for(rig))
    assert not rig.dispatch._faults.general
    (job,) = rig.serve()
    assert (job.state, job.attempts, len(rig.outputs())) == (JobState.DONE, 0, 4)
    assert waits_for(rig) == ""


def test_a_job_whose_inputs_are_removed_with_its_prepared_picture_fails_with_that_reason(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.02")
    rig.picture("cat.png")
    rig.drop("cat.yaml", SEVERAL)
    (job,) = rig.claim()
    rig.until(lambda: bool(rig.pool.admitted))
    shutil.rmtree(rig.spool / job.id)
    (job,) = rig.serve()
    assert job.state is JobState.FAILED
    assert "no longer in" in job.reason


def test_frames_are_not_staged_on_the_bare_folder_that_an_outbox_was_mounted_on(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml", SEVERAL)
    rig.claim()
    admit = rig.dispatch._feeding.admit_first

    def unmount_first(job: object) -> bool:
        rig.dispatch._feeding.admit_first = admit  # type: ignore[method-assign]
        rig.config.outbox.rename(rig.root / "disk")
        rig.config.outbox.mkdir()
        return admit(job)  # type: ignore[arg-type]

    rig.dispatch._feeding.admit_first = unmount_first  # type: ignore[method-assign]
    rig.until(lambda: "Another folder has the name" in waits_for(rig))
    assert list(rig.config.outbox.iterdir()) == []
    rig.config.outbox.rmdir()
    (rig.root / "disk").rename(rig.config.outbox)
    rig.serve()
    assert len(rig.outputs()) == 4
