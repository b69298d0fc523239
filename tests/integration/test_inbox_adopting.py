"""Spool folders that the ledger does not know: whoever writes into the inbox may have made them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rig import Rig

from img2imgd.inbox import recover
from img2imgd.job import JobState
from img2imgd.ledger.marker import spool_id
from img2imgd.outputs.staging import Staging

Alter = Callable[[dict[str, Any]], object]


def claimed(rig: Rig) -> Path:
    """The spool folder of a job whose ledger is lost."""
    rig.picture("sub/cat.png")
    rig.drop("sub/cat.yaml")
    (job,) = rig.claim()
    rig.lose_ledger()
    return rig.spool / job.id


def alter(path: Path, change: Alter) -> None:
    plain = json.loads(path.read_text())
    change(plain)
    path.write_text(json.dumps(plain))


def sources_in(folder: Path) -> Alter:
    def change(job: dict[str, Any]) -> None:
        for entry in job["files"]:
            entry["source"] = str(folder / entry["name"])
            entry["mtime_ns"] += 1  # so the claim is undone: its files go back where they were

    return change


@pytest.mark.parametrize("elsewhere", ["{0}/outside", "{0}/root/inbox/../../outside", "../outside"])
def test_files_go_back_into_the_inbox_whatever_a_job_says_of_their_source(
    rig: Rig, elsewhere: str
) -> None:
    outside = rig.root.parent / "outside"
    outside.mkdir()
    folder = claimed(rig)
    alter(folder / "job.json", sources_in(Path(elsewhere.format(rig.root.parent))))
    rig.new_inbox().recover()
    assert rig.tree(rig.folder) == ["sub/cat.png", "sub/cat.yaml"]
    assert not any(outside.iterdir())
    assert rig.jobs() == []


def test_a_job_of_an_inbox_that_has_moved_is_one_of_this_inbox(rig: Rig) -> None:
    folder = claimed(rig)

    def as_before(job: dict[str, Any]) -> None:
        job["inbox"], job["spool"] = "/old/inbox", "0123"
        sources_in(Path("/old/inbox/sub"))(job)
        for entry in job["files"]:
            entry["mtime_ns"] -= 1

    alter(folder / "job.json", as_before)
    rig.look()
    (job,) = rig.jobs()
    assert (job.spec.inbox, job.state) == (str(rig.folder), JobState.QUEUED)
    assert job.spec.subject.source == str(rig.folder / "sub/cat.png")
    assert [row.state for row in rig.serve()] == [JobState.DONE]


@pytest.mark.parametrize(
    "change",
    [
        lambda job: job.update(id="../../../outside"),
        lambda job: job.update(rel="../../outside/cat.png"),
        lambda job: job.update(rel="/outside/cat.png"),
        lambda job: job.update(rel=7),
        lambda job: job.update(bundle="../.."),
        lambda job: job.update(files=[]),
        lambda job: job["files"][0].update(name="../../../job.json"),
        lambda job: job["files"][0].update(size="large"),
        lambda job: job["outputs"].update(name="../../outside"),
        lambda job: job["outputs"].update(folder="/outside"),
        lambda job: job["outputs"].update(frames=["a.png", "b.png"]),
        lambda job: job.update(request=None),
        lambda job: job.update(outputs=[]),
    ],
)
def test_a_job_that_names_what_it_must_not_is_none_and_its_files_wait_again(
    rig: Rig, change: Alter
) -> None:
    folder = claimed(rig)
    alter(folder / "job.json", change)
    rig.new_inbox().recover()
    assert rig.tree(rig.folder) == ["cat.png", "cat.yaml"]
    assert rig.jobs() == []
    assert not folder.exists()


def test_a_job_file_that_is_no_plain_file_is_not_read(rig: Rig) -> None:
    folder = claimed(rig)
    (folder / "job.json").unlink()
    os.mkfifo(folder / "job.json")
    rig.new_inbox().recover()
    assert rig.tree(rig.folder) == ["cat.png", "cat.yaml"]


def test_an_end_that_names_folders_elsewhere_is_archived_in_done(rig: Rig) -> None:
    folder = claimed(rig)
    outside = rig.root.parent / "outside"
    plan = {"kind": "done", "folder": str(outside), "names": {"cat.png": "a.png"}, "reason": ""}
    ended = {"state": "done", "reason": "", "published": "../x.png", "archive": plan}
    (folder / "ended.json").write_text(json.dumps(ended))
    rig.new_inbox().recover()
    rig.serve()
    assert rig.tree(rig.config.done) == ["sub/a.png"]
    assert not outside.exists()
    assert rig.jobs()[0].published == ""


@pytest.mark.parametrize(
    "change",
    [
        lambda ended: ended.update(state="queued"),
        lambda ended: ended.update(published=3),
        lambda ended: ended["archive"].update(names={"cat.png": "../../outside.png"}),
        lambda ended: ended["archive"].update(names={"../job.json": "job.json"}),
        lambda ended: ended["archive"].update(reason="../../outside.txt"),
    ],
)
def test_an_end_that_names_what_it_must_not_is_none(rig: Rig, change: Alter) -> None:
    folder = claimed(rig)
    plan = {"kind": "done", "folder": "/", "names": {"cat.png": "cat.png"}, "reason": ""}
    ended = {"state": "done", "reason": "", "published": "", "archive": plan}
    (folder / "ended.json").write_text(json.dumps(ended))
    alter(folder / "ended.json", change)
    rig.look()
    assert [row.state for row in rig.jobs()] == [JobState.QUEUED]


def test_a_link_that_looks_like_a_job_is_left_alone(rig: Rig) -> None:
    private = rig.root.parent / "private"
    (private / "in").mkdir(parents=True)
    (private / "in" / "key").write_text("secret")
    rig.new_inbox().recover()
    (rig.spool / "20261126T010203-0123abcd").symlink_to(private)
    folder = rig.spool / "20261126T010203-0123abce"
    folder.mkdir()
    (folder / "in").symlink_to(private / "in")
    rig.lose_ledger()
    rig.new_inbox().recover()
    assert (private / "in" / "key").read_text() == "secret"
    assert rig.tree(rig.folder) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to another user")
@pytest.mark.parametrize("name", ["", "-sidecar"])
def test_a_folder_of_another_user_is_no_job(rig: Rig, name: str) -> None:
    folder = claimed(rig)
    if name:
        for file in (folder / "in").iterdir():
            file.rename(folder / file.name)
        folder = folder.rename(folder.with_name(folder.name + name))
    os.chown(folder, 12345, 12345)
    rig.new_inbox().recover()
    assert {"cat.png", "cat.yaml"} <= set(rig.tree(rig.folder))
    assert rig.jobs() == []
    assert not folder.exists()


def test_where_a_spool_was_stays_noted_until_the_next_start_follows_it(rig: Rig) -> None:
    rig.inbox.recover()
    place = f"spool {spool_id(rig.spool)}"
    assert rig.ledger.facts()[place] == str(rig.folder)
    rig.ledger.set_facts(**{place: "/before"})
    rig.inbox.was_replaced()  # an inbox that was moved here while the daemon ran
    rig.inbox.recover()
    assert rig.ledger.facts()[place] == "/before"


def test_folders_of_jobs_that_end_while_the_spool_is_looked_through_are_passed_over(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.picture("cat.png")
    rig.picture("cat.bmp")
    rig.drop("cat.yaml")
    rig.claim()
    original = recover._adopt_folders

    def serve_first(*arguments: Any) -> None:
        rig.serve()
        original(*arguments)

    monkeypatch.setattr(recover, "_adopt_folders", serve_first)
    rig.new_inbox().recover()
    assert list(rig.spool.glob("*T*")) == []
    assert rig.tree(rig.config.done) == ["cat.bmp", "cat.png", "cat.yaml"]
    assert len(rig.outputs()) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_the_ledger_knows_is_served_though_another_user_owns_it_now(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.picture("cat.bmp")
    rig.drop("cat.yaml")
    rig.claim()
    for path in rig.spool.rglob("*"):
        os.chown(path, 1000, 1000)
    rig.new_inbox().recover()
    assert rig.tree(rig.folder) == []
    rig.serve()
    assert rig.tree(rig.config.done) == ["cat.bmp", "cat.png", "cat.yaml"]


def test_what_has_been_painted_is_not_claimed_again_after_a_copy_without_its_times(
    rig: Rig,
) -> None:
    folder = claimed(rig)
    Staging(rig.config.outbox, folder.name).prepare("cat", as_folder=True)
    os.utime(folder / "in" / "cat.png", ns=(1, 1))
    rig.new_inbox().recover()
    assert rig.tree(rig.folder) == []
    assert [job.state for job in rig.jobs()] == [JobState.QUEUED]
