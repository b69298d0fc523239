"""A disk below the inbox that is away: claims that a crash cut short wait for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from rig import Crash, Rig
from sticks import StickMaker

import documents
from img2imgd import durable
from img2imgd.job import JobState
from img2imgd.ledger import JobSpec

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


def _crash_between_copy_and_removal(rig: Rig, name: str) -> None:
    """Claim until a file's copy is in the spool, and the file itself still on its disk."""
    original = durable.copy_across

    def copy(source: Path, target: Path) -> None:
        original(source, target)
        if source.name == name:
            raise Crash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "copy_across", copy)
        with pytest.raises(Crash):
            rig.claim()
    rig.close()


@pytest.mark.parametrize("name", ["cat.png", "cat.yaml"])
@pytest.mark.parametrize("with_its_folder", [False, True])
@pytest.mark.parametrize("pictures", [1, 2])
def test_a_claim_of_files_from_a_disk_that_is_away_waits_for_it(
    rig: Rig, stick: StickMaker, name: str, with_its_folder: bool, pictures: int
) -> None:
    disk = stick(rig.folder / "usb")
    rig.pair("usb/cat")
    if pictures == 2:  # one sidecar for both
        rig.picture("usb/cat.bmp", grey=90)
    dropped = rig.inputs()
    _crash_between_copy_and_removal(rig, name)
    disk.unplug()
    if with_its_folder:
        disk.at.rmdir()
    rig.start()
    rig.pair("dog")
    rig.claim()
    assert rig.waits()["usb/cat.png"].endswith("cannot be repaired: its disk is not mounted")
    assert [job.spec.rel for job in rig.jobs(JobState.QUEUED)] == ["dog.png"]
    assert not disk.at.exists() or list(disk.at.iterdir()) == []
    disk.plug()
    rig.claim()
    rig.look(2.5, 11)
    rig.serve()
    assert rig.waits() == {}
    assert len(rig.outputs()) == pictures + 1
    assert rig.inputs() == sorted([*dropped, "dog.png", "dog.yaml"])
    assert rig.tree(rig.folder) == []


@pytest.mark.parametrize("name", ["scan.tif", "scan.yaml"])
def test_a_document_from_a_disk_that_is_away_waits_for_it(
    make_rig: Callable[..., Rig], stick: StickMaker, name: str
) -> None:
    rig = make_rig(pages="each")
    disk = stick(rig.folder / "usb")
    rig.drop("usb/scan.tif", documents.tiff(64, 72))
    rig.drop("usb/scan.yaml")
    _crash_between_copy_and_removal(rig, name)
    disk.unplug()
    rig.start()
    rig.claim()
    assert rig.waits()["usb/scan.tif"].endswith("cannot be repaired: its disk is not mounted")
    assert rig.jobs(JobState.QUEUED) == []
    disk.plug()
    rig.claim()
    rig.look(2.5, 11)
    rig.serve()
    assert [job.spec.rel for job in rig.jobs()] == ["usb/scan_p1.png", "usb/scan_p2.png"]
    assert len(rig.outputs()) == 2
    assert rig.tree(rig.config.done) == ["usb/scan.tif", "usb/scan.yaml"]
    assert rig.tree(rig.folder) == []


def test_a_shared_sidecar_whose_copy_has_two_names_yet_waits_for_its_disk(
    rig: Rig, stick: StickMaker
) -> None:
    disk = stick(rig.folder / "usb")
    rig.pair("usb/cat")
    rig.picture("usb/cat.bmp", grey=90)
    original = os.link

    def link(source: Path, target: Path, **keywords: bool) -> None:
        original(source, target, **keywords)
        raise Crash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "link", link)
        with pytest.raises(Crash):
            rig.claim()
    rig.close()
    disk.unplug()
    rig.start()
    rig.claim()
    disk.plug()
    rig.claim()
    rig.serve()
    assert rig.waits() == {}
    assert len(rig.outputs()) == 2
    assert rig.tree(rig.config.done) == ["usb/cat.bmp", "usb/cat.png", "usb/cat.yaml"]
    assert rig.tree(rig.folder) == []


def test_a_claim_that_had_taken_nothing_does_not_wait_for_its_disk(
    rig: Rig, stick: StickMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = stick(rig.folder / "usb")
    rig.pair("usb/cat")

    def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(durable, "copy_across", crash)
        with pytest.raises(Crash):
            rig.claim()
    rig.close()
    disk.unplug()
    rig.start()
    rig.claim()
    assert rig.waits() == {}
    assert rig.jobs() == []
    disk.plug()
    rig.claim()
    rig.serve()
    assert len(rig.outputs()) == 1


def test_a_claim_whose_disk_goes_in_the_middle_waits_for_it(rig: Rig, stick: StickMaker) -> None:
    disk = stick(rig.folder / "usb")
    rig.pair("usb/cat")
    original = durable.copy_across

    def copy(source: Path, target: Path) -> None:
        original(source, target)
        if source.name == "cat.yaml":
            disk.unplug()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "copy_across", copy)
        rig.claim()
    assert list(disk.at.iterdir()) == []
    disk.plug()
    rig.claim()
    rig.serve()
    assert len(rig.outputs()) == 1
    assert rig.tree(rig.config.done) == ["usb/cat.png", "usb/cat.yaml"]
    assert rig.tree(rig.folder) == []


def test_a_job_that_had_begun_is_taken_up_without_the_disk_that_it_came_from(
    rig: Rig, stick: StickMaker
) -> None:
    disk = stick(rig.folder / "usb")
    rig.pair("usb/cat")
    rig.claim()
    rig.until(lambda: any((rig.config.outbox / ".img2imgd").iterdir()))
    disk.unplug()
    rig.lose_ledger()
    rig.claim()
    rig.serve()
    assert len(rig.outputs()) == 1


def test_a_job_file_of_an_earlier_version_is_read(rig: Rig) -> None:
    rig.pair("cat")
    (job,) = rig.claim()
    text = job.spec.to_json()
    assert '"across": false' in text
    assert JobSpec.from_json(text.replace(', "across": false', "")) == job.spec
