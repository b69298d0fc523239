"""From files in a real folder to jobs in the ledger: the claims of a moving inbox."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from rig import Rig

from img2imgd import durable, plainfiles
from img2imgd.errors import EnvironmentFault
from img2imgd.job import JobState
from img2imgd.request import RequestKeys

RigMaker = Callable[..., Rig]
WITH_PROMPT = RequestKeys(prompt="a lake", seed=7)


@pytest.mark.parametrize("order", [("cat.png", "cat.yaml"), ("cat.yaml", "cat.png")])
def test_picture_and_sidecar_become_a_job_in_either_order(rig: Rig, order: tuple[str, str]) -> None:
    for name in order:
        rig.picture(name) if name.endswith("png") else rig.drop(name)
        rig.look()
        rig.now += 1
    rig.look(0.9)
    assert rig.jobs() == []
    rig.look(0.2)
    (job,) = rig.jobs()
    assert (job.state, job.spec.rel) == (JobState.QUEUED, "cat.png")
    assert job.spec.asked.prompt == "a lake"
    assert [entry.role for entry in job.spec.files] == ["picture", "sidecar"]
    assert rig.tree(rig.folder) == []
    inside = rig.spool / job.id
    assert sorted(os.listdir(inside / "in")) == ["cat.png", "cat.yaml"]
    assert (inside / "job.json").read_text("ascii") == job.spec.to_json()


def test_the_spool_is_for_the_daemon_alone(make_rig: RigMaker) -> None:
    rig = make_rig()
    rig.spool.rmdir()
    rig.look()
    assert stat.S_IMODE(rig.spool.stat().st_mode) & 0o077 == 0


def test_a_picture_alone_waits_for_its_sidecar_and_then_takes_the_defaults(
    make_rig: RigMaker,
) -> None:
    rig = make_rig(defaults=WITH_PROMPT)
    rig.picture("cat.png")
    rig.look(2.5, 9)
    assert rig.jobs() == []
    assert rig.waits() == {"cat.png": "waits a moment for a sidecar"}
    rig.look(1)
    assert [job.spec.asked.prompt for job in rig.jobs()] == ["a lake"]
    assert rig.waits() == {}


def test_an_orphan_goes_to_failed_with_a_reason_that_names_the_file_to_add(rig: Rig) -> None:
    rig.picture("sub/cat.png")
    rig.look(2.5, 599)
    assert "cat.yaml" in rig.waits()["sub/cat.png"]
    rig.look(3)
    rig.serve()
    assert rig.tree(rig.config.failed) == ["sub/cat.png", "sub/cat.png.reason.txt"]
    assert "cat.yaml" in rig.reason("sub/cat.png")
    assert rig.inputs() == ["cat.png"]


def test_a_broken_sidecar_fails_its_picture_with_line_and_key(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    rig.picture("cat.png")
    rig.drop("cat.yaml", "prompt: a lake\nstrenght: 0.5\n")
    rig.claim()
    rig.serve()
    assert rig.tree(rig.config.failed) == ["cat.png", "cat.png.reason.txt", "cat.yaml"]
    assert "line 2" in rig.reason("cat.png")
    assert "claimed cat.png, refused: cat.yaml: line 2" in caplog.text
    assert "strength" in rig.reason("cat.png")


def test_files_that_are_neither_picture_nor_sidecar_are_set_aside(rig: Rig) -> None:
    rig.drop("notes.docx", "x")
    rig.drop("cat.png.part", "x")
    rig.drop(".hidden.png", "x")
    (rig.folder / "link.png").symlink_to("/etc/hostname")
    os.mkfifo(rig.folder / "pipe.png")
    rig.claim()
    rig.serve()
    failed = set(os.listdir(rig.config.failed))
    assert failed == {
        f"{name}{end}" for name in ("notes.docx", "link.png", "pipe.png")
        for end in ("", ".reason.txt")
    }  # fmt: skip
    assert (rig.config.failed / "link.png").is_symlink()
    assert sorted(path.name for path in rig.folder.glob("*")) == [
        ".hidden.png", ".img2imgd", "cat.png.part",
    ]  # fmt: skip


def test_an_empty_file_is_given_up_only_after_a_long_time(rig: Rig) -> None:
    rig.drop("cat.png", b"")
    rig.drop("cat.yaml")
    rig.look(2.5, 500)
    assert rig.jobs() == []
    assert rig.waits()["cat.png"] == "is empty"
    rig.look(100)
    rig.serve()
    assert "empty" in rig.reason("cat.png")


def test_losers_by_precedence_go_along_with_the_picture(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.png.yaml", "prompt: first\n")
    rig.drop("cat.txt", "last")
    (job,) = rig.claim()
    assert job.spec.asked.prompt == "first"
    assert {entry.name: entry.role for entry in job.spec.files} == {
        "cat.png": "picture", "cat.png.yaml": "sidecar", "cat.txt": "also",
    }  # fmt: skip
    rig.serve()
    assert rig.tree(rig.config.done) == ["cat.png", "cat.png.yaml", "cat.txt"]


def test_two_pictures_with_their_own_sidecars_and_one_loser_are_claimed_at_once(rig: Rig) -> None:
    for suffix in ("png", "jpg"):
        rig.picture(f"cat.{suffix}")
        rig.drop(f"cat.{suffix}.yaml")
    rig.drop("cat.txt", "nobody's")
    rig.look(2.5)
    assert len(rig.jobs(JobState.QUEUED)) == 2
    assert rig.tree(rig.folder) == []


def test_the_original_of_a_shared_sidecar_is_done_after_the_last_job(rig: Rig) -> None:
    rig.picture("sub/cat.png")
    rig.picture("sub/cat.bmp", grey=90)
    rig.drop("sub/cat.yaml")
    rig.look(2.5)
    jobs = rig.jobs(JobState.QUEUED)
    assert [job.spec.rel for job in jobs] == ["sub/cat.bmp", "sub/cat.png"]
    assert {job.spec.asked.seed for job in jobs} == {7}
    assert rig.tree(rig.folder) == []
    rig.until(lambda: any(job.archived for job in rig.jobs()))
    rig.serve()
    assert rig.tree(rig.config.done) == ["sub/cat.bmp", "sub/cat.png", "sub/cat.yaml"]
    assert rig.tree(rig.config.failed) == []
    assert [path.name for path in rig.spool.iterdir() if path.is_dir()] == []
    assert rig.ledger.open_bundles() == []


def test_a_shared_sidecar_goes_to_failed_only_if_all_its_jobs_failed(rig: Rig) -> None:
    rig.drop("cat.png", b"no picture at all")
    rig.drop("cat.jpg", b"neither is this")
    rig.drop("cat.yaml")
    rig.drop("dog.png", b"no picture at all")
    rig.picture("dog.bmp")
    rig.drop("dog.yaml")
    rig.claim()
    rig.serve()
    assert "cat.yaml" in rig.tree(rig.config.failed)
    assert "dog.yaml" in rig.tree(rig.config.done)
    assert "dog.yaml" not in rig.tree(rig.config.failed)


def test_a_list_reports_the_pictures_that_never_came(rig: Rig) -> None:
    rig.picture("a.png")
    rig.drop("set.yaml", "prompt: a lake\nimages: [a.png, b.png]\n")
    rig.look(2.5, 500)
    assert "b.png" in rig.waits()["set.yaml"]
    assert rig.jobs() == []
    rig.look(101)
    rig.serve()
    assert rig.tree(rig.config.done) == ["a.png", "set.yaml"]
    assert "b.png" in rig.reason("set.yaml")


def test_a_list_makes_a_job_of_each_picture_and_keeps_its_keys(rig: Rig) -> None:
    for name in ("a.png", "b.png", "c.png"):
        rig.picture(name)
    rig.drop("set.yaml", 'prompt: a lake\nimages: ["[ab].png"]\nseed: 3\n')
    rig.drop("c.yaml", "prompt: its own\n")
    rig.look(2.5, 10)
    prompts = {job.spec.rel: job.spec.asked.prompt for job in rig.jobs()}
    assert prompts == {"a.png": "a lake", "b.png": "a lake", "c.png": "its own"}
    rig.serve()
    assert rig.tree(rig.config.done) == ["a.png", "b.png", "c.png", "c.yaml", "set.yaml"]


@pytest.mark.parametrize("stem", ["x" * 248, "n" * 251, "ü" * 125])
def test_a_picture_whose_name_leaves_no_room_for_its_own_sidecar_shares_one(
    rig: Rig, stem: str
) -> None:
    rig.picture(f"{stem}.png")
    rig.picture("cat.png", grey=90)
    rig.drop("list.yaml", 'prompt: a lake\nimages: ["*.png"]\n')
    rig.look(2.5, 11)
    rig.serve()
    assert rig.tree(rig.config.done) == sorted(["cat.png", f"{stem}.png", "list.yaml"])
    assert len(rig.outputs()) == 2


def test_own_sidecars_of_long_names_pair_with_their_pictures(rig: Rig) -> None:
    stem = "x" * 248
    rig.picture(f"{stem}.png")
    rig.picture(f"{stem}.bmp")
    rig.drop(f"{stem}.yaml")
    rig.look(2.5)
    assert [[entry.name for entry in job.spec.files] for job in rig.jobs()] == [
        [f"{stem}.bmp", f"{stem}.yaml"],
        [f"{stem}.png", f"{stem}.yaml"],
    ]


@pytest.mark.parametrize("call", ["move_new", "rename_new", "fsync_path", "write_file"])
def test_a_fault_of_the_disk_in_a_claim_is_repaired_and_the_drop_served(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    rig.picture("cat.png")
    rig.picture("cat.bmp")
    rig.drop("cat.yaml")
    original = getattr(durable, call)
    left = [2 if call == "fsync_path" else 1]

    def fail(*arguments: Path) -> None:
        left[0] -= 1
        if left[0] == 0:
            monkeypatch.setattr(durable, call, original)
            raise OSError(28, "No space left on device")
        original(*arguments)

    rig.look()
    monkeypatch.setattr(durable, call, fail)
    rig.look(2.5)
    assert "No space" in " ".join(rig.waits().values())
    rig.look(1, 3)
    rig.serve()
    assert rig.tree(rig.config.done) == ["cat.bmp", "cat.png", "cat.yaml"]
    assert rig.tree(rig.config.failed) == []
    assert len(rig.outputs()) == 2


def test_names_that_are_no_utf8_are_served_like_any_other(rig: Rig) -> None:
    rig.picture(b"\xff.png")
    rig.drop(b"\xff.yaml")
    rig.picture(b"\xfe/lone\xfe.png")
    rig.picture("good.png")
    rig.drop("good.yaml")
    rig.look(2.5)
    assert {job.spec.rel for job in rig.jobs()} == {os.fsdecode(b"\xff.png"), "good.png"}
    assert os.fsdecode(b"\xfe/lone\xfe.png") in rig.waits()
    rig.look(600)
    rig.serve()
    assert os.fsdecode(b"\xff.png") in os.listdir(rig.config.done)
    assert len(rig.outputs()) == 2


def test_a_shared_sidecar_in_a_folder_that_is_no_utf8(make_rig: RigMaker) -> None:
    rig = make_rig(defaults=WITH_PROMPT)
    for name in (b"\xff/\xfe.png", b"\xff/\xfe.bmp"):
        rig.picture(name)
    rig.drop(b"\xff/\xfe.yaml")
    rig.claim()
    rig.serve()
    assert [job.state for job in rig.jobs()] == [JobState.DONE, JobState.DONE]
    assert len(list((rig.config.done / os.fsdecode(b"\xff")).iterdir())) == 3


def test_an_inbox_that_is_gone_is_unavailable_not_empty(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.look()
    aside = rig.folder.rename(rig.root / "aside")
    with pytest.raises(EnvironmentFault, match="not there"):
        rig.look(2.5)
    aside.rename(rig.folder)
    rig.drop("cat.yaml")
    rig.look(0.1, 2.5)
    assert len(rig.jobs()) == 1


def test_a_sidecar_that_cannot_be_read_stops_no_other(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bad", "good"):
        rig.picture(f"{name}.png")
        rig.drop(f"{name}.yaml")
    original = plainfiles.read_regular

    def fail(path: Path, most: int) -> bytes:
        if path.name == "bad.yaml":
            raise OSError(5, "Input/output error")
        return original(path, most)

    monkeypatch.setattr(plainfiles, "read_regular", fail)
    rig.look(2.5)
    assert [job.spec.rel for job in rig.jobs()] == ["good.png"]
    assert rig.tree(rig.folder) == ["bad.png", "bad.yaml"]


def test_once_serves_what_was_there_without_waiting_and_nothing_that_comes_later(
    make_rig: RigMaker,
) -> None:
    rig = make_rig(defaults=WITH_PROMPT)
    rig.inbox = rig.new_inbox(drain=True)
    rig.picture("cat.png")
    rig.look()
    assert not rig.inbox.drained
    rig.picture("late.png")
    rig.look(2.5)
    assert rig.inbox.drained
    assert [job.spec.rel for job in rig.jobs()] == ["cat.png"]
    assert rig.tree(rig.folder) == ["late.png"]


def test_embedded_parameters_are_used_where_the_inbox_says_so(make_rig: RigMaker) -> None:
    from PIL import Image, PngImagePlugin

    rig = make_rig(read_metadata=True)
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "a castle\nSteps: 3, Sampler: Euler, CFG scale: 5, Seed: 11")
    Image.new("RGB", (16, 16)).save(rig.folder / "old.png", pnginfo=text)
    rig.picture("plain.png")
    rig.claim()
    (job,) = rig.jobs()
    assert (job.spec.rel, job.spec.asked.prompt, job.spec.asked.seed) == ("old.png", "a castle", 11)
    assert "no prompt" in rig.waits()["plain.png"]
