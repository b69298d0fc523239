"""A report of queue, running jobs, results and failures, as plain values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from img2imgd.errors import shown
from img2imgd.job import FrameState, JobState
from img2imgd.ledger import JobRow, Ledger
from img2imgd.pool.progress import fields_of_stat

_RECENT = 10  # results and failures that a report shows


@dataclass(frozen=True)
class JobReport:
    """One job. ``steps_done`` of ``steps`` denoising steps have run, over all its frames."""

    id: str
    picture: str
    state: str
    prompt: str
    claimed_at: str
    ended_at: str | None
    frames: int
    frames_done: int
    steps: int
    steps_done: int
    attempts: int
    reason: str
    published: str


@dataclass(frozen=True)
class WaitingFile:
    """A file that lies in an inbox, and why it is not claimed."""

    inbox: str
    file: str
    why: str


@dataclass(frozen=True)
class Report:
    """All that ``img2imgd status`` says. ``unavailable`` are inboxes, each with the reason."""

    running: bool
    pid: int | None
    host: str
    model: str
    device: str
    waits_for: str
    unavailable: dict[str, str]
    counts: dict[str, int]
    current: tuple[JobReport, ...]
    queued: tuple[JobReport, ...]
    waiting: tuple[WaitingFile, ...]
    results: tuple[JobReport, ...]
    failures: tuple[JobReport, ...]


def make_report(ledger: Ledger) -> Report:
    """Read everything at once from the ledger."""
    facts = ledger.facts()
    pid, host = int(facts.get("pid", "0")) or None, facts.get("host", "")
    failed = {JobState.FAILED, JobState.CANCELLED}
    running = pid is not None and _is_alive(pid, host)
    return Report(
        running=running,
        pid=pid,
        host=host,
        model=facts.get("model", ""),
        device=facts.get("device", ""),
        waits_for=facts.get("waits_for", ""),
        unavailable=ledger.unavailable() if running else {},
        counts=ledger.counts(),
        current=_reports(ledger, ledger.jobs_in(JobState.RUNNING, JobState.PUBLISHING)),
        queued=_reports(ledger, ledger.jobs_in(JobState.CLAIMING, JobState.QUEUED, limit=50)),
        waiting=tuple(WaitingFile(inbox, shown(rel), why) for inbox, rel, why in ledger.waiting()),
        results=_reports(ledger, ledger.last_ended(_RECENT, {JobState.DONE})),
        failures=_reports(ledger, ledger.last_ended(_RECENT, failed)),
    )


def report_job(ledger: Ledger, row: JobRow) -> JobReport:
    """One job with its frames' progress."""
    frames = ledger.frames(row.id)
    done = {FrameState.STAGED, FrameState.PUBLISHED, FrameState.FAILED}
    request = row.spec.request
    return JobReport(
        id=row.id,
        picture=shown(row.spec.rel),
        state=row.state.value,
        prompt=request.prompt if request else "",
        claimed_at=_iso(row.claimed_at),
        ended_at=_iso(row.ended_at) if row.ended_at else None,
        frames=len(frames),
        frames_done=sum(frame.state in done for frame in frames),
        steps=sum(frame.steps for frame in frames),
        steps_done=sum(
            frame.steps if frame.state in done else min(frame.step, frame.steps) for frame in frames
        ),
        attempts=row.attempts,
        reason=row.reason,
        published=row.published,
    )


def _reports(ledger: Ledger, rows: list[JobRow]) -> tuple[JobReport, ...]:
    return tuple(report_job(ledger, row) for row in rows)


def is_running(facts: Mapping[str, str]) -> bool:
    """True if the daemon that these facts of a ledger tell of is there."""
    pid = int(facts.get("pid", "0"))
    return bool(pid) and _is_alive(pid, facts.get("host", ""))


def _is_alive(pid: int, host: str) -> bool:
    """True if the daemon's process exists; a daemon on another host is believed."""
    if host != os.uname().nodename:
        return True
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    state = fields_of_stat(pid)[:1]  # a process that was killed may not have been buried yet
    return state != ["Z"]


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
