"""Pictures that the disk does not give, in an inbox that reads their parameters."""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rig import Rig

from img2imgd.pool import reading
from img2imgd.reader.files import storage_fault

RigMaker = Callable[..., Rig]


@contextmanager
def bad_sector(name: str) -> Generator[list[Path], None, None]:
    """While this is open, a picture cannot be read; what was tried."""
    original = reading.open_picture
    tried: list[Path] = []

    def open_picture(path: Path, *rest: object) -> object:
        if path.name == name:
            tried.append(path)
            raise storage_fault(path, OSError(errno.EIO, "Input/output error"))
        return original(path, *rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "open_picture", open_picture)
        yield tried


def test_a_picture_that_cannot_be_read_waits_and_the_others_are_claimed(make_rig: RigMaker) -> None:
    rig = make_rig(read_metadata=True)
    rig.picture("bad.png")
    rig.picture("good.png")
    rig.drop("good.yaml")
    with bad_sector("bad.png"):
        for _ in range(3):
            rig.look(2.5, 700)
        assert [job.spec.rel for job in rig.jobs()] == ["good.png"]
        assert "bad.png cannot be read: Input/output error" in rig.waits()["bad.png"]
    assert rig.tree(rig.folder) == ["bad.png"]
    rig.drop("bad.yaml")
    rig.claim()
    assert [job.spec.rel for job in rig.jobs()] == ["good.png", "bad.png"]


def test_a_picture_with_a_sidecar_is_not_read_for_its_parameters(make_rig: RigMaker) -> None:
    rig = make_rig(read_metadata=True)
    rig.picture("bad.png")
    rig.drop("bad.yaml")
    with bad_sector("bad.png") as tried:
        rig.claim()
    assert [job.spec.rel for job in rig.jobs()] == ["bad.png"]
    assert tried == []
