"""Sidecars that come after their picture was served."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from rig import Rig

import documents
from img2imgd.errors import PictureError
from img2imgd.job import JobState
from img2imgd.request import RequestKeys

RigMaker = Callable[..., Rig]
WITH_PROMPT = RequestKeys(prompt="a default", seed=1)


def serve_alone(rig: Rig, name: str = "cat.png") -> None:
    rig.picture(name)
    rig.claim()
    rig.serve()


def drop_late(rig: Rig, name: str = "cat.yaml", text: str = "prompt: late\n") -> None:
    rig.drop(name, text)
    rig.look(2.5, 11)


def test_it_makes_a_new_job_on_a_copy_of_the_picture_in_done(make_rig: RigMaker) -> None:
    rig = make_rig(defaults=WITH_PROMPT)
    serve_alone(rig, "sub/cat.png")
    rig.drop("sub/cat.yaml", "prompt: late\n")
    rig.look(2.5, 7)
    assert len(rig.jobs()) == 1, "it waits pair_wait: its own picture may be on its way"
    rig.look(3)
    rig.serve()
    assert [job.spec.asked.prompt for job in rig.jobs()] == ["a default", "late"]
    assert {job.spec.rel for job in rig.jobs()} == {"sub/cat.png"}
    assert rig.tree(rig.config.done) == ["sub/cat.png", "sub/cat.yaml"]
    assert len(rig.outputs()) == 2
    assert rig.tree(rig.folder) == []


def test_a_second_late_sidecar_finds_the_picture_too(make_rig: RigMaker) -> None:
    rig = make_rig(defaults=WITH_PROMPT)
    serve_alone(rig)
    drop_late(rig)
    rig.serve()
    drop_late(rig, "cat.png.yaml", "prompt: later\n")
    rig.serve()
    assert [job.spec.asked.prompt for job in rig.jobs()] == ["a default", "late", "later"]
    assert rig.tree(rig.config.done) == ["cat.png", "cat.png.yaml", "cat.yaml"]


def test_it_takes_the_picture_itself_out_of_failed_and_its_reason_goes(make_rig: RigMaker) -> None:
    rig = make_rig(orphan_after=5)
    serve_alone(rig)
    assert rig.tree(rig.config.failed) == ["cat.png", "cat.png.reason.txt"]
    drop_late(rig)
    assert rig.tree(rig.config.failed) == []
    rig.serve()
    assert rig.tree(rig.config.done) == ["cat.png", "cat.yaml"]
    assert [job.state for job in rig.jobs()] == [JobState.REPLACED, JobState.DONE]
    assert rig.inputs() == ["cat.png", "cat.yaml"]


def test_a_late_sidecar_with_a_mistake_goes_to_failed_with_a_copy_of_the_picture(
    make_rig: RigMaker,
) -> None:
    rig = make_rig(defaults=WITH_PROMPT)
    serve_alone(rig)
    drop_late(rig, text="promt: late\n")
    rig.serve()
    assert rig.tree(rig.config.failed) == ["cat.png", "cat.png.reason.txt", "cat.yaml"]
    assert rig.tree(rig.config.done) == ["cat.png"]


def test_it_waits_while_the_pictures_job_runs(make_rig: RigMaker) -> None:
    rig = make_rig(defaults=WITH_PROMPT)
    rig.picture("cat.png")
    rig.claim()
    drop_late(rig)
    assert len(rig.jobs()) == 1
    assert "until its picture has been served" in rig.waits()["cat.yaml"]
    rig.serve()
    rig.look(1)
    assert len(rig.jobs()) == 2


def test_it_waits_while_a_temporary_file_of_its_picture_is_there(make_rig: RigMaker) -> None:
    rig = make_rig(defaults=WITH_PROMPT)
    serve_alone(rig)
    half = rig.drop(".cat.png.a1B2c3", "half")
    drop_late(rig)
    assert len(rig.jobs()) == 1
    half.unlink()
    rig.look(0.1)
    assert len(rig.jobs()) == 2


def test_after_late_sidecar_it_is_an_orphan(make_rig: RigMaker) -> None:
    rig = make_rig(defaults=WITH_PROMPT, late_sidecar=0, orphan_after=20)
    serve_alone(rig)
    drop_late(rig)
    assert len(rig.jobs()) == 1
    rig.look(20)
    rig.serve()
    assert rig.tree(rig.config.failed) == ["cat.yaml", "cat.yaml.reason.txt"]


def test_it_is_an_orphan_when_somebody_took_the_picture_away(make_rig: RigMaker) -> None:
    rig = make_rig(defaults=WITH_PROMPT, orphan_after=20)
    serve_alone(rig)
    (rig.config.done / "cat.png").unlink()
    drop_late(rig)
    rig.look(20)
    rig.serve()
    assert rig.tree(rig.config.failed) == ["cat.yaml", "cat.yaml.reason.txt"]


def test_an_orphan_with_a_suffix_that_windows_hides_is_told_its_name(make_rig: RigMaker) -> None:
    rig = make_rig(orphan_after=20)
    drop_late(rig, "cat.yaml.txt")
    rig.look(20)
    rig.serve()
    reason = (rig.config.failed / "cat.yaml.txt.reason.txt").read_text()
    assert "Rename it to cat.yaml, and put it" in reason


@pytest.mark.parametrize("place", ["done", "failed"])
def test_another_file_under_the_pictures_name_is_left_alone(make_rig: RigMaker, place: str) -> None:
    rig = make_rig(orphan_after=5, **{"defaults": WITH_PROMPT} if place == "done" else {})
    serve_alone(rig)
    before = rig.outputs()
    mine = rig.picture("mine.png", grey=99)
    archived = mine.replace(rig.root / place / "cat.png")
    drop_late(rig)
    rig.serve()
    assert archived.exists()
    assert rig.outputs() == before, "it is not painted"
    assert "cat.yaml" in rig.tree(rig.config.failed), "it has no picture"


@pytest.mark.parametrize("late_before", [False, True], ids=["first", "second"])
def test_a_link_in_place_of_the_picture_is_left_alone_though_it_looks_like_it(
    make_rig: RigMaker, late_before: bool
) -> None:
    rig = make_rig(orphan_after=5, defaults=WITH_PROMPT)
    serve_alone(rig)
    if late_before:
        drop_late(rig)
        rig.serve()
    before = rig.jobs()
    picture = rig.config.done / "cat.png"
    looks = picture.lstat()
    picture.rename(rig.root / "mine.png")
    picture.symlink_to("../mine.png".rjust(looks.st_size, "/"))
    os.utime(picture, ns=(0, looks.st_mtime_ns), follow_symlinks=False)
    drop_late(rig, "cat.png.yaml")
    rig.serve()
    new = rig.jobs()[len(before) :]
    assert [(job.spec.rel, job.state) for job in new] == [("cat.png.yaml", JobState.FAILED)]
    assert picture.is_symlink()
    assert rig.tree(rig.folder) == []


def test_only_the_exact_path_counts(make_rig: RigMaker) -> None:
    rig = make_rig(defaults=WITH_PROMPT)
    serve_alone(rig, "sub/cat.png")
    drop_late(rig, "cat.yaml")
    drop_late(rig, "sub/dog.yaml")
    assert len(rig.jobs()) == 1
    assert sorted(rig.waits()) == ["cat.yaml", "sub/dog.yaml"]


@pytest.fixture
def documents_served(make_rig: RigMaker) -> Rig:
    """A document of two pages that was served by the inbox's own prompt."""
    rig = make_rig(defaults=WITH_PROMPT, pages="each")
    rig.drop("sub/scan.tif", documents.tiff(64, 72))
    rig.claim()
    rig.serve()
    assert rig.tree(rig.config.done) == ["sub/scan.tif"]
    return rig


@pytest.mark.parametrize("name", ["sub/scan.yaml", "sub/scan.tif.yaml"])
def test_a_document_is_put_back_and_each_page_served_once_more(
    documents_served: Rig, name: str
) -> None:
    rig = documents_served
    drop_late(rig, name)
    assert "put back" in rig.waits()[name]
    assert rig.tree(rig.folder) == sorted(["sub/scan.tif", name])
    rig.look(0.1, 2.5)
    rig.serve()
    assert [job.spec.asked.prompt for job in rig.jobs()] == ["a default"] * 2 + ["late"] * 2
    assert rig.tree(rig.config.done) == sorted(["sub/scan.tif", name])
    assert len(rig.outputs()) == 4
    assert rig.tree(rig.folder) == []


def test_the_sidecar_of_a_page_or_of_another_kind_of_file_does_not_bring_the_document_back(
    documents_served: Rig,
) -> None:
    rig = documents_served
    drop_late(rig, "sub/scan.png.yaml")
    drop_late(rig, "scan.yaml")
    assert rig.tree(rig.config.done) == ["sub/scan.tif"]
    assert len(rig.jobs()) == 2


def test_a_document_that_somebody_changed_in_done_stays_there(documents_served: Rig) -> None:
    rig = documents_served
    (rig.config.done / "sub/scan.tif").write_bytes(b"another")
    drop_late(rig, "sub/scan.yaml")
    assert rig.tree(rig.config.done) == ["sub/scan.tif"]


def test_an_older_document_of_that_name_is_not_meant(documents_served: Rig) -> None:
    rig = documents_served
    rig.drop("sub/scan.tif", documents.tiff(64, 72, 80))
    rig.claim()
    rig.serve()
    (rig.config.done / "sub/scan~2.tif").unlink()
    drop_late(rig, "sub/scan.yaml")
    assert rig.tree(rig.config.done) == ["sub/scan.tif"]
    assert rig.tree(rig.folder) == ["sub/scan.yaml"]


def test_a_late_sidecar_waits_while_pages_are_served_and_once_serves_it_too(
    make_rig: RigMaker,
) -> None:
    rig = make_rig(defaults=WITH_PROMPT, pages="each")
    rig.drop("scan.tif", documents.tiff(64, 72))
    rig.claim()
    drop_late(rig, "scan.yaml")
    assert rig.waits() == {"scan.yaml": "waits until its picture has been served"}
    rig.serve()
    rig.inbox = rig.new_inbox(drain=True)
    rig.look(2.5, 0.1, 2.5)
    assert rig.inbox.drained
    rig.serve()
    assert [job.spec.asked.prompt for job in rig.jobs()] == ["a default"] * 2 + ["late"] * 2
    assert rig.tree(rig.config.done) == ["scan.tif", "scan.yaml"]


def test_a_document_that_was_refused_is_taken_apart_for_a_late_sidecar(make_rig: RigMaker) -> None:
    rig = make_rig(orphan_after=5, pages="each")
    rig.drop("scan.tif", documents.tiff(64, 72))
    rig.claim()
    rig.serve()
    assert rig.tree(rig.config.failed) == ["scan.tif", "scan.tif.reason.txt"]
    drop_late(rig, "scan.yaml")
    rig.look(0.1, 2.5)
    rig.serve()
    assert rig.tree(rig.config.failed) == rig.tree(rig.folder) == []
    assert rig.tree(rig.config.done) == ["scan.tif", "scan.yaml"]
    assert [job.spec.rel for job in rig.jobs(JobState.DONE)] == ["scan_p1.png", "scan_p2.png"]


def test_a_document_whose_pages_are_not_counted_is_not_served_as_its_first(
    make_rig: RigMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig(orphan_after=5, pages="each")
    rig.drop("scan.tif", documents.tiff(64, 72))
    rig.claim()
    rig.serve()

    def killed(_: object) -> int:
        raise PictureError("Reading scan.tif crashed the reader (killed).", "Save it again.")

    monkeypatch.setattr(rig.reader, "count_pages", killed)
    drop_late(rig, "scan.yaml")
    rig.look(0.1, 2.5)
    rig.serve()
    assert rig.outputs() == []
    assert "crashed the reader" in rig.reason("scan.tif")
    assert "scan.yaml" in rig.tree(rig.config.failed)
