"""Orders in the ledger: given once, found by job and inbox, ended; what may be ordered at all."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from img2imgd.job import JobState
from img2imgd.ledger import (
    ArchivePlan,
    FileEntry,
    JobRow,
    JobSpec,
    Ledger,
    retried_from,
    why_not_cancelled,
    why_not_retried,
)


def spec(job: str, rel: str = "cat.png", inbox: str = "/in") -> JobSpec:
    file = FileEntry("picture", Path(rel).name, f"{inbox}/{rel}", "move", 1, 2, 3)
    return JobSpec(job, inbox, rel, "move", (file,), None, None, error="wrong")


def row(state: JobState, *, archived: bool = True) -> JobRow:
    plan = ArchivePlan("failed", "/failed", {"cat.png": "cat~2.png"}, "cat~2.png.reason.txt")
    return JobRow(spec("j"), state, 1.0, None, None, 0, False, "", "", plan, archived)


@pytest.mark.parametrize("state", JobState)
def test_what_may_be_cancelled_and_retried_follows_from_the_state(state: JobState) -> None:
    cancellable = {JobState.CLAIMING, JobState.QUEUED, JobState.RUNNING}
    assert (not why_not_cancelled(row(state))) == (state in cancellable)
    retriable = {JobState.FAILED, JobState.CANCELLED}
    assert (not why_not_retried(row(state), None)) == (state in retriable)


def test_a_retry_needs_the_picture_where_it_was_put() -> None:
    failed = row(JobState.FAILED)
    assert retried_from(failed) == Path("/failed/cat~2.png")
    assert "/failed/cat~2.png is gone" in why_not_retried(failed)
    assert not why_not_retried(failed, lambda _: True)
    assert not why_not_retried(row(JobState.FAILED, archived=False)), "it is on its way"
    assert "not in the config" in why_not_retried(failed, lambda _: True, served={"/elsewhere"})

    def silent(_: Path) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    assert "does not answer" in why_not_retried(failed, silent), "which is no word on the picture"
    kept = replace(failed, spec=replace(failed.spec, mode="keep"))
    assert retried_from(kept) == Path("/in/cat.png")


def test_an_order_is_given_once_and_ended_once(ledger: Ledger) -> None:
    ledger.give_order("cancel", "a", "b")
    ledger.give_order("cancel", "a")
    assert [order.job for order in ledger.orders("cancel")] == ["a", "b"]
    assert [order.job for order in ledger.orders("cancel", 1)] == ["a"]
    assert ledger.is_ordered("cancel", "a")
    assert not ledger.is_ordered("retry", "a")
    latest = ledger.latest_order("cancel")
    assert latest is not None
    assert latest.job == "b"
    ledger.end_order(latest)
    ledger.end_orders("a")
    assert ledger.latest_order("cancel") is None


def test_all_jobs_of_a_state_are_ordered_and_retries_found_by_their_inbox(ledger: Ledger) -> None:
    for job, inbox in (("a", "/in"), ("b", "/other"), ("c", "/in")):
        ledger.add_job(spec(job, inbox=inbox), JobState.FAILED)
    ledger.add_job(spec("d"), JobState.DONE)
    assert ledger.order_all("retry", {JobState.FAILED}, [Path("/in")]) == 2
    assert ledger.order_all("retry", {JobState.FAILED}) == 3
    assert [order.job for order in ledger.retries("/in")] == ["a", "c"]
    assert [order.job for order in ledger.retries("/other")] == ["b"]


def test_the_orders_of_a_job_go_with_it(ledger: Ledger) -> None:
    for job in ("a", "b"):
        ledger.add_job(spec(job), JobState.CLAIMING)
        ledger.give_order("cancel", job)
    ledger.drop_job("a")
    ledger.forget_jobs(["b"])
    assert not ledger.orders("cancel")


def test_jobs_are_found_by_the_ends_of_their_ids_and_by_path(ledger: Ledger) -> None:
    first, second = "20261126T101010-aaaa0001", "20261126T101011-aaaa0002"
    ledger.add_job(spec(first, "sub/cat.png"), JobState.DONE)
    ledger.add_job(spec(second, "sub/cat.jpg"), JobState.DONE)
    assert ledger.ids_like("20261126", 9) == [first, second]
    assert ledger.ids_like("0002", 9) == [second]
    assert ledger.ids_like(second, 9) == [second]
    assert ledger.ids_like("aaaa", 9) == []
    assert ledger.ids_at(Path("/in"), "sub/cat.png") == [first]
    assert ledger.ids_at(Path("/in"), "cat.png") == []


def test_a_pause_is_since_its_first_moment_and_ends_once(ledger: Ledger) -> None:
    assert ledger.paused_since is None
    ledger.set_paused(True)
    since = ledger.paused_since
    assert since is not None
    ledger.set_paused(True)
    assert ledger.paused_since == since
    ledger.set_paused(False)
    assert ledger.paused_since is None
