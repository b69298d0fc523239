"""`pages: each`: a job for each page of a document, which goes with its last page."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crashing import crash_at
from PIL import Image
from rig import Crash, Rig

import documents
from img2imgd.config.sections import LimitsConfig
from img2imgd.errors import EnvironmentFault, PictureError
from img2imgd.inbox import claim
from img2imgd.inbox import documents as documents_of_inbox
from img2imgd.inbox.documents import page_names
from img2imgd.inbox.pages import PageClaims
from img2imgd.job import JobState
from img2imgd.request import RequestKeys

RigMaker = Callable[..., Rig]
PAGES = ["scan_p1.png", "scan_p2.png", "scan_p3.png"]


@pytest.fixture
def each(make_rig: RigMaker) -> Rig:
    return make_rig(pages="each")


def drop_document(rig: Rig) -> None:
    rig.drop("sub/scan.tif", documents.tiff(64, 72, 80))
    rig.drop("sub/scan.yaml")


def test_each_page_is_a_job_and_the_document_goes_with_its_sidecar(each: Rig) -> None:
    drop_document(each)
    jobs = each.claim()
    assert [job.spec.rel for job in jobs] == [f"sub/{name}" for name in PAGES]
    for job, side in zip(jobs, (64, 72, 80), strict=True):
        (entry,) = [file for file in job.spec.files if file.role == "picture"]
        page_file = each.spool / job.id / "in" / entry.name
        assert page_file.stat().st_mtime_ns == entry.mtime_ns  # so the page knows it as the input
        with Image.open(each.spool / job.id / "in" / job.spec.subject.name) as page:
            assert (page.format, page.mode, page.size) == ("PNG", "1", (side, side))
    assert not list(each.spool.glob("pages-*"))
    each.serve()
    assert {job.state for job in each.jobs()} == {JobState.DONE}
    assert each.tree(each.config.done) == ["sub/scan.tif", "sub/scan.yaml"]
    assert each.tree(each.config.failed) == each.tree(each.folder) == []
    assert len(each.outputs()) == 3
    assert not list(each.spool.glob("*-sidecar"))


def test_pages_of_a_pdf_need_no_sidecar_where_the_folder_has_a_prompt(make_rig: RigMaker) -> None:
    rig = make_rig(pages="each", defaults=RequestKeys(prompt="a lake"))
    drawn = documents.quarters_drawn()
    rig.drop("plan.PDF", documents.pdf(drawn, drawn))
    assert [job.spec.rel for job in rig.claim()] == ["plan_p1.png", "plan_p2.png"]
    rig.serve()
    assert rig.tree(rig.config.done) == ["plan.PDF"]


def test_without_the_key_the_first_page_is_used(make_rig: RigMaker) -> None:
    rig = make_rig(pages="first")
    drop_document(rig)
    (job,) = rig.claim()
    assert job.spec.rel == "sub/scan.tif"
    (job,) = rig.serve()
    assert "first of its 3 pages" in job.reason


def test_one_page_and_an_animation_are_pictures_as_ever(each: Rig) -> None:
    each.drop("scan.tif", documents.tiff(64))
    each.drop("scan.yaml")
    file = io.BytesIO()
    frames = [Image.new("L", (64, 64), grey) for grey in (0, 99)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    each.drop("film.gif", file.getvalue())
    each.drop("film.yaml")
    assert {job.spec.rel for job in each.claim()} == {"scan.tif", "film.gif"}


def test_a_page_that_fails_lies_in_failed_and_is_put_back_alone(each: Rig) -> None:
    each.drop("scan.tif", documents.tiff(64, 72))
    each.drop("scan.yaml", "prompt: a lake\nsize: 64\n")
    jobs = each.claim()
    spool = each.spool / jobs[1].id / "in" / "scan_p2.png"
    spool.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(spool.stat().st_size - 8))
    each.serve()
    assert each.tree(each.config.done) == ["scan.tif", "scan.yaml"]
    failed = ["scan_p2.png", "scan_p2.png.reason.txt", "scan_p2.png.yaml"]
    assert each.tree(each.config.failed) == failed
    each.ledger.give_order("retry", jobs[1].id)
    each.look()
    assert each.tree(each.folder) == ["scan_p2.png", "scan_p2.png.yaml"]
    assert each.tree(each.config.failed) == []


def test_a_fault_of_the_ledger_amid_a_claim_leaves_nothing_behind(
    each: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_document(each)
    each.look()
    each.now += 2.5

    def full(*_: object) -> None:
        raise EnvironmentFault("The ledger cannot be written: no space.")

    with monkeypatch.context() as patch:
        patch.setattr(type(each.ledger), "set_state", full)
        with pytest.raises(EnvironmentFault):
            each.look()
    assert {job.state for job in each.jobs()} == {JobState.CLAIMING}
    each.look(11)
    assert [job.spec.rel for job in each.jobs()] == [f"sub/{name}" for name in PAGES]
    each.serve()
    assert each.tree(each.config.done) == ["sub/scan.tif", "sub/scan.yaml"]
    assert len(each.outputs()) == 3


def test_nothing_is_taken_apart_while_there_is_no_room(
    each: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_document(each)
    taken: list[int] = []
    extract = each.reader.extract_page
    monkeypatch.setattr(
        each.reader, "extract_page", lambda *asked: (taken.append(1), extract(*asked))
    )
    (each.config.outbox / ".img2imgd").rename(each.config.outbox / "away")
    each.claim()
    assert (taken, each.jobs()) == ([], [])
    assert "waits for the outbox" in each.waits()["sub/scan.tif"]
    (each.config.outbox / "away").rename(each.config.outbox / ".img2imgd")
    each.look(11)
    assert len(taken) == len(each.jobs()) == 3


def test_pages_that_need_more_room_than_was_thought_leave_what_is_to_stay_free(
    each: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents_of_inbox, "_LARGE_PAGE", 100)
    noise = [Image.effect_noise((64, 64), 90) for _ in range(8)]  # 4 kB each, whatever one does
    file = io.BytesIO()
    noise[0].save(file, "TIFF", save_all=True, append_images=noise[1:])
    each.drop("scan.tif", file.getvalue())
    each.drop("scan.yaml")
    room, least = 10_000, [10_000]

    def free_bytes(folder: Path) -> float:
        if folder != each.spool:
            return 1e12
        written = [path.stat().st_size for path in each.spool.glob("pages-*/*")]
        least[0] = min(least[0], room - sum(written))
        return room - sum(written)

    monkeypatch.setattr(documents_of_inbox.filesystems, "free_bytes", free_bytes)
    taken: list[int] = []
    extract = each.reader.extract_page
    monkeypatch.setattr(
        each.reader, "extract_page", lambda *asked: (taken.append(1), extract(*asked))
    )
    each.claim()
    each.look(30, 30)
    assert (len(taken), each.jobs()) == (2, []), "not tried again as long as nothing has changed"
    assert least[0] >= 0
    assert "waits for room: its 8 pages" in each.waits()["scan.tif"]
    room = 60_000
    each.look(30)
    assert len(each.jobs()) == 8


def test_cancelled_pages_take_the_document_to_failed(each: Rig) -> None:
    drop_document(each)
    for job in each.claim():
        each.ledger.give_order("cancel", job.id)
    each.serve()
    assert {job.state for job in each.jobs()} == {JobState.CANCELLED}
    tree = each.tree(each.config.failed)
    assert {"sub/scan.tif", "sub/scan.yaml", "sub/scan_p3.png"} <= set(tree)
    first = each.jobs()[0]
    each.ledger.give_order("retry", first.id)
    each.look()
    assert each.tree(each.folder) == ["sub/scan_p1.png", "sub/scan_p1.png.yaml"]


def test_too_many_pages_a_broken_sidecar_and_a_broken_page_refuse_the_whole(
    make_rig: RigMaker,
) -> None:
    rig = make_rig(pages="each", limits=LimitsConfig(min_free_gb=0, max_frames=2))
    drop_document(rig)
    rig.drop("bad.tif", documents.tiff(64, 72))
    rig.drop("bad.yaml", "promt: a lake\n")
    noise = [Image.effect_noise((64, 64), 90) for _ in range(2)]
    path = rig.drop("half.tif", b"")
    noise[0].save(path, "TIFF", compression="tiff_adobe_deflate", save_all=True,
                  append_images=noise[1:])  # fmt: skip
    with Image.open(path) as image:
        image.seek(1)
        at = image.tag_v2[273][0]  # type: ignore[attr-defined]
    whole = bytearray(path.read_bytes())
    whole[at : at + 40] = bytes(40)  # no decoder takes that for the beginning
    path.write_bytes(whole)
    rig.drop("half.yaml")
    rig.claim()
    rig.serve()
    assert [job.state for job in rig.jobs()] == [JobState.FAILED] * 3
    assert "It has 3 pages; at most 2 are served here." in rig.reason("sub/scan.tif")
    assert "Did you mean `prompt`" in rig.reason("bad.tif")
    assert "half.tif is damaged or cut off" in rig.reason("half.tif")
    assert rig.tree(rig.folder) == rig.tree(rig.config.done) == []


def test_pages_that_take_too_long_together_refuse_the_document(
    each: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents_of_inbox, "_LEAST_TIME", 0.0)
    monkeypatch.setattr(documents_of_inbox, "_TIME_PER_PAGE", 0.0)
    drop_document(each)
    (job,) = each.claim()
    each.serve()
    assert (job.spec.rel, job.state) == ("sub/scan.tif", JobState.FAILED)
    assert "of its 3 pages had been taken apart" in each.reason("sub/scan.tif")
    assert "Split it" in each.reason("sub/scan.tif")
    assert each.tree(each.folder) == []
    assert not list(each.spool.glob("pages-*"))


def test_of_a_list_cut_off_by_a_crash_no_document_that_was_claimed_is_called_missing(
    each: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    each.drop("a.tif", documents.tiff(64, 72))
    each.drop("b.tif", documents.tiff(80, 88))
    each.drop("all.yaml", "prompt: a lake\nimages: [a.tif, B.TIF, c.tif]\n")
    original = PageClaims.claim

    def second_crashes(*arguments: Any, **keywords: Any) -> bool:
        if arguments[1].name == "b.tif":
            raise Crash
        return original(*arguments, **keywords)

    each.look(2.5)
    with monkeypatch.context() as patch:
        patch.setattr(PageClaims, "claim", second_crashes)
        with pytest.raises(Crash):
            each.look(601)
    each.crash()
    each.look(0.1, 2.5, 601)
    each.serve()
    assert [job.spec.rel for job in each.jobs()] == [
        "a_p1.png", "a_p2.png", "b_p1.png", "b_p2.png",
    ]  # fmt: skip
    assert each.tree(each.config.done) == ["a.tif", "all.yaml", "b.tif"]
    assert "did not come: c.tif." in each.reason("all.yaml")


def test_a_document_and_its_sidecar_get_the_same_number_where_a_name_is_taken(each: Rig) -> None:
    (each.config.done / "sub").mkdir(parents=True)
    (each.config.done / "sub/scan.yaml").write_text("of a person\n")
    drop_document(each)
    each.claim()
    each.serve()
    assert each.tree(each.config.done) == ["sub/scan.yaml", "sub/scan~2.tif", "sub/scan~2.yaml"]


def test_a_document_whose_pages_were_not_counted_is_not_served_as_its_first_page(
    each: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_document(each)

    def killed(_: object) -> int:
        raise PictureError("Reading scan.tif crashed the reader (killed).", "Save it again.")

    with monkeypatch.context() as patch:  # by a kernel that is out of memory, say
        patch.setattr(each.reader, "count_pages", killed)
        (job,) = each.claim()
    assert job.state is JobState.FAILED
    each.serve()
    assert "crashed the reader" in each.reason("sub/scan.tif")
    assert each.tree(each.config.failed) == ["sub/scan.tif", "sub/scan.tif.reason.txt",
                                             "sub/scan.yaml"]  # fmt: skip
    each.ledger.give_order("retry", job.id)
    each.look(2.5, 11)
    assert [job.spec.rel for job in each.jobs(JobState.QUEUED)] == [f"sub/{name}" for name in PAGES]


def test_a_list_of_documents_and_pictures_is_served_whole(each: Rig) -> None:
    each.drop("a.tif", documents.tiff(64, 72))
    each.picture("b.png")
    each.drop("all.yaml", "prompt: a lake\nimages: [a.tif, b.png]\n")
    assert [job.spec.rel for job in each.claim()] == ["a_p1.png", "a_p2.png", "b.png"]
    each.serve()
    assert each.tree(each.config.done) == ["a.tif", "all.yaml", "b.png"]


@pytest.mark.parametrize("again", [False, True], ids=["once", "in-recovery-too"])
@pytest.mark.parametrize("lost", [False, True], ids=["crash", "ledger-lost"])
def test_a_crash_anywhere_in_the_claim_loses_nothing_and_doubles_nothing(
    make_rig: RigMaker, monkeypatch: pytest.MonkeyPatch, again: bool, lost: bool
) -> None:
    monkeypatch.setattr(claim, "AT_ONCE", 1)
    at, crashed = 0, True
    while crashed:
        at += 3 if again or lost else 2
        rig = make_rig(root=f"crash {at}", pages="each")
        drop_document(rig)
        rig.look()
        with crash_at(at) as countdown:
            try:
                rig.look(2.5)
                crashed = False
            except Crash:
                pass
        where = f"{at}: before {countdown.last}"
        if lost:
            rig.lose_ledger()
        else:
            rig.crash()
        if again:
            with crash_at(2 + at % 5):
                try:
                    rig.look()
                except Crash:
                    rig.crash()
        rig.look(0.1, 2.5, 11)
        rels = sorted(job.spec.rel for job in rig.jobs())  # taken up again in any order
        assert rels == [f"sub/{name}" for name in PAGES], where
        assert {job.state for job in rig.jobs()} == {JobState.QUEUED}, where
        assert {job.spec.asked.prompt for job in rig.jobs()} == {"a lake"}, where
        assert rig.tree(rig.folder) == [], where
        shared = sorted(path.name for path in rig.spool.glob("*-sidecar/*"))
        assert shared == ["scan.tif", "scan.yaml"], where
        assert not list(rig.spool.glob("pages-*")), where
        rig.close()
    assert at > 20, "the claim has more steps than that: were they counted?"


def test_a_crash_while_the_document_is_archived_is_finished(make_rig: RigMaker) -> None:
    at, crashed = 0, True
    while crashed:
        at += 5
        rig = make_rig(root=f"crash {at}", pages="each")
        drop_document(rig)
        for job in rig.claim():
            rig.ledger.give_order("cancel", job.id)
        crashed = False
        with crash_at(at):
            try:
                rig.serve()
            except Crash:
                crashed = True
        rig.crash()
        rig.look()
        rig.serve()
        found = [name for name in rig.tree(rig.config.failed) if not name.endswith(".reason.txt")]
        pages = [f"sub/{name}{end}" for name in PAGES for end in ("", ".yaml")]
        assert found == sorted(["sub/scan.tif", "sub/scan.yaml", *pages]), at
        rig.close()


def test_of_a_long_name_pages_ask_for_what_stands_behind_the_cut_too(make_rig: RigMaker) -> None:
    rig = make_rig(pages="each", prompt_from_name=True)
    rig.drop(f"{'a red barn ' * 18}__seed123456.tif", documents.tiff(64, 72))
    jobs = rig.claim()
    assert [job.state for job in jobs] == [JobState.QUEUED] * 2
    assert {job.spec.asked.seed for job in jobs} == {123456}


def test_names_of_pages_sort_and_fit() -> None:
    assert page_names("scan.pdf", 10)[0] == "scan_p01.png"
    assert max(len(name.encode()) for name in page_names("ü" * 120 + ".pdf", 400)) < 215
