"""Folders of the inbox whose like cannot be made: a file is in the way, or there is no room.

What was painted is published all the same, and inputs are archived.
"""

from __future__ import annotations

import pytest
from rig import Rig

from img2imgd.dispatch import faults
from img2imgd.inbox import scan
from img2imgd.job import JobState

SEVERAL = "prompt: a lake\nseed: 7\nn: 4\nsteps: 2\nstrength: 1\nsheet: false\ngif: false\n"
LONGEST_PATH = 4095


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(faults, "_LONGEST_PAUSE", 0.2)


@pytest.mark.parametrize("painting", [False, True], ids=["before", "while painted"])
@pytest.mark.parametrize("sidecar", ["prompt: a lake\nseed: 7\n", SEVERAL], ids=["file", "folder"])
def test_a_file_that_takes_the_name_of_an_outboxs_folder_is_gone_round(
    rig: Rig, sidecar: str, painting: bool
) -> None:
    rig.picture("sub/cat.png")
    rig.drop("sub/cat.yaml", sidecar)
    rig.claim()
    if painting:
        rig.until(lambda: bool(rig.pool.admitted))
    foreign = rig.config.outbox / "sub"
    foreign.write_bytes(b"mine")
    (job,) = rig.serve()
    assert foreign.read_bytes() == b"mine"
    assert (job.state, job.reason) == (JobState.DONE, "")
    assert job.published == f"sub~2/{job.spec.reserved.name}"
    assert all(name.startswith("sub~2/cat_a-lake_") for name in rig.outputs()[1:])
    assert len(rig.outputs()) == 1 + len(rig.ledger.frames(job.id))


def _deep(rig: Rig, room: int) -> str:
    """A folder below the inbox that leaves so many bytes for a name."""
    length = LONGEST_PATH - room - 1 - len(str(rig.folder)) - 1
    parts, rest = divmod(length, 200)
    names = ["d" * 199] * parts + (["e" * rest] if rest else [])
    return "/".join(names)[:length]


@pytest.mark.parametrize("room", [9, 20, 50, 200])
def test_a_folder_so_deep_that_no_other_name_has_room_in_it_is_served(
    rig: Rig, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where outbox, done and failed lie far deeper than the inbox."""
    monkeypatch.setattr(scan, "MAX_PATH", LONGEST_PATH)
    deep = _deep(rig, room)
    rig.picture(f"{deep}/a.png")
    rig.drop(f"{deep}/a.yaml")
    rig.picture(f"{deep}/b.png")
    rig.drop(f"{deep}/b.yaml", "promt: x\n")
    rig.claim()
    states = {job.spec.subject.name: job.state for job in rig.serve()}
    assert states == {"a.png": JobState.DONE, "b.png": JobState.FAILED}
    assert rig.waits() == {}
    assert rig.outputs() == ["a_a-lake_00_7.png"]
    assert rig.tree(rig.config.done) == ["a.png", "a.yaml"]
    assert rig.tree(rig.config.failed) == ["b.png", "b.png.reason.txt", "b.yaml"]
