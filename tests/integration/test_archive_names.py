"""Names in done and failed: a drop's files keep together, and no reason replaces another's."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rig import Rig

from img2imgd import durable
from img2imgd.config import InboxConfig
from img2imgd.dispatch import archive
from img2imgd.dispatch.archive import Archive
from img2imgd.inbox import Inbox
from img2imgd.job import JobState
from img2imgd.ledger import JobRow, Ledger
from img2imgd.request import RequestKeys

RigMaker = Callable[..., Rig]
REASON = "cat.png.reason.txt"
TWICE = [
    "cat.png", "cat.png.reason.txt", "cat.yaml", "cat~2.png", "cat~2.png.reason.txt", "cat~2.yaml",
]  # fmt: skip


def bad_drop(rig: Rig, content: bytes, folder: bytes = b"") -> None:
    rig.drop(folder + b"cat.png", content)
    rig.drop(folder + b"cat.yaml")
    rig.claim()


@pytest.mark.parametrize("folder", [b"", b'no "text" \xff/'])
def test_two_drops_of_one_name_that_end_together_keep_apart(rig: Rig, folder: bytes) -> None:
    bad_drop(rig, b"one", folder)
    bad_drop(rig, b"two, which is longer", folder)
    one, two = (job.id for job in rig.serve())
    failed = rig.config.failed / os.fsdecode(folder)
    assert rig.tree(failed) == TWICE
    assert (failed / "cat.png").read_bytes() == b"one"
    assert one in (failed / "cat.png.reason.txt").read_text()
    assert two in (failed / "cat~2.png.reason.txt").read_text()


def test_a_name_that_another_job_is_about_to_have_is_not_taken_for_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first job's inputs wait, for their folder say; those of the second go before them."""
    bad_drop(rig, b"one")
    bad_drop(rig, b"two, which is longer")
    first = rig.jobs()[0].id
    finish = Archive.finish

    def not_first(archive: Archive, row: object) -> None:
        if getattr(row, "id", "") == first:
            raise PermissionError(13, "Permission denied", "failed")
        finish(archive, row)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Archive, "finish", not_first)
        rig.until(lambda: any(job.archived for job in rig.jobs()))
    rig.serve()
    assert rig.tree(rig.config.failed) == TWICE
    assert (rig.config.failed / "cat.png").read_bytes() == b"one"


def test_a_reason_that_somebody_put_there_since_the_plan_was_made_stays(rig: Rig) -> None:
    bad_drop(rig, b"no picture")
    rig.until(lambda: rig.jobs()[0].state is JobState.FAILED and not rig.jobs()[0].archived)
    foreign = rig.config.failed / REASON
    foreign.write_text("mine (not of a job, job x).\n")
    (job,) = rig.serve()
    assert foreign.read_text().startswith("mine")
    assert job.archive is not None
    assert job.archive.reason == "cat~2.png.reason.txt"
    assert job.id in rig.reason("cat~2.png")


def keeping(make_rig: RigMaker) -> Rig:
    return make_rig(
        mode="keep", settle=1, pair_wait=0, defaults=RequestKeys(prompt="a lake", seed=1)
    )


def save_bad(rig: Rig, content: bytes) -> str:
    """Save something that is no picture over a kept file and see it fail; the job's id."""
    rig.drop("cat.png", content)
    rig.look(1.1, 5)
    return rig.serve()[-1].id


def test_the_newest_reason_about_a_kept_file_replaces_the_one_before(make_rig: RigMaker) -> None:
    rig = keeping(make_rig)
    save_bad(rig, b"bad")
    newest = save_bad(rig, b"worse still")
    assert rig.tree(rig.config.failed) == [REASON]
    assert newest in rig.reason("cat.png")


def test_a_reason_about_a_kept_file_replaces_none_about_another_inboxes_picture(
    make_rig: RigMaker,
) -> None:
    rig = keeping(make_rig)
    other = InboxConfig(path=rig.root / "other", settle=0, pair_wait=0)
    other.path.mkdir()
    config = replace(rig.config, inboxes=(*rig.config.inboxes, other))
    (other.path / "cat.png").write_bytes(b"bad")
    (other.path / "cat.yaml").write_text("prompt: a lake\n")
    moving = Inbox(config, other, rig.ledger, lambda _: None, lambda _: None)
    moving.step(1000)
    moving.step(1020)
    (moved,) = rig.serve()
    for content in (b"bad of the kept one", b"still bad"):
        kept = save_bad(rig, content)
        assert rig.tree(rig.config.failed) == [
            "cat.png", REASON, "cat.yaml", "cat~2.png.reason.txt",
        ]  # fmt: skip
        assert moved.id in rig.reason("cat.png")
        assert kept in rig.reason("cat~2.png")


def test_a_list_that_was_served_in_part_replaces_no_reason(rig: Rig) -> None:
    before = Path(rig.config.failed / "all.yaml.reason.txt")
    before.write_text("Of another time.\n")
    rig.picture("cat.png")
    rig.drop("all.yaml", "prompt: a lake\nimages: [cat.png, dog.png]\n")
    rig.look(2.5, 700)
    assert before.read_text() == "Of another time.\n"
    assert "dog.png" in rig.reason("all~2.yaml")


@pytest.mark.parametrize("place", ["done", "failed"])
def test_a_file_that_has_the_name_of_a_folder_of_done_or_failed_is_gone_round(
    rig: Rig, place: str
) -> None:
    foreign = rig.root / place / "sub"
    foreign.write_bytes(b"mine")
    for name in ("cat", "dog"):
        rig.picture(f"sub/deep/{name}.png")
        rig.drop(f"sub/deep/{name}.yaml", "prompt: a lake\n" if place == "done" else "promt: x\n")
    rig.claim()
    jobs = rig.serve()
    assert foreign.read_bytes() == b"mine"
    names = [name for name in rig.tree(rig.root / place) if not name.endswith(".reason.txt")]
    assert names == ["sub", *(f"sub~2/deep/{name}" for name in
                              ("cat.png", "cat.yaml", "dog.png", "dog.yaml"))]  # fmt: skip
    folders = {job.archive.folder for job in jobs if job.archive}
    assert folders == {str(rig.root / place / "sub~2/deep")}


def test_a_file_that_takes_a_folders_name_after_the_plan_was_made_is_gone_round(rig: Rig) -> None:
    bad_drop(rig, b"no picture", b"sub/")
    rig.until(lambda: rig.jobs()[0].state is JobState.FAILED and not rig.jobs()[0].archived)
    (rig.config.failed / "sub").write_bytes(b"mine")
    rig.serve()
    assert rig.tree(rig.config.failed) == ["sub", *(f"sub~2/{name}" for name in TWICE[:3])]


def test_inputs_wait_while_a_file_has_the_name_of_failed_itself(rig: Rig) -> None:
    bad_drop(rig, b"no picture")
    rig.config.failed.rmdir()
    rig.config.failed.write_bytes(b"mine")
    rig.until(lambda: "failed: is no folder" in rig.ledger.facts().get("waits_for", ""))
    rig.config.failed.unlink()
    rig.serve()
    assert rig.tree(rig.config.failed) == TWICE[:3]


def test_the_original_of_a_shared_sidecar_goes_round_a_file_too(rig: Rig) -> None:
    (rig.config.done / "sub").write_bytes(b"mine")
    for name in ("cat.png", "dog.png"):
        rig.picture(f"sub/{name}")
    rig.drop("sub/all.yaml", "prompt: a lake\nimages: [cat.png, dog.png]\n")
    rig.claim()
    rig.serve()
    assert "sub~2/all.yaml" in rig.tree(rig.config.done)


def test_the_jobs_of_a_shared_sidecar_are_read_with_the_last_of_them(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        rig.picture(f"p{number}.png")
    rig.drop("list.yaml", "prompt: a lake\nimages: ['p*.png']\n")
    assert len(rig.claim()) == 4
    read: list[str] = []
    original = Ledger.jobs_of_bundle

    def jobs_of_bundle(ledger: Ledger, bundle: str) -> list[JobRow]:
        read.append(bundle)
        return original(ledger, bundle)

    monkeypatch.setattr(Ledger, "jobs_of_bundle", jobs_of_bundle)
    rig.serve()
    assert len(read) == 1
    assert "list.yaml" in rig.tree(rig.config.done)


@pytest.mark.parametrize("content", [None, b"no picture"])
def test_names_that_the_disk_of_done_or_failed_does_not_take_are_made_safe(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    """As FAT, exFAT and SMB refuse them."""

    def refuse(call: Callable[..., None]) -> Callable[..., None]:
        def checked(*arguments: Any) -> None:
            path = next(a for a in reversed(arguments) if isinstance(a, Path))
            if ":" in path.name and not path.is_relative_to(rig.folder):
                raise OSError(errno.EINVAL, "Invalid argument", str(path))
            call(*arguments)

        return checked

    monkeypatch.setattr(durable, "move_new", refuse(durable.move_new))
    monkeypatch.setattr(archive, "write_reason", refuse(archive.write_reason))
    rig.picture("shot 12:30.png") if content is None else rig.drop("shot 12:30.png", content)
    rig.drop("shot 12:30.yaml")
    rig.claim()
    rig.serve()
    if content is None:
        assert rig.tree(rig.config.done) == ["shot 12-30.png", "shot 12-30.yaml"]
    else:
        assert rig.tree(rig.config.failed) == [
            "shot 12-30.png", "shot 12-30.png.reason.txt", "shot 12-30.yaml",
        ]  # fmt: skip
    assert not list(rig.spool.glob("*T*"))
