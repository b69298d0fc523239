"""The ledger follows folders that have moved, in every table that holds a path."""

from __future__ import annotations

import os
from pathlib import Path

from recorded import ODD, add

from img2imgd.job import JobState
from img2imgd.ledger import ArchivePlan, BundleFile, BundleRow, FileEntry, JobSpec, Ledger, Moves

MOVED = Moves(
    inboxes={"/in": "/new/in"}, spools={"s1": "/new/in"}, others={"/done": "/new/done"}
)  # fmt: skip


def _job(ledger: Ledger, job: str) -> JobSpec:
    row = ledger.job(job)
    assert row is not None
    return row.spec


def test_jobs_and_their_files_are_told_from_the_new_folders(ledger: Ledger) -> None:
    late = FileEntry("picture", "cat.png", "/done/cat.png", "copy", 1, 5, 6)
    near = FileEntry("also", "cat.txt", "/inner/cat.txt", "move", 1, 5, 6)
    add(ledger, rel=ODD, spool="s1")
    add(ledger, job="J2", spool="s1", files=(late, near))
    ledger.rebase(MOVED)
    assert _job(ledger, "J1").inbox == "/new/in"
    assert _job(ledger, "J1").subject.source == f"/new/in/{ODD}"
    assert [entry.source for entry in _job(ledger, "J2").files] == [
        "/new/done/cat.png", "/inner/cat.txt",
    ]  # fmt: skip
    assert [row.id for row in ledger.queued_for("/new/in", ODD, "s1")] == ["J1"]
    assert _job(ledger, "J1").request == _job(ledger, "J2").request


def test_jobs_of_another_spool_that_had_the_same_path_stay(ledger: Ledger) -> None:
    add(ledger, spool="s2", bundle="B2")
    ledger.add_bundle(BundleRow("B2", "/in", "cat.yaml", "cat.yaml", 1))
    add(ledger, job="J2", spool="s1", bundle="B1")
    ledger.add_bundle(BundleRow("B1", "/in", "cat.yaml", "cat.yaml", 1))
    ledger.rebase(MOVED)
    assert [_job(ledger, job).inbox for job in ("J1", "J2")] == ["/in", "/new/in"]
    assert {row.id: row.inbox for row in ledger.open_bundles()} == {"B1": "/new/in", "B2": "/in"}


def test_where_shared_files_went_is_told_from_the_new_folders(ledger: Ledger) -> None:
    ledger.add_bundle(BundleRow("B1", "/in", "cat.yaml", "cat.yaml", 1))
    ledger.place_bundle("B1", [BundleFile("cat.yaml", Path(f"/done/{ODD}"), 7, 1)])
    ledger.rebase(Moves(others={"/done": "/new/done"}))
    assert [file.path for file in ledger.bundle_files("B1")] == [Path(f"/new/done/{ODD}")]


def test_a_shared_sidecar_whose_jobs_are_forgotten_moves_with_its_inbox(ledger: Ledger) -> None:
    ledger.add_bundle(BundleRow("B1", "/in", "cat.yaml", "cat.yaml", 1))
    ledger.add_bundle(BundleRow("B2", "/other", "cat.yaml", "cat.yaml", 1))
    ledger.rebase(MOVED)
    assert [row.inbox for row in ledger.open_bundles()] == ["/new/in", "/other"]


def test_plans_and_archived_places_are_told_from_the_new_folders(ledger: Ledger) -> None:
    plan = ArchivePlan("done", "/done/sub", {"cat.png": "cat.png"}, "")
    for job in ("J1", "J2"):
        add(ledger, job=job, spool="s1")
        ledger.set_archive(job, plan, JobState.DONE, "")
    ledger.set_archived("J1")
    ledger.note_archived(1.0)
    ledger.rebase(MOVED)
    assert [row.id for row in ledger.placing("/new/done/sub")] == ["J2"]
    (placed,) = ledger.read("SELECT path FROM placed")
    assert os.fsdecode(placed["path"]) == "/new/done/sub/cat.png"


def test_what_was_reserved_is_so_in_the_new_folders(ledger: Ledger) -> None:
    ledger.reserve("/out", "a.png", "J1")
    ledger.set_waiting("/in", {"cat.png": "is being written"})
    ledger.set_facts(**{"mount /out": "/", "unavailable /in": "away", "mount /done": "/"})
    ledger.rebase(Moves({"/in": "/new/in"}, {"s1": "/new/in"}, {"/out": "/new/out"}))
    assert not ledger.reserve("/new/out", "a.png", "J2")
    assert ledger.waiting() == []
    assert ledger.facts() == {"mount /done": "/"}


def test_the_place_of_a_spool_is_noted_once(ledger: Ledger) -> None:
    for inbox in ("/a", "/b"):
        ledger.note_place("s1", inbox)
    assert ledger.facts()["spool s1"] == "/a"


def test_two_inboxes_may_have_changed_places(ledger: Ledger) -> None:
    add(ledger, inbox="/a", spool="s1")
    add(ledger, job="J2", inbox="/b", spool="s2")
    ledger.rebase(Moves({"/a": "/b", "/b": "/a"}, {"s1": "/b", "s2": "/a"}))
    assert [_job(ledger, job).inbox for job in ("J1", "J2")] == ["/b", "/a"]
