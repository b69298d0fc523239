"""What the daemon does now, as the page shows it: one snapshot for all who look."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

from img2imgd import __version__
from img2imgd.config import Config
from img2imgd.ledger import Ledger
from img2imgd.page.urls import THUMB, input_url, preview_url
from img2imgd.page.wire import Now, QueuedCard, RunningCard, UnavailableInbox, WaitingItem
from img2imgd.pool.messages import FrameSeen
from img2imgd.status import Card, Report, Running, make_report

Glimpse = Callable[[str], FrameSeen | None]

MOST_RUNNING = 8
_ROUND = 50_000_000  # bytes: the space left is told in steps, or it would be news all the time


def make_now(ledger: Ledger, config: Config, glimpse: Glimpse) -> Now:
    """A snapshot; ``glimpse`` gives what was seen last of a job's painting.

    Raises:
        EnvironmentFault, LedgerDamaged: the ledger cannot be read.
    """
    report = make_report(ledger, config, recent=0)
    at_work = [job.id for job in report.current[:MOST_RUNNING]]
    staged = ledger.newest_staged(at_work)
    previews = {job: preview_url(job, index) for job, index in staged.items()}
    for job in at_work:
        if seen := glimpse(job):
            previews[job] = preview_url(job, seen.index, seen.step)
    cancelling = frozenset(order.job for order in ledger.orders("cancel"))
    return now_of(report, previews, cancelling)


def now_of(report: Report, previews: Mapping[str, str], cancelling: Container[str]) -> Now:
    """A report in the page's words, with the addresses of previews by job.

    ``cancelling`` are the jobs that somebody has asked to end.
    """
    return Now(
        version=__version__,
        host=report.host,
        pid=report.pid,
        paused_since=report.paused_since,
        model=report.model,
        device=report.device,
        loading=report.loading,
        waits_for=report.waits_for,
        unavailable=tuple(UnavailableInbox(one.inbox, one.why) for one in report.unavailable),
        counts=report.counts,
        running=tuple(
            _running(job, previews.get(job.id), job.id in cancelling)
            for job in report.current[:MOST_RUNNING]
        ),
        queued=tuple(
            QueuedCard(**fields_of(job), position=job.position, why=job.why)
            for job in report.queued
        ),
        queued_total=report.queued_total,
        waiting=tuple(
            WaitingItem(file.inbox, file.file, file.why, file.until) for file in report.waiting
        ),
        waiting_total=report.waiting_total,
        free_bytes=None if report.free_bytes is None else report.free_bytes // _ROUND * _ROUND,
        not_reloaded=report.not_reloaded,
    )


def fields_of(card: Card) -> dict[str, Any]:
    """What every card of the page has."""
    return {
        "id": card.id,
        "picture": card.picture,
        "inbox": card.inbox,
        "prompt": card.prompt,
        "claimed_at": card.claimed_at,
        "frames": card.frames,
        "kind": card.kind,
    }


def _running(job: Running, preview: str | None, cancelling: bool) -> RunningCard:
    return RunningCard(
        **fields_of(job),
        steps=job.steps,
        steps_done=job.steps_done,
        frames_done=job.frames_done,
        phase=job.phase,
        why=job.why,
        cancelling=cancelling,
        seconds_left=None if job.seconds_left is None else round(job.seconds_left),
        input=input_url(job.id, THUMB),
        preview=preview,
    )
