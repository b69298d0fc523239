"""The ledger: what is written comes back, to other connections too."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from img2imgd.errors import EnvironmentFault
from img2imgd.job import FrameState, JobState
from img2imgd.ledger import (
    ArchivePlan,
    BundleRow,
    FileEntry,
    JobSpec,
    Ledger,
    Outputs,
    open_ledger,
    read_ledger,
)
from img2imgd.request import Request

ODD = os.fsdecode(b"sub\xfe/\xff cat\n.png")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    opened = open_ledger(path)
    yield opened
    opened.close()


def spec(job: str = "J1", rel: str = "cat.png", **changes: object) -> JobSpec:
    request = Request(
        prompt="a lake \U0001f431", negative_prompt="", strength=0.5, guidance_scale=7.5, steps=10,
        seed=7, model="demo", sweep={"strength": (0.2, 0.4)}, size=(64, 128), styles=("ink",),
    )  # fmt: skip
    name = rel.rpartition("/")[2]
    made = JobSpec(
        id=job, inbox="/in", rel=rel, mode="move",
        files=(FileEntry("picture", name, f"/in/{rel}", "move", 2**63, 5, 6),),
        request=request, outputs=Outputs("sub", "set", ("a.png", "b.png")), notes=("note",),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def add(ledger: Ledger, state: JobState = JobState.QUEUED, **changes: object) -> JobSpec:
    made = spec(**changes)  # type: ignore[arg-type]
    ledger.add_job(made, state, [(0, 2), (1, 4)] if made.outputs else [])
    return made


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


def test_served_content_is_remembered_for_a_path(ledger: Ledger) -> None:
    assert ledger.served("/in", ODD) is None
    ledger.set_served("/in", ODD, "one")
    ledger.set_served("/in", ODD, "two")
    assert ledger.served("/in", ODD) == "two"
    assert ledger.served("/other", ODD) is None


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


def test_queued_jobs_of_one_path(ledger: Ledger) -> None:
    add(ledger, job="J1", rel=ODD)
    add(ledger, job="J2", rel=ODD, state=JobState.RUNNING)
    add(ledger, job="J3", rel="other.png")
    assert [row.id for row in ledger.queued_for("/in", ODD)] == ["J1"]


# Transactions and connections


def test_a_transaction_that_fails_leaves_nothing(ledger: Ledger) -> None:
    def fail() -> None:
        with ledger.transaction():
            add(ledger)
            ledger.set_facts(pid="1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert ledger.job("J1") is None
    assert ledger.facts() == {}
    add(ledger)
    assert ledger.job("J1") is not None


def test_a_reader_sees_what_is_committed_while_another_writes(path: Path, ledger: Ledger) -> None:
    reader = read_ledger(path)
    assert reader is not None
    with ledger.transaction():
        add(ledger)
        assert reader.job("J1") is None
    assert reader.job("J1") is not None
    with pytest.raises(sqlite3.OperationalError):
        reader.sql.execute("DELETE FROM jobs")
    reader.close()


def test_a_ledger_can_be_read_after_its_writer_has_gone(path: Path) -> None:
    writer = open_ledger(path)
    add(writer)
    writer.close()
    reader = read_ledger(path)
    assert reader is not None
    assert reader.counts() == {"queued": 1}
    reader.close()


def test_without_a_ledger_there_is_nothing_to_read(path: Path) -> None:
    assert read_ledger(path) is None
    assert not path.exists()


def test_threads_write_at_the_same_time_through_connections_of_their_own(path: Path) -> None:
    open_ledger(path).close()

    def write(name: str) -> None:
        mine = open_ledger(path)
        for number in range(15):
            add(mine, job=f"{name}{number}")
        mine.close()

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    reader = open_ledger(path)
    assert reader.counts() == {"queued": 45}
    reader.close()


def test_what_is_written_survives_reopening(path: Path) -> None:
    for _ in range(2):
        opened = open_ledger(path)
        if opened.job("J1") is None:
            add(opened)
        assert opened.job("J1") is not None
        opened.close()


def test_a_ledger_of_a_newer_version_is_refused(path: Path) -> None:
    open_ledger(path).close()
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA user_version=99")
    raw.close()
    with pytest.raises(EnvironmentFault, match="newer"):
        open_ledger(path)


def test_a_file_that_is_no_ledger_is_refused(path: Path) -> None:
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(EnvironmentFault, match=r"ledger\.sqlite"):
        open_ledger(path)


def test_a_ledger_that_cannot_be_written_is_a_fault_of_the_environment(
    path: Path, ledger: Ledger
) -> None:
    ledger.sql.execute("PRAGMA query_only=ON")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        add(ledger)
    ledger.sql.execute("PRAGMA query_only=OFF")
    add(ledger)


@pytest.fixture
def many(ledger: Ledger) -> Callable[[int], None]:
    def fill(count: int) -> None:
        with ledger.transaction():
            for number in range(count):
                add(ledger, job=f"J{number}", rel=f"{number}.png")

    return fill


def test_the_queries_of_every_step_use_an_index(
    ledger: Ledger, many: Callable[[int], None]
) -> None:
    many(50)
    for query in (
        "SELECT * FROM jobs WHERE state='queued' ORDER BY rowid LIMIT 5",
        "SELECT * FROM jobs WHERE archived=0 AND state IN ('done') ORDER BY rowid",
        "SELECT * FROM jobs WHERE inbox='/in' AND stem=x'30' ORDER BY rowid DESC LIMIT 1",
    ):
        plan = " ".join(row[3] for row in ledger.sql.execute(f"EXPLAIN QUERY PLAN {query}"))
        assert "USING INDEX" in plan, (query, plan)


def test_a_known_ledger_is_opened_without_a_write(ledger: Ledger, path: Path) -> None:
    """A full disk has no room for one."""
    log = path.with_name("ledger.sqlite-wal")
    before = log.stat()
    open_ledger(path).close()
    assert (log.stat().st_size, log.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
