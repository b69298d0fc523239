"""A keeping inbox: originals stay, a new content is a new job, stale jobs are replaced."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest
from msgspec import structs
from rig import Rig

from img2imgd import durable
from img2imgd.inbox import Inbox
from img2imgd.inbox.kept import Kept
from img2imgd.inbox.scan import Found
from img2imgd.job import JobState
from img2imgd.request import RequestKeys
from img2imgd.settle import Signature

RigMaker = Callable[..., Rig]


@pytest.fixture
def rig(make_rig: RigMaker) -> Rig:
    return make_rig(mode="keep", settle=1, pair_wait=10)


def test_the_spool_has_a_copy_and_the_original_is_untouched(rig: Rig) -> None:
    path = rig.picture("cat.png")
    rig.drop("cat.yaml")
    before, content = Signature.of(path.lstat()), path.read_bytes()
    rig.look(1.1)
    (job,) = rig.jobs()
    copy = rig.spool / job.id / "in" / "cat.png"
    assert copy.read_bytes() == content
    assert copy.stat().st_ino != before.inode
    rig.serve()
    assert Signature.of(path.lstat()) == before
    assert rig.tree(rig.folder) == ["cat.png", "cat.yaml"]
    assert rig.tree(rig.config.done) == rig.tree(rig.config.failed) == []
    assert len(rig.outputs()) == 1


def test_a_prompt_from_the_defaults_means_no_wait_for_a_sidecar(make_rig: RigMaker) -> None:
    rig = make_rig(mode="keep", settle=1, defaults=RequestKeys(prompt="a lake"))
    rig.picture("cat.png")
    rig.look(1.1)
    assert len(rig.jobs()) == 1


def test_a_touch_or_chmod_makes_no_job_but_a_new_content_does(rig: Rig) -> None:
    path = rig.picture("cat.png")
    rig.drop("cat.yaml")
    rig.look(1.1)
    os.utime(path)
    path.chmod(0o600)
    rig.look(0.1, 1.1, 20)
    assert len(rig.jobs()) == 1
    rig.serve()
    rig.picture("cat.png", grey=40)
    rig.look(0.1, 1.1, 20)
    assert len(rig.jobs()) == 2


def test_the_same_content_saved_back_and_forth_is_painted_each_time(rig: Rig) -> None:
    rig.drop("cat.yaml")
    for grey in (200, 40, 200):
        rig.picture("cat.png", grey=grey)
        rig.look(0.1, 1.1)
        rig.serve()
    assert len(rig.jobs()) == 3


def test_an_edited_sidecar_makes_a_job_and_an_edited_defaults_file_none(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.picture("dog.png")
    rig.drop("cat.yaml")
    rig.drop("_defaults.yaml", "prompt: default\n")
    rig.look(0.1, 1.1)
    assert len(rig.jobs()) == 2
    rig.drop("_defaults.yaml", "prompt: another default\n")
    rig.look(0.1, 1.1, 20)
    assert len(rig.jobs()) == 2
    rig.drop("cat.yaml", "prompt: a castle\n")
    rig.look(0.1, 1.1)
    assert [job.spec.asked.prompt for job in rig.jobs()][2:] == ["a castle"]


def test_a_stale_job_that_has_not_started_is_replaced_and_leaves_nothing(rig: Rig) -> None:
    rig.drop("cat.yaml")
    rig.picture("cat.png")
    rig.look(1.1)
    rig.picture("cat.png", grey=40)
    rig.look(0.1, 1.1)
    old, new = rig.jobs()
    assert (old.state, new.state) == (JobState.REPLACED, JobState.QUEUED)
    rig.serve()
    assert [p.name for p in rig.spool.iterdir() if p.is_dir()] == []
    assert [p.name for p in (rig.config.outbox / ".img2imgd").iterdir() if p.is_dir()] == []
    assert len(rig.outputs()) == 1
    assert rig.tree(rig.config.done) == rig.tree(rig.config.failed) == []
    assert rig.ledger.job(old.id).state is JobState.REPLACED  # type: ignore[union-attr]


def test_a_job_replaced_while_its_start_is_prepared_does_not_run(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.drop("cat.yaml")
    rig.picture("cat.png")
    rig.look(1.1)
    (job,) = rig.jobs()
    preparing = rig.reader.preparing

    def replace_meanwhile(*arguments: object) -> object:
        rig.ledger.set_state(job.id, JobState.REPLACED)
        return preparing(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rig.reader, "preparing", replace_meanwhile)
    rig.serve()
    assert rig.outputs() == []
    assert rig.jobs()[0].state is JobState.REPLACED


def test_a_picture_without_a_prompt_is_shown_as_waiting_and_never_moved(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("notes.docx", "x")
    rig.drop("dog.yaml")
    rig.drop("empty.png", b"")
    rig.look(1.1, 10_000)
    assert rig.jobs() == []
    assert "cat.yaml" in rig.waits()["cat.png"]
    assert rig.tree(rig.folder) == ["cat.png", "dog.yaml", "empty.png", "notes.docx"]


def test_a_failure_writes_only_the_reason_and_the_newest_replaces_it(rig: Rig) -> None:
    rig.picture("cat.png")
    for wrong in ("prompt: [", "strenght: 1\n"):
        rig.drop("cat.yaml", wrong)
        rig.look(0.1, 1.1)
        rig.serve()
    assert rig.tree(rig.config.failed) == ["cat.png.reason.txt"]
    assert "strength" in rig.reason("cat.png")
    assert rig.tree(rig.folder) == ["cat.png", "cat.yaml"]
    assert [job.state for job in rig.jobs()] == [JobState.FAILED] * 2
    rig.look(20)
    assert len(rig.jobs()) == 2


def test_a_save_that_the_disk_had_no_room_to_copy_is_served_later(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    rig.look()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(durable, "copy_new", full)
        rig.look(1.1)
    rig.look(1)
    assert [job.state for job in rig.jobs()] == [JobState.QUEUED]


def test_a_save_during_the_copy_is_not_served_torn(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    rig.look()
    original = durable.copy_new

    def save_after(source: object, target: object) -> None:
        original(source, target)  # type: ignore[arg-type]
        rig.picture("cat.png", grey=77)
        monkeypatch.setattr(durable, "copy_new", original)

    monkeypatch.setattr(durable, "copy_new", save_after)
    rig.look(1.1)
    assert rig.jobs() == []
    rig.look(0.1, 1.1)
    (job,) = rig.jobs()
    copy = rig.spool / job.id / "in" / "cat.png"
    assert copy.read_bytes() == (rig.folder / "cat.png").read_bytes()


def test_a_config_that_is_read_again_has_no_served_file_read_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.drop("cat.yaml")
    rig.picture("cat.png")
    rig.look(0.1, 1.1)
    rig.serve()
    rig.look(0.1, 1.1)
    opened: list[str] = []
    digest = Kept.digest

    def noted(self: Kept, file: Found, sidecar: Found | None) -> str:
        opened.append(file.rel)
        return digest(self, file, sidecar)

    monkeypatch.setattr(Kept, "digest", noted)
    rig.inbox = Inbox(
        rig.config,
        rig.config.inboxes[0],
        rig.ledger,
        lambda _: None,
        lambda _: None,
        before=rig.inbox,
    )
    rig.look(0.1, 1.1)
    assert opened == []
    rig.picture("cat.png", grey=40)
    rig.look(0.1, 1.1)
    assert opened
    assert len(rig.jobs()) == 2


def test_a_picture_that_was_too_large_is_served_once_the_limit_is_raised(rig: Rig) -> None:
    rig.drop("cat.yaml")
    path = rig.picture("cat.png")
    with path.open("ab") as file:
        file.truncate(2_000_000)
    small = replace(rig.config, limits=structs.replace(rig.config.limits, max_file_mb=1))
    inbox = Inbox(small, small.inboxes[0], rig.ledger, lambda _: None, lambda _: None)
    rig.inbox = inbox
    rig.look(0.1, 1.1)
    rig.serve()
    assert [row.state for row in rig.jobs()] == [JobState.FAILED]
    rig.inbox = Inbox(
        rig.config,
        rig.config.inboxes[0],
        rig.ledger,
        lambda _: None,
        lambda _: None,
        before=rig.inbox,
    )
    rig.look(0.1, 1.1)
    assert len(rig.jobs()) == 2
