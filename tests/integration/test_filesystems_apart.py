"""Inbox subfolders, outbox subfolders, done and failed on filesystems of their own (tmpfs)."""

from __future__ import annotations

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
