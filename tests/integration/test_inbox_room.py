"""Room for the result is asked for before a drop is claimed; what does not fit waits in place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rig import Rig

from img2imgd import filesystems
from img2imgd.config.sections import LimitsConfig
from img2imgd.job import JobState

RigMaker = Callable[..., Rig]
BIG = "prompt: a lake\nsize: 4096\nn: 100\n"  # 100 × 4096² × 3 bytes, and a sheet


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """How many bytes are free, by the folder's name."""
    bytes_free: dict[str, float] = {"outbox": 6e9, "inbox": 6e9}
    monkeypatch.setattr(filesystems, "free_bytes", lambda path: bytes_free[Path(path).name])
    return bytes_free


def test_what_does_not_fit_waits_in_the_inbox_and_smaller_ones_are_served(
    make_rig: RigMaker, free: dict[str, float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    rig = make_rig(limits=LimitsConfig(min_free_gb=1))
    rig.picture("big.png")
    rig.drop("big.yaml", BIG)
    rig.picture("small.png")
    rig.drop("small.yaml")
    rig.claim()
    assert [job.spec.rel for job in rig.jobs()] == ["small.png"]
    assert rig.tree(rig.folder) == ["big.png", "big.yaml"]
    assert rig.waits()["big.png"] == (
        f"waits for room: about 7,550 MB are needed in {rig.config.outbox}, beside the 1 GB that "
        "limits.min_free_gb keeps free; 6,000 MB are free"
    )
    assert caplog.text.count("big.png waits for room: about") == 1, "it is said once"
    free["outbox"] = 9e9
    rig.claim()
    assert [job.spec.rel for job in rig.jobs()] == ["small.png", "big.png"]
    assert rig.waits() == {}
    assert "all its drops have room" in caplog.text


def test_a_keeping_inbox_needs_room_for_its_copies(
    make_rig: RigMaker, free: dict[str, float]
) -> None:
    rig = make_rig(mode="keep", limits=LimitsConfig(min_free_gb=1))
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    free["inbox"] = 1e9
    rig.claim()
    assert rig.jobs() == []
    assert str(rig.folder) in rig.waits()["cat.png"]
    free["inbox"] = 2e9
    assert [job.state for job in rig.claim()] == [JobState.QUEUED]


def test_a_refusal_needs_no_room(make_rig: RigMaker, free: dict[str, float]) -> None:
    rig = make_rig(limits=LimitsConfig(min_free_gb=1))
    free["outbox"] = 0
    rig.picture("cat.png")
    rig.drop("cat.yaml", "prompt: x\nstrenght: 1\n")
    assert [job.state for job in rig.claim()] == [JobState.FAILED]


def test_without_its_outbox_nothing_is_claimed(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    shutil.rmtree(rig.config.outbox)
    assert rig.claim() == []
    assert rig.waits()["cat.png"] == f"waits for the outbox: {rig.config.outbox} is not there"
