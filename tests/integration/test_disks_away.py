"""Disks of outbox, done and failed that are away for a while: nothing is concluded meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rig import Crash, Rig
from sticks import StickMaker

from img2imgd.dispatch import faults
from img2imgd.job import JobState
from img2imgd.ledger import mount_facts
from img2imgd.outputs.staging import Staging

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(faults, "_LONGEST_PAUSE", 0.2)


def _waits_for(rig: Rig) -> str:
    return rig.ledger.facts().get("waits_for", "")


# done and failed


def test_inputs_wait_in_the_spool_while_the_disk_of_done_is_away(
    rig: Rig, stick: StickMaker
) -> None:
    disk = stick(rig.config.done)
    rig.ledger.set_facts(**mount_facts([rig.config.done, rig.config.failed]))
    rig.pair("sub/cat")
    rig.claim()
    rig.serve()
    disk.unplug()
    rig.pair("sub/cat", grey=90)
    rig.pair("broken")
    (rig.folder / "broken.png").write_bytes(b"no picture")
    rig.claim()
    rig.until(lambda: all(job.state.ended for job in rig.jobs()))
    rig.until(lambda: _waits_for(rig) != "" and rig.tree(rig.config.failed) != [])
    assert f"was mounted at {rig.config.done}" in _waits_for(rig)
    assert len(rig.outputs()) == 2, "painting goes on"
    assert list(rig.config.done.iterdir()) == [], "nothing is put below the mount point"
    assert [job.spec.rel for job in rig.jobs() if not job.archived] == ["sub/cat.png"]
    disk.plug()
    rig.serve()
    assert rig.tree(rig.config.done) == [
        "sub/cat.png", "sub/cat.yaml", "sub/cat~2.png", "sub/cat~2.yaml",
    ]  # fmt: skip
    assert _waits_for(rig) == ""


def test_a_plan_made_before_the_disk_went_waits_for_it(
    rig: Rig, stick: StickMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = stick(rig.config.done)
    rig.ledger.set_facts(**mount_facts([rig.config.done]))
    rig.pair("cat")
    rig.claim()
    with monkeypatch.context() as patch:
        patch.setattr(rig.dispatch._archive, "finish", lambda _: None)
        rig.until(lambda: all(job.state.ended for job in rig.jobs()))
    disk.unplug()
    rig.until(lambda: _waits_for(rig) != "")
    assert list(rig.config.done.iterdir()) == []
    rig.crash()
    disk.plug()
    assert [job.state for job in rig.serve()] == [JobState.DONE]
    assert rig.tree(rig.config.done) == ["cat.png", "cat.yaml"]


def test_a_disk_that_is_put_in_place_later_is_used(rig: Rig, stick: StickMaker) -> None:
    rig.ledger.set_facts(**mount_facts([rig.config.done]))
    rig.pair("cat")
    rig.claim()
    stick(rig.config.done)
    rig.serve()
    assert rig.tree(rig.config.done) == ["cat.png", "cat.yaml"]


# A disk below the outbox


def _crash_once_carried(rig: Rig) -> None:
    """Serve until the output's copy on another disk is whole, but not yet renamed."""
    original = Staging._carry_across

    def carry(self: Staging, staged: Path, part: Path) -> None:
        original(self, staged, part)
        raise Crash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Staging, "_carry_across", carry)
        with pytest.raises(Crash):
            rig.serve()
    rig.close()


@pytest.mark.parametrize("with_its_folder", [False, True])
def test_an_output_carried_to_a_disk_that_is_away_waits_for_it(
    rig: Rig, stick: StickMaker, with_its_folder: bool
) -> None:
    disk = stick(rig.config.outbox / "sub")
    rig.pair("sub/cat")
    rig.claim()
    _crash_once_carried(rig)
    disk.unplug()
    if with_its_folder:
        disk.at.rmdir()
    rig.start()
    rig.pair("dog")
    rig.claim()
    rig.until(lambda: rig.outputs() == ["dog_a-lake_00_7.png"])
    assert f"{disk.at}/cat_a-lake_00_7.png was copied to a disk of its own" in _waits_for(rig)
    assert rig.jobs(JobState.PUBLISHING) != []
    disk.plug()
    rig.serve()
    assert rig.outputs() == ["dog_a-lake_00_7.png", "sub/cat_a-lake_00_7.png"]
    assert list(disk.at.glob(".*")) == []


def test_an_output_that_was_taken_from_its_disk_before_the_next_start_was_published(
    rig: Rig, stick: StickMaker
) -> None:
    disk = stick(rig.config.outbox / "sub")
    rig.pair("sub/cat")
    rig.claim()
    _crash_once_carried(rig)
    (part,) = disk.at.glob(".*.part")
    part.unlink()  # as if it had got its name before the crash, and somebody had taken it since
    rig.start()
    assert [job.state for job in rig.serve()] == [JobState.DONE]
    assert rig.outputs() == []
