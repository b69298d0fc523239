"""What kept a drop from being served is told until it is served, and no longer."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from rig import Rig

import documents
from img2imgd.dispatch import failures
from img2imgd.job import JobState

RigMaker = Callable[..., Rig]
WRONG, RIGHT = "promt: a lake\n", "prompt: a lake\n"


def fail(rig: Rig, name: str = "sub/cat.png") -> None:
    rig.picture(name)
    rig.drop(f"{name}.yaml", WRONG)
    rig.claim()
    rig.serve()


def test_files_that_were_corrected_and_put_back_by_hand_take_their_reason_away(rig: Rig) -> None:
    fail(rig)
    (rig.config.failed / "sub/cat.png").rename(rig.folder / "sub/cat.png")
    (rig.config.failed / "sub/cat.png.yaml").unlink()
    rig.drop("sub/cat.png.yaml", RIGHT)
    rig.claim()
    rig.serve()
    assert rig.tree(rig.config.failed) == []
    first, second = rig.jobs()
    assert [first.state, second.state] == [JobState.REPLACED, JobState.DONE]
    assert first.reason.startswith(f"Job {second.id} has served it since. Before that: ")
    assert "promt" in first.reason


def test_another_picture_of_that_name_leaves_those_in_failed_alone(rig: Rig) -> None:
    fail(rig)
    before = rig.tree(rig.config.failed)
    rig.picture("sub/cat.png", grey=90)
    rig.drop("sub/cat.png.yaml", RIGHT)
    rig.claim()
    rig.serve()
    assert rig.tree(rig.config.failed) == before
    assert [job.state for job in rig.jobs()] == [JobState.FAILED, JobState.DONE]


def test_nor_does_it_once_those_have_left(rig: Rig) -> None:
    fail(rig)
    (rig.config.failed / "sub/cat.png").rename(rig.config.failed / "sub/not good.png")
    rig.picture("sub/cat.png", grey=90)
    rig.drop("sub/cat.png.yaml", RIGHT)
    rig.claim()
    rig.serve()
    assert "sub/cat.png.reason.txt" in rig.tree(rig.config.failed)
    assert [job.state for job in rig.jobs()] == [JobState.FAILED, JobState.DONE]


def test_a_wrong_sidecar_may_stay_where_it_is(rig: Rig) -> None:
    fail(rig, "cat.png")
    (rig.config.failed / "cat.png").rename(rig.folder / "cat.png")
    rig.drop("cat.yaml", RIGHT)
    rig.claim()
    rig.serve()
    assert rig.tree(rig.config.failed) == ["cat.png.yaml"]
    first, _ = rig.jobs()
    assert first.state is JobState.REPLACED
    assert first.archive is not None
    assert list(first.archive.names) == ["cat.png.yaml"], "retention knows it yet"


def test_a_sidecar_that_came_without_its_picture_and_is_put_back_with_it(
    make_rig: RigMaker,
) -> None:
    rig = make_rig(orphan_after=5)
    rig.drop("cat.yaml", RIGHT)
    rig.claim()
    rig.serve()
    assert rig.tree(rig.config.failed) == ["cat.yaml", "cat.yaml.reason.txt"]
    (rig.config.failed / "cat.yaml").rename(rig.folder / "cat.yaml")
    rig.picture("cat.png")
    rig.claim()
    rig.serve()
    assert rig.tree(rig.config.failed) == []


def test_a_document_that_was_refused_as_a_whole(make_rig: RigMaker) -> None:
    rig = make_rig(pages="each")
    rig.drop("scan.tif", documents.tiff(64, 72))
    rig.drop("scan.yaml", WRONG)
    rig.claim()
    rig.serve()
    (rig.config.failed / "scan.tif").rename(rig.folder / "scan.tif")
    (rig.config.failed / "scan.yaml").unlink()
    rig.drop("scan.yaml", RIGHT)
    rig.claim()
    rig.serve()
    assert rig.tree(rig.config.failed) == []
    assert [job.state for job in rig.jobs()] == [
        JobState.REPLACED, JobState.DONE, JobState.DONE,
    ]  # fmt: skip


def test_a_reason_that_the_disk_does_not_let_go_holds_nothing_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fail(rig, "cat.png")
    (rig.config.failed / "cat.png").rename(rig.folder / "cat.png")
    (rig.config.failed / "cat.png.yaml").unlink()
    rig.drop("cat.png.yaml", RIGHT)
    rig.claim()

    def refused(path: Path, job: str, left: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(failures, "remove_reason", refused)
    rig.serve()
    assert [job.state for job in rig.jobs()] == [JobState.FAILED, JobState.DONE]
    assert all(job.archived for job in rig.jobs())
    assert rig.dispatch.blocked_since is None
    assert "Read-only file system" in caplog.text


def test_a_reason_that_somebody_wrote_on_stays(rig: Rig) -> None:
    fail(rig, "cat.png")
    (rig.config.failed / "cat.png").rename(rig.folder / "cat.png")
    (rig.config.failed / "cat.png.yaml").unlink()
    (rig.config.failed / "cat.png.reason.txt").write_text("ask Anna\n")
    rig.drop("cat.png.yaml", RIGHT)
    rig.claim()
    rig.serve()
    assert rig.tree(rig.config.failed) == ["cat.png.reason.txt"]


def test_in_an_inbox_that_keeps_them_a_good_save_ends_the_failure_of_a_bad_one(
    make_rig: RigMaker,
) -> None:
    rig = make_rig(mode="keep", settle=1, pair_wait=0)
    fail(rig, "cat.png")
    assert rig.tree(rig.config.failed) == ["cat.png.reason.txt"]
    rig.drop("cat.png.yaml", RIGHT)
    rig.look(0.1, 1.1)
    rig.serve()
    assert rig.tree(rig.config.failed) == []
    assert [job.state for job in rig.jobs()] == [JobState.REPLACED, JobState.DONE]


def test_what_was_cancelled_is_not_told_to_be_corrected(rig: Rig) -> None:
    rig.pair("cat")
    (job,) = rig.claim()
    rig.ledger.give_order("cancel", job.id)
    rig.serve()
    text = rig.reason("cat.png")
    assert "To have it painted after all" in text
    assert "correct" not in text


def test_a_name_that_is_wrong_is_told_to_be_given_anew(make_rig: RigMaker) -> None:
    rig = make_rig(prompt_from_name=True)
    rig.picture("a red barn__s7.png")
    rig.claim()
    rig.serve()
    assert "Give it another name and put it back" in rig.reason("a red barn__s7.png")


def test_what_was_claimed_is_not_said_to_wait_while_others_are_taken(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        rig.picture(f"{name}.png")
    rig.look(2.5)
    assert set(rig.waits()) == {"a.png", "b.png"}
    for name in ("a", "b"):
        rig.drop(f"{name}.yaml")
    seen: list[set[str]] = []
    act = type(rig.inbox)._act

    def watched(*arguments: object) -> object:
        seen.append(set(rig.waits()))
        return act(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(type(rig.inbox), "_act", watched)
    rig.look(0.1, 2.5)
    assert len(seen) == 2
    assert seen[1] & {"a.png", "b.png"} == {"b.png"}
