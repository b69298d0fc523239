"""Files over ``limits.max_file_mb``: refused by their size, before anything of them is read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from rig import Rig

from img2imgd import durable
from img2imgd.config import LimitsConfig
from img2imgd.job import JobState

RigMaker = Callable[..., Rig]
LIMITS = LimitsConfig(min_free_gb=0, max_file_mb=1)
REFUSAL = "cat.png has 3 MB; at most 1 MB are read here.\nMake it smaller, or raise"


def grown(path: Path, size: int = 3_000_000) -> Path:
    os.truncate(path, size)
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of all files that are hashed or copied."""
    sizes: list[int] = []
    digest, copy = hashlib.file_digest, durable.copy_new

    def file_digest(file: object, name: str) -> object:
        sizes.append(os.fstat(file.fileno()).st_size)  # type: ignore[attr-defined]
        return digest(file, name)  # type: ignore[arg-type]

    def copy_new(source: Path, target: Path) -> None:
        sizes.append(source.stat().st_size)
        copy(source, target)

    monkeypatch.setattr(hashlib, "file_digest", file_digest)
    monkeypatch.setattr(durable, "copy_new", copy_new)
    return sizes


@pytest.mark.parametrize("large", ["cat.png", "cat.yaml"])
def test_a_kept_file_is_refused_where_it_lies_and_once(
    make_rig: RigMaker, read: list[int], large: str
) -> None:
    rig = make_rig(mode="keep", settle=1, limits=LIMITS)
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    grown(rig.folder / large)
    rig.look(1.1)
    (job,) = rig.serve()
    assert job.state is JobState.FAILED
    assert max(read) < 1_000_000
    assert rig.tree(rig.folder) == ["cat.png", "cat.yaml"]
    assert rig.tree(rig.config.failed) == ["cat.png.reason.txt"]
    assert (REFUSAL in rig.reason("cat.png")) == (large == "cat.png")
    rig.crash()
    rig.look(2, 20)
    assert len(rig.jobs()) == 1
    rig.picture("cat.png", grey=40)
    rig.drop("cat.yaml")
    rig.look(2)
    assert [job.state for job in rig.jobs()] == [JobState.FAILED, JobState.QUEUED]


def test_a_moving_inbox_refuses_it_before_it_is_opened(make_rig: RigMaker) -> None:
    rig = make_rig(limits=LIMITS)
    grown(rig.picture("cat.png"))
    rig.drop("cat.yaml")
    (job,) = rig.claim()
    assert (job.state, job.spec.request) == (JobState.FAILED, None)
    rig.serve()
    assert rig.tree(rig.config.failed) == ["cat.png", "cat.png.reason.txt", "cat.yaml"]
    assert REFUSAL in rig.reason("cat.png")


def test_it_needs_no_room_for_a_copy(make_rig: RigMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = make_rig(mode="keep", settle=1, limits=LIMITS)
    grown(rig.picture("cat.png"))
    rig.drop("cat.yaml")
    monkeypatch.setattr("img2imgd.filesystems.free_bytes", lambda _: 2_000_000)
    rig.look(1.1)
    assert [job.state for job in rig.jobs()] == [JobState.FAILED]
