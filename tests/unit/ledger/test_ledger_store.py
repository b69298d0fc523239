"""The ledger: what is written comes back, to other connections too."""

from __future__ import annotations

import os

import pytest
from recorded import ODD, add, spec

from img2imgd.job import FrameState, JobState
from img2imgd.ledger import (
    ArchivePlan,
    BundleRow,
    JobSpec,
    Ledger,
)
from img2imgd.request import Request


@pytest.mark.parametrize("rel", ["cat.png", ODD, os.fsdecode(b"\xff.png")])
def test_a_job_comes_back_as_it_was_recorded(ledger: Ledger, rel: str) -> None:
    recorded = add(ledger, rel=rel)
    row = ledger.job("J1")
    assert row is not None
    assert row.spec == recorded
    assert row.spec == JobSpec.from_json(recorded.to_json())
    assert recorded.to_json().isascii()
    assert (row.state, row.attempts, row.suspect, row.archived) == (
        JobState.QUEUED, 0, False, False,
    )  # fmt: skip
    assert ledger.newest_for("/in", rel, stem_only=False, since=0) == row
    assert ledger.job("J2") is None


def test_a_refused_job_has_no_request_and_says_so(ledger: Ledger) -> None:
    refused = add(ledger, request=None, outputs=None, error=os.fsdecode(b"no \xff"))
    row = ledger.job("J1")
    assert row is not None
    assert row.spec == refused
    assert row.reason == "no \\udcff"
    for ask in (lambda: refused.asked, lambda: refused.reserved):
        with pytest.raises(ValueError, match="J1"):
            ask()


def test_a_job_file_of_another_version_is_refused() -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        JobSpec.from_json('{"files": [], "notes": [], "outputs": null, "request": null}')


def test_states_keep_their_times(ledger: Ledger) -> None:
    add(ledger)
    ledger.set_state("J1", JobState.RUNNING)
    started = ledger.job("J1").started_at  # type: ignore[union-attr]
    ledger.set_state("J1", JobState.QUEUED)
    ledger.set_state("J1", JobState.RUNNING)
    row = ledger.job("J1")
    assert row is not None
    assert started is not None
    assert (row.started_at, row.ended_at) == (started, None)
    ledger.set_state("J1", JobState.FAILED, "why")
    row = ledger.job("J1")
    assert row is not None
    assert row.reason == "why"
    assert row.ended_at is not None
    assert row.ended_at >= started


def test_jobs_come_in_the_order_of_their_claims_whatever_their_ids(ledger: Ledger) -> None:
    for job in ("J9", "J1", "J5"):
        add(ledger, job=job)
    assert [row.id for row in ledger.jobs_in(JobState.QUEUED)] == ["J9", "J1", "J5"]
    assert [row.id for row in ledger.queued(2)] == ["J9", "J1"]
    newest = ledger.newest_for("/in", "cat.png", stem_only=False, since=0)
    assert newest is not None
    assert newest.id == "J5"


def test_queued_jobs_can_leave_out_models(ledger: Ledger) -> None:
    other = Request.from_json(spec().asked.to_json().replace('"demo"', '"other"'))
    add(ledger, job="J1")
    add(ledger, job="J2", request=other)
    assert [row.id for row in ledger.queued(9, without_models=["demo"])] == ["J2"]
    assert [row.id for row in ledger.queued(9)] == ["J1", "J2"]


def test_queued_jobs_can_be_those_of_one_model(ledger: Ledger) -> None:
    other = Request.from_json(spec().asked.to_json().replace('"demo"', '"other"'))
    for job, request in (("J1", spec().asked), ("J2", other), ("J3", other)):
        add(ledger, job=job, request=request)
    assert [row.id for row in ledger.queued(1, model="other")] == ["J2"]
    assert [row.id for row in ledger.queued(9, model="demo")] == ["J1"]
    assert ledger.queued(9, without_models=["other"], model="other") == []


def test_the_newest_job_of_a_stem_or_a_path_since_a_moment(ledger: Ledger) -> None:
    add(ledger, job="J1", rel="sub/cat.png")
    add(ledger, job="J2", rel="sub/cat.jpg")
    add(ledger, job="J3", rel="cat.png")
    add(ledger, job="J4", rel="sub/cat.png", state=JobState.REPLACED)

    def newest(rel: str, *, stem_only: bool, since: float = 0) -> str | None:
        row = ledger.newest_for("/in", rel, stem_only=stem_only, since=since)
        return row.id if row else None

    assert newest("sub/cat", stem_only=True) == "J2"
    assert newest("sub/cat.png", stem_only=False) == "J1"
    assert newest("sub/cat", stem_only=True, since=2**40) is None
    assert newest("sub/dog", stem_only=True) is None


def test_attempts_count_up_and_are_forgiven(ledger: Ledger) -> None:
    add(ledger)
    assert [ledger.count_attempt("J1") for _ in range(3)] == [1, 2, 3]
    ledger.clear_attempts("J1")
    assert ledger.count_attempt("J1") == 1


def test_frames_move_on_with_their_steps(ledger: Ledger) -> None:
    add(ledger)
    ledger.set_steps({("J1", 0): 1, ("J1", 1): 2, ("gone", 0): 3})
    assert [frame.step for frame in ledger.frames("J1")] == [1, 2]
    ledger.set_frame("J1", 0, FrameState.STAGED)
    ledger.set_frame("J1", 1, FrameState.FAILED, "no room")
    ledger.set_published("J1", "sub/set")
    frames = ledger.frames("J1")
    assert [frame.state for frame in frames] == [FrameState.PUBLISHED, FrameState.FAILED]
    assert [(frame.step, frame.steps) for frame in frames] == [(2, 2), (0, 4)]
    assert [frame.name for frame in frames] == ["a.png", "b.png"]
    assert frames[1].reason == "no room"


def test_archiving_ends_a_job_and_frees_its_names(ledger: Ledger) -> None:
    add(ledger)
    plan = ArchivePlan("done", "/done", {os.fsdecode(b"\xff"): "x"}, "")
    assert ledger.reserve("/out", "cat.png", "J1")
    ledger.set_archive("J1", plan, JobState.DONE, "")
    (row,) = ledger.unarchived()
    assert (row.archive, row.state) == (plan, JobState.DONE)
    assert not ledger.reserve("/out", "cat.png", "J2")
    ledger.set_archived("J1")
    assert ledger.unarchived() == []
    assert ledger.reserve("/out", "cat.png", "J2")


def test_names_are_reserved_for_each_outbox(ledger: Ledger) -> None:
    assert ledger.reserve("/a", "cat.png", "J1")
    assert not ledger.reserve("/a", "cat.png", "J2")
    assert ledger.reserve("/b", "cat.png", "J2")


def test_an_undone_claim_leaves_nothing(ledger: Ledger) -> None:
    add(ledger)
    ledger.reserve("/out", "cat.png", "J1")
    ledger.drop_job("J1")
    assert ledger.job("J1") is None
    assert ledger.frames("J1") == []
    assert ledger.reserve("/out", "cat.png", "J2")


def test_bundles_have_their_jobs_until_they_end(ledger: Ledger) -> None:
    bundle = BundleRow("B1", "/in", ODD, os.fsdecode(b"\xff.yaml"), 42)
    ledger.add_bundle(bundle)
    add(ledger, job="J1", bundle="B1")
    add(ledger, job="J2")
    assert ledger.open_bundles() == [bundle]
    assert [row.id for row in ledger.jobs_of_bundle("B1")] == ["J1"]
    ledger.end_bundle("B1")
    assert ledger.open_bundles() == []


def test_what_waits_is_replaced_as_a_whole_for_each_inbox(ledger: Ledger) -> None:
    ledger.set_waiting("/in", {ODD: os.fsdecode(b"for \xff"), "b": "x"})
    ledger.set_waiting("/other", {"c": "y"})
    ledger.set_waiting("/in", {ODD: os.fsdecode(b"for \xff")})
    assert ledger.waiting() == [("/in", ODD, "for \\udcff"), ("/other", "c", "y")]


def test_an_empty_fact_is_no_fact(ledger: Ledger) -> None:
    ledger.set_facts(pid="1", waits_for=os.fsdecode(b"\xff"))
    assert ledger.facts() == {"pid": "1", "waits_for": "\\udcff"}
    ledger.set_facts(pid="")
    assert "pid" not in ledger.facts()


def test_counts_and_what_ended_last(ledger: Ledger) -> None:
    for job in ("J1", "J2", "J3"):
        add(ledger, job=job)
    ledger.set_state("J2", JobState.DONE)
    ledger.set_state("J1", JobState.FAILED)
    assert ledger.counts() == {"queued": 1, "done": 1, "failed": 1}
    assert [row.id for row in ledger.last_ended(5)] == ["J1", "J2"]
    assert [row.id for row in ledger.last_ended(1)] == ["J1"]


def test_what_was_under_way_at_a_mark_or_came_later(ledger: Ledger) -> None:
    start = ledger.mark()
    for job in ("J1", "J2", "J3"):
        add(ledger, job=job)
    for job in ("J1", "J2"):
        ledger.set_state(job, JobState.DONE)
    ledger.set_archived("J1")
    later = ledger.mark()
    add(ledger, job="J4")
    for job in ("J2", "J3", "J4"):
        ledger.set_state(job, JobState.FAILED)
        ledger.set_archived(job)
    assert [row.id for row in ledger.jobs_since(start)] == ["J1", "J2", "J3", "J4"]
    assert [row.id for row in ledger.jobs_since(later)] == ["J2", "J3", "J4"]
    assert ledger.jobs_since(ledger.mark()) == []


def test_a_job_that_takes_the_number_of_an_undone_claim_came_later(ledger: Ledger) -> None:
    add(ledger, job="J1", state=JobState.CLAIMING)
    mark = ledger.mark()
    ledger.drop_job("J1")
    add(ledger, job="J2")
    ledger.set_state("J2", JobState.DONE)
    ledger.set_archived("J2")
    assert [row.id for row in ledger.jobs_since(mark)] == ["J2"]


def test_queued_jobs_of_one_path_and_one_spool_that_never_started(ledger: Ledger) -> None:
    add(ledger, job="J1", rel=ODD, spool="s1")
    add(ledger, job="J2", rel=ODD, spool="s1", state=JobState.RUNNING)
    add(ledger, job="J3", rel="other.png", spool="s1")
    add(ledger, job="J4", rel=ODD, spool="s2")
    add(ledger, job="J5", rel=ODD)
    add(ledger, job="J6", rel=ODD, spool="s1")
    ledger.set_state("J6", JobState.RUNNING)
    ledger.set_state("J6", JobState.QUEUED)  # it gave way, and is gone on with
    queued = {home: ledger.queued_for("/in", ODD, home) for home in ("s1", "s2", "/in")}
    assert {home: [row.id for row in rows] for home, rows in queued.items()} == {
        "s1": ["J1"], "s2": ["J4"], "/in": ["J5"],
    }  # fmt: skip
