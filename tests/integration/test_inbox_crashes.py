"""A crash before any step of a claim: every input is whole in one place and served once."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from crashing import crash_at
from rig import Crash, Rig

from img2imgd import durable
from img2imgd.inbox import claim
from img2imgd.job import JobState
from img2imgd.settle import Signature

RigMaker = Callable[..., Rig]


def drop_pair(rig: Rig) -> list[str]:
    rig.picture("sub/cat.png")
    rig.drop("sub/cat.yaml")
    return ["cat.png", "cat.yaml"]


def drop_shared(rig: Rig) -> list[str]:
    rig.picture("sub/cat.png")
    rig.picture("sub/cat.bmp", grey=9)
    rig.drop("sub/cat.yaml")
    return ["cat.bmp", "cat.png", "cat.yaml"]


def drop_with_loser(rig: Rig) -> list[str]:
    drop_pair(rig)
    rig.drop("sub/cat.txt", "loser")
    return ["cat.png", "cat.txt", "cat.yaml"]


def inputs_of(rig: Rig) -> list[str]:
    """All inputs, but for the keys that each job of a shared sidecar has as a file of its own."""
    return [name for name in rig.inputs() if not name.endswith((".png.yaml", ".bmp.yaml"))]


@pytest.mark.parametrize("drop", [drop_pair, drop_shared, drop_with_loser])
@pytest.mark.parametrize("again", [False, True], ids=["once", "in-recovery-too"])
def test_a_crash_anywhere_in_a_claim_loses_nothing_and_doubles_nothing(
    make_rig: RigMaker,
    monkeypatch: pytest.MonkeyPatch,
    drop: Callable[[Rig], list[str]],
    again: bool,
) -> None:
    monkeypatch.setattr(claim, "AT_ONCE", 1)
    at = 0
    crashed = True
    while crashed:
        at += 3 if again else 1
        rig = make_rig(root=f"crash {at}")
        names = drop(rig)
        rig.look()
        crashed = False
        with crash_at(at) as countdown:
            try:
                rig.look(2.5)
            except Crash:
                crashed = True
        where = f"{at}: before {countdown.last}"
        rig.crash()
        if again:
            with crash_at(2 + at % 4):
                try:
                    rig.look()
                except Crash:
                    rig.crash()
        rig.look()
        assert inputs_of(rig) == names, where
        rig.look(2.5, 11)
        jobs = rig.jobs()
        pictures = [f"sub/{name}" for name in names if not name.endswith((".yaml", ".txt"))]
        assert sorted(job.spec.rel for job in jobs) == pictures, where
        assert {job.state for job in jobs} == {JobState.QUEUED}, where
        assert {job.spec.asked.prompt for job in jobs} == {"a lake"}, where
        assert rig.tree(rig.folder) == [], where
        assert inputs_of(rig) == names, where
        reserved = {row["job"] for row in rig.ledger.read("SELECT job FROM reserved")}
        assert reserved == {job.id for job in jobs}, where
        rig.close()
    assert at > 10, "the claim has more steps than that: were they counted?"


@pytest.mark.parametrize("held_open", [False, True], ids=["rewritten", "held open"])
def test_a_shared_sidecar_that_is_written_anew_after_a_crash_stays_in_the_inbox(
    make_rig: RigMaker, held_open: bool
) -> None:
    """Its inode is the one that was claimed; its jobs have the keys that they were claimed with."""
    left_behind = 0
    for at in itertools.count(1):
        rig = make_rig(root=f"crash {at}")
        drop_shared(rig)
        rig.look()
        try:
            with crash_at(at):
                rig.look(2.5)
        except Crash:
            rig.crash()
        else:
            break
        taken = {path.name for path in rig.spool.glob("*/in/*")}
        sidecar = rig.folder / "sub/cat.yaml"
        if {"cat.png", "cat.bmp"} <= taken and sidecar.exists():
            with sidecar.open("r+b") as file:
                if not held_open:
                    file.write(b"prompt: a wood\n")
                    file.truncate()
                    os.utime(sidecar, ns=(1, 1))  # whenever that was
                rig.look()
                assert sidecar.exists(), at
            if rig.jobs():  # the claim was complete but for this
                left_behind += 1
                assert {row.state for row in rig.serve()} == {JobState.DONE}
                assert rig.tree(rig.folder) == ["sub/cat.yaml"], "it waits for pictures of its own"
        rig.close()
    assert left_behind


def test_a_crash_anywhere_in_a_claim_of_a_keeping_inbox_leaves_the_original_alone(
    make_rig: RigMaker,
) -> None:
    at = 0
    crashed = True
    while crashed:
        at += 1
        rig = make_rig(root=f"crash {at}", mode="keep")
        before = Signature.of(rig.picture("cat.png").lstat())
        rig.drop("cat.yaml")
        rig.look()
        crashed = False
        with crash_at(at) as countdown:
            try:
                rig.look(2.5)
            except Crash:
                crashed = True
        rig.crash()
        rig.claim()
        assert Signature.of((rig.folder / "cat.png").lstat()) == before, countdown.last
        assert [job.state for job in rig.jobs()] == [JobState.QUEUED], countdown.last
        rig.close()
    assert at > 6


def test_a_move_cut_between_link_and_unlink_is_finished(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "_FLAG_UNKNOWN", frozenset(range(200)))

    def renameat2(*_: object) -> int:
        return 1  # as NFS answers

    monkeypatch.setattr(durable._libc, "renameat2", renameat2)
    original = Path.unlink

    def crash(path: Path, missing_ok: bool = False) -> None:
        if path.parent == rig.folder:
            raise Crash
        original(path, missing_ok=missing_ok)

    drop_pair(rig)
    for name in ("cat.png", "cat.yaml"):
        (rig.folder / "sub" / name).rename(rig.folder / name)
    rig.look()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", crash)
        with pytest.raises(Crash):
            rig.look(2.5)
    assert rig.inputs() == ["cat.png", "cat.png", "cat.yaml"]
    rig.crash()
    rig.look()
    assert rig.inputs() == ["cat.png", "cat.yaml"]
    rig.claim()
    assert [job.state for job in rig.jobs()] == [JobState.QUEUED]
    assert rig.tree(rig.folder) == []


def test_no_job_is_served_before_its_shared_sidecar_has_left_the_inbox(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_new = durable.move_new

    def fail(source: Path, target: Path) -> None:
        if source.parent == rig.folder / "sub":
            raise OSError(errno.EIO, "Input/output error", str(source))
        move_new(source, target)

    names = drop_shared(rig)
    rig.look()
    with monkeypatch.context() as patch:
        patch.setattr(durable, "move_new", fail)
        rig.look(2.5)
        rig.picture("other.png")
        rig.drop("other.yaml")
        rig.look(1, 2.5, 700)
        states = {job.spec.rel: job.state for job in rig.jobs()}
        assert states.pop("other.png") is JobState.QUEUED, "it stops no others"
        assert set(states.values()) == {JobState.CLAIMING}
        assert "cannot be repaired: Input/output error" in rig.waits()["sub/cat.yaml"]
    rig.look(1)
    assert rig.waits() == {}
    rig.serve()
    rig.look(2.5, 11)
    assert len(rig.jobs()) == len(rig.outputs()) == 3
    assert inputs_of(rig) == sorted([*names, "other.png", "other.yaml"])


def test_a_lost_ledger_is_rebuilt_from_the_spool(rig: Rig) -> None:
    drop_shared(rig)
    rig.picture("dog.png")
    rig.drop("dog.yaml")
    before = {job.id: job.spec for job in rig.claim()}
    rig.lose_ledger()
    rig.look()
    assert {job.id: job.spec for job in rig.jobs()} == before
    assert {job.state for job in rig.jobs()} == {JobState.QUEUED}
    rig.claim()
    rig.serve()
    assert rig.tree(rig.config.done) == [
        "dog.png", "dog.yaml", "sub/cat.bmp", "sub/cat.png", "sub/cat.yaml",
    ]  # fmt: skip
    assert len(rig.outputs()) == 3
    assert rig.tree(rig.folder) == []


def test_names_of_a_rebuilt_ledger_are_not_given_to_others(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    rig.claim()
    rig.lose_ledger()
    rig.look()
    rig.picture("cat.png", grey=20)
    rig.drop("cat.yaml")
    rig.claim()
    names = [job.spec.reserved.name for job in rig.jobs()]
    assert len(set(names)) == 2


def test_a_spool_folder_with_an_unreadable_job_file_gives_its_inputs_back(rig: Rig) -> None:
    folder = rig.spool / "20200101T000000-00000000"
    (folder / "in").mkdir(parents=True)
    (folder / "job.json").write_text("{")
    (folder / "in" / "cat.png").write_bytes(b"x")
    rig.look()
    assert rig.tree(rig.folder) == ["cat.png"]
    assert not folder.exists()


def test_an_environment_error_is_told_from_a_file_that_was_taken_away(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_pair(rig)
    rig.look()

    def gone(source: Path, target: Path) -> None:
        source.unlink()
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(source))

    with monkeypatch.context() as patch:
        patch.setattr(durable, "rename_new", gone)
        rig.look(2.5)
    rig.look(0.1)
    assert rig.jobs() == []
    assert rig.tree(rig.folder) == ["sub/cat.yaml"]
