"""Cuts at single instructions of claim, publishing and recovery that a review found."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from rig import Crash, Rig

from img2imgd import durable
from img2imgd.dispatch import Dispatch
from img2imgd.dispatch.archive import Archive
from img2imgd.errors import EnvironmentFault
from img2imgd.inbox import recover
from img2imgd.job import JobState
from img2imgd.request import RequestKeys

RigMaker = Callable[..., Rig]
SEVERAL = "prompt: a lake\nseed: 7\nn: 2\nsteps: 2\nstrength: 1\nsheet: false\n"


def _drop_shared(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.picture("cat.bmp", grey=9)
    rig.drop("cat.yaml")


def test_a_file_published_by_link_and_unlink_is_published_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    rig.claim()
    original = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if rig.config.outbox in path.parents and path.suffix == ".png" and path.name[0] != ".":
            raise Crash
        original(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "rename_new", durable._rename_new_without_flag)
        patch.setattr(Path, "unlink", unlink)
        with pytest.raises(Crash):
            rig.serve()
    rig.crash()
    rig.serve()
    assert len(rig.outputs()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_a_folder_carried_to_another_disk_is_whole_wherever_the_removal_is_cut(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = rig.config.outbox / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)
    try:
        rig.picture("disk/cat.png")
        rig.drop("disk/cat.yaml", SEVERAL)
        rig.claim()
        original, removed = os.unlink, list[str]()

        def unlink(path: str, *, dir_fd: int | None = None) -> None:
            if dir_fd is not None and str(path).endswith(".png"):
                removed.append(path)
                if len(removed) == 2:
                    raise Crash
            original(path, dir_fd=dir_fd)

        with monkeypatch.context() as patch:
            patch.setattr(os, "unlink", unlink)
            with pytest.raises(Crash):
                rig.serve()
        rig.crash()
        rig.serve()
        assert len(rig.outputs()) == 2
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.parametrize("taken", [False, True], ids=["before-the-sidecar", "after-the-sidecar"])
def test_an_inbox_that_goes_away_in_a_shared_claim_is_served_once_when_it_is_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    _drop_shared(rig)
    rig.look()
    away = rig.root / "away"
    original = durable.move_new

    def move_new(source: Path, target: Path) -> None:
        if taken:
            original(source, target)
        rig.folder.rename(away)
        if not taken:
            original(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "move_new", move_new)
        with pytest.raises((EnvironmentFault, OSError)):
            rig.look(2.5)
    assert {job.state for job in rig.jobs()} == {JobState.CLAIMING}, "they wait for their spool"
    rig.folder.mkdir()
    rig.spool.mkdir()
    rig.inbox.was_replaced()
    rig.look()
    assert {job.state for job in rig.jobs()} == {JobState.CLAIMING}, "another folder is no proof"
    for path in (*rig.spool.iterdir(), rig.spool, rig.folder):
        path.unlink() if path.is_file() else path.rmdir()
    away.rename(rig.folder)
    rig.crash()
    rig.look(2.5, 11)
    rig.serve()
    rig.look(11, 11)
    rig.serve()
    assert len(rig.outputs()) == 2
    assert rig.tree(rig.config.done) == ["cat.bmp", "cat.png", "cat.yaml"]


def test_kept_files_count_as_served_after_a_lost_ledger_though_the_first_scans_are_cut(
    make_rig: RigMaker,
) -> None:
    rig = make_rig(
        mode="keep", settle=1, pair_wait=0, defaults=RequestKeys(prompt="a lake", seed=1)
    )
    rig.picture("cat.png")
    rig.look(1.1, 5)
    rig.serve()
    rig.lose_ledger()
    rig.look()
    rig.crash()
    rig.look(1.1, 5)
    assert rig.jobs() == []
    rig.picture("cat.png", grey=50)
    rig.look(0.1, 1.1)
    assert len(rig.jobs()) == 1


def test_a_sidecar_that_comes_after_the_ledger_was_lost_is_served(make_rig: RigMaker) -> None:
    rig = make_rig(mode="keep", settle=1, pair_wait=0)
    rig.picture("cat.png")
    rig.look(1.1)
    rig.lose_ledger()
    rig.look(1.1)
    rig.drop("cat.yaml")
    rig.look(0.1, 1.1)
    assert len(rig.jobs()) == 1


def test_a_shared_sidecar_is_not_stranded_by_a_dispatcher_that_is_quicker(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    _drop_shared(rig)
    rig.claim()
    end_bundle = Archive._end_bundle

    def cut(archive: Archive, bundle: str, last: object) -> None:
        if sum(job.archived for job in rig.jobs()) == 1:
            raise Crash
        end_bundle(archive, bundle, last)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Archive, "_end_bundle", cut)
        with pytest.raises(Crash):
            rig.serve()
    rig.lose_ledger()
    adopt = recover._adopt_bundle

    def late(*arguments: object) -> None:
        other = rig.open()
        other.sql.execute("PRAGMA busy_timeout=50")
        Dispatch(rig.config, other, rig.pool, rig.reader).step(0.01)
        adopt(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(recover, "_adopt_bundle", late)
        rig.look(2.5, 11)
    rig.serve()
    assert not list(rig.spool.glob("*-sidecar"))
    assert rig.tree(rig.config.done) == ["cat.bmp", "cat.png", "cat.yaml"]


def test_a_claim_that_is_undone_in_two_goes_pairs_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml", "prompt: old\nseed: 1\n")
    rig.look()
    with monkeypatch.context() as patch:
        patch.setattr(durable, "fsync_path", _crash)
        with pytest.raises(Crash):
            rig.look(2.5)
    rig.crash()
    (taken,) = rig.spool.glob("*/in/cat.png")
    os.utime(taken, (5, 5))  # somebody still had it open
    rig.picture("cat.png", grey=10)  # and somebody dropped another
    original, moved = durable.move_new, list[str]()

    def move_new(source: Path, target: Path) -> None:
        moved.append(target.name)
        if len(moved) == 2:
            raise Crash
        original(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "move_new", move_new)
        with pytest.raises(Crash):
            rig.look()
    rig.crash()
    rig.look()
    assert rig.tree(rig.folder) == ["cat.png", "cat~2.png", "cat~2.yaml"]


def _crash(path: Path) -> None:
    if path.name == "in":
        raise Crash


def test_folders_in_the_spool_that_are_none_of_ours_are_left_alone(rig: Rig) -> None:
    folder = rig.spool / "my own"
    folder.mkdir()
    (folder / "x.png").write_bytes(b"mine")
    rig.look()
    assert (folder / "x.png").exists()
