"""Inbox subfolders, outbox subfolders, done and failed on filesystems of their own (tmpfs)."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from crashing import crash_at
from rig import Crash, Rig

from img2imgd import durable
from img2imgd.job import JobState
from img2imgd.pool.supervision import WorkerPool

RigMaker = Callable[..., Rig]
SEVERAL = "prompt: a lake\nseed: 7\nn: 2\nsteps: 2\nstrength: 1\nsheet: false\n"


@pytest.fixture(scope="module")
def shared() -> Iterator[WorkerPool]:
    """One worker for all the crashes."""
    pool = WorkerPool("fake")
    yield pool
    pool.stop(5)


@pytest.fixture
def mount() -> Iterator[Callable[[Path], None]]:
    """Mounts a tmpfs of its own at a folder, which is made."""
    with ExitStack() as stack:

        def at(path: Path) -> None:
            path.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", path], check=True)
            stack.callback(subprocess.run, ["umount", "--lazy", path], check=True)

        yield at


def _drop(rig: Rig) -> list[str]:
    rig.picture("disk/cat.png")
    rig.drop("disk/cat.yaml", SEVERAL)
    rig.picture("disk/dog.png", grey=90)
    rig.drop("disk/dog.yaml")
    rig.drop("disk/broken.png", b"no picture")
    rig.drop("disk/broken.yaml")
    return rig.inputs()


def _assert_served(rig: Rig, dropped: list[str], where: str = "") -> None:
    assert rig.outputs() == [
        "disk/cat_a-lake_7/cat_a-lake_00_7.png",
        "disk/cat_a-lake_7/cat_a-lake_01_8.png",
        "disk/dog_a-lake_00_7.png",
    ], where
    assert rig.inputs() == dropped, where
    assert rig.tree(rig.config.done) == [
        "disk/cat.png", "disk/cat.yaml", "disk/dog.png", "disk/dog.yaml",
    ], where  # fmt: skip
    assert rig.tree(rig.config.failed) == [
        "disk/broken.png", "disk/broken.png.reason.txt", "disk/broken.yaml",
    ], where  # fmt: skip
    hidden = [p.name for place in ("done", "failed", "outbox/disk", "inbox/disk")
              for p in (rig.root / place).rglob(".*")]  # fmt: skip
    assert hidden == [], where
    assert {job.state for job in rig.jobs()} == {JobState.DONE, JobState.FAILED}, where


def _all_apart(rig: Rig, mount: Callable[[Path], None]) -> None:
    for place in ("inbox/disk", "outbox/disk", "done", "failed"):
        mount(rig.root / place)


def test_everything_is_served_over_four_disks(rig: Rig, mount: Callable[[Path], None]) -> None:
    _all_apart(rig, mount)
    dropped = _drop(rig)
    rig.claim()
    rig.serve()
    _assert_served(rig, dropped)


def test_a_crash_anywhere_between_four_disks_loses_and_doubles_nothing(
    make_rig: RigMaker, mount: Callable[[Path], None], shared: WorkerPool
) -> None:
    at = 0
    crashed = True
    while crashed:
        at += 1 if at < 40 else 3
        rig = make_rig(root=f"crash {at}", shared=shared)
        _all_apart(rig, mount)
        dropped = _drop(rig)
        rig.look()
        crashed = False
        with crash_at(at) as countdown:
            try:
                rig.look(2.5)
                rig.serve()
            except Crash:
                crashed = True
        rig.crash()
        rig.claim()
        rig.serve()
        _assert_served(rig, dropped, f"{at}: before {countdown.last}")
        rig.close()
    assert at > 60


def test_a_folder_that_is_bound_into_the_inbox_is_served(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()  # of the same disk, as containers have their volumes
    (rig.folder / "disk").mkdir()
    bind = ["mount", "--bind", tmp_path / "elsewhere", rig.folder / "disk"]
    subprocess.run(bind, check=True)
    try:
        rig.picture("disk/cat.png")
        rig.drop("disk/cat.yaml")
        rig.claim()
        rig.serve()
        assert rig.tree(rig.config.done) == ["disk/cat.png", "disk/cat.yaml"]
        assert len(rig.outputs()) == 1
        assert rig.tree(rig.folder) == []
    finally:
        subprocess.run(["umount", "--lazy", rig.folder / "disk"], check=True)


def test_a_file_that_changes_while_it_is_copied_waits_again(
    rig: Rig, mount: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mount(rig.folder / "disk")
    picture = rig.picture("disk/cat.png")
    rig.drop("disk/cat.yaml")
    rig.look()
    original = durable.copy_new

    def copy(source: Path, target: Path) -> None:
        original(source, target)
        if source == picture:
            os.utime(source)  # saved again, the same to the byte

    with monkeypatch.context() as patch:
        patch.setattr(durable, "copy_new", copy)
        rig.look(2.5)
    assert rig.jobs() == []
    assert sorted(rig.inputs()) == ["cat.png", "cat.yaml"]
    (job,) = rig.claim()
    assert job.state is JobState.QUEUED
    assert rig.tree(rig.folder) == []


def test_a_shared_sidecar_comes_from_another_disk_too_whatever_crashes(
    make_rig: RigMaker, mount: Callable[[Path], None], shared: WorkerPool
) -> None:
    for at in itertools.count(1):
        rig = make_rig(root=f"shared {at}", shared=shared)
        mount(rig.folder / "disk")
        rig.picture("disk/cat.png")
        rig.picture("disk/cat.bmp", grey=9)
        rig.drop("disk/cat.yaml")
        rig.look()
        crashed = False
        with crash_at(at) as countdown:
            try:
                rig.look(2.5)
            except Crash:
                crashed = True
        rig.crash()
        rig.claim()
        where = f"{at}: before {countdown.last}"
        assert [job.state for job in rig.jobs()] == [JobState.QUEUED] * 2, where
        assert rig.tree(rig.folder) == [], where
        bundle = [path.name for path in rig.spool.glob("*-sidecar/*")]
        assert bundle == ["cat.yaml"], where
        rig.close()
        if not crashed:
            break
    assert at > 20


def test_files_on_a_read_only_disk_wait_with_a_reason_and_stop_nobody(
    rig: Rig, mount: Callable[[Path], None]
) -> None:
    disk = rig.folder / "disk"
    mount(disk)
    rig.drop("_defaults.yaml")
    rig.picture("disk/alone.png")
    rig.picture("disk/cat.png")
    rig.drop("disk/cat.yaml")
    rig.drop("disk/foreign.zip", "x")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    rig.picture("good.png")
    rig.claim()
    rig.look(5, 5, 5)
    assert [job.spec.rel for job in rig.jobs()] == ["good.png"]
    on_it = ["disk/alone.png", "disk/cat.png", "disk/cat.yaml", "disk/foreign.zip"]
    assert rig.waits() == dict.fromkeys(on_it, "lies on a read-only disk")
    assert rig.tree(rig.folder) == ["_defaults.yaml", *on_it]
    rig.crash()
    rig.claim()
    assert len(rig.jobs()) == 1
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    rig.look(5)
    rig.serve()
    assert len(rig.outputs()) == 3
    assert rig.tree(rig.folder) == ["_defaults.yaml"]


@pytest.mark.parametrize("crash", [False, True])
def test_a_copy_whose_original_cannot_be_removed_is_dropped(
    rig: Rig, mount: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch, crash: bool
) -> None:
    mount(rig.folder / "disk")
    rig.picture("disk/cat.png")
    last_taken = rig.drop("disk/cat.yaml")
    rig.picture("good.png")
    rig.drop("good.yaml")
    rig.look()
    original = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == last_taken:
            raise OSError(errno.EPERM, "Operation not permitted", str(path))
        original(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        rig.look(2.5)
        if crash:
            rig.crash()
        rig.look(0, 1, 2.5)
        assert [job.spec.rel for job in rig.jobs(JobState.QUEUED)] == ["good.png"]
    rig.claim()
    rig.serve()
    assert rig.tree(rig.config.done) == ["disk/cat.png", "disk/cat.yaml", "good.png", "good.yaml"]
    assert len(rig.outputs()) == 2


def test_two_equal_pictures_stay_two_on_another_disk(
    rig: Rig, mount: Callable[[Path], None]
) -> None:
    mount(rig.config.done)
    for _ in range(2):
        for path in (rig.picture("cat.png"), rig.drop("cat.yaml")):
            os.utime(path, (1_000_000, 1_000_000))
        rig.claim()
    rig.serve()
    assert rig.tree(rig.config.done) == ["cat.png", "cat.yaml", "cat~2.png", "cat~2.yaml"]
