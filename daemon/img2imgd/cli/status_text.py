"""The report as plain lines that programs can search, and what has changed between two of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from img2imgd.cli.wording import counted, duration, moment
from img2imgd.hub.sizes import in_words
from img2imgd.status import Ended, Report, Running


def lines(report: Report, now: datetime) -> Iterator[str]:
    """The whole report, a fact a line; ``now`` has the time zone that times are told in."""
    yield head(report)
    yield from _standing(report, now)
    yield "jobs: " + (", ".join(f"{n} {state}" for state, n in report.counts.items()) or "none")
    for job in report.current:
        yield _line(job.phase, job.picture, progress(job), job.why)
    for job in report.queued:
        painted = f"{job.frames_done}/{job.frames} frames painted" if job.frames_done else ""
        yield _line("queued", job.picture, job.prompt, painted, job.why)
    yield from _more("queued", report.queued_total - len(report.queued))
    for file in report.waiting:
        until = f"until {moment(file.until, now)}" if file.until else ""
        yield _line("in inbox", file.file, file.why, until)
    yield from _more("in inbox", report.waiting_total - len(report.waiting))
    for job in report.results:
        yield _line("done", job.picture, job.published)
        yield from (f"{'':13}{note}" for note in job.notes)
    for job in report.failures:
        yield _line(job.state, job.picture, first_line(job))
        yield f"{'':13}{again(job, report)}"


def head(report: Report) -> str:
    """Whether it runs, where, and with which model."""
    if not report.running:
        return "not running"
    model = f", model {report.model} on {report.device}" if report.model else ""
    return f"running: pid {report.pid} on {report.host}{model}"


def progress(job: Running) -> str:
    """How far a job is."""
    share = job.steps_done / job.steps if job.steps else 0
    left = "" if job.seconds_left is None else f", {duration(job.seconds_left)} left"
    return f"{share:.0%}, {job.frames_done}/{counted(job.frames, 'frame')}{left}"


def first_line(job: Ended) -> str:
    """The first line of why a job failed."""
    return job.reason.partition("\n")[0] or "no reason was noted"


def again(job: Ended, report: Report) -> str:
    """How to have a job tried again."""
    if job.ordered:
        return "is tried again soon: that was asked for"
    if job.retry_why:
        return f"cannot be tried again: {job.retry_why}"
    return f"try again: {command_of(report, 'retry')} {job.id}"


def command_of(report: Report, verb: str) -> str:
    """How a command is called for the root that the report is of."""
    return f"img2imgd {verb} {report.options}".rstrip()


def changes(before: Report, after: Report) -> Iterator[str]:
    """What has happened from one report to the next, a line each."""
    if head(before) != head(after):
        yield head(after)
    if after.loading and after.loading != before.loading:
        yield f"loads the model {after.loading}"
    if before.waits_for != after.waits_for:
        yield f"waits for: {after.waits_for}" if after.waits_for else "waits for nothing any more"
    if after.not_reloaded and after.not_reloaded != before.not_reloaded:
        yield f"config not reloaded: the one before holds: {after.not_reloaded}"
    if bool(before.paused_since) != bool(after.paused_since):
        yield "paused" if after.paused_since else "resumed"
    known = {(away.inbox, away.why) for away in before.unavailable}
    for away in after.unavailable:
        if (away.inbox, away.why) not in known:
            yield f"unavailable: {away.inbox}: {away.why}"
    earlier = {job.id: (job.phase, job.frames_done, job.why) for job in before.current}
    for job in after.current:
        if earlier.get(job.id) != (job.phase, job.frames_done, job.why):
            yield _line(job.phase, job.picture, progress(job), job.why).lstrip()
    seen = {job.id for job in (*before.results, *before.failures)}
    for job in reversed(after.results):
        if job.id not in seen:
            yield _line("done", job.picture, job.published).lstrip()
    for job in reversed(after.failures):
        if job.id not in seen:
            yield _line(job.state, job.picture, first_line(job), again(job, after)).lstrip()
    if (before.queued_total, before.waiting_total) != (after.queued_total, after.waiting_total):
        yield f"{after.queued_total} queued, {after.waiting_total} in the inboxes"


def _standing(report: Report, now: datetime) -> Iterator[str]:
    if not report.running:
        yield f"start it: {command_of(report, 'run')}"
    if report.paused_since:
        since = moment(report.paused_since, now)
        yield f"paused: since {since}; {command_of(report, 'resume')} goes on"
    if report.not_reloaded:
        yield f"config not reloaded: the one before holds: {report.not_reloaded}"
    if report.running and report.page:
        yield f"page: {report.page}"
    if report.loading:
        yield f"loads: the model {report.loading}"
    if report.waits_for:
        yield f"waits for: {report.waits_for}"
    for away in report.unavailable:
        yield f"unavailable: {away.inbox}: {away.why}"
    if report.free_bytes is not None:
        yield f"free: {in_words(report.free_bytes)} for the outbox"


def _line(what: str, about: str, *facts: str) -> str:
    return f"  {what:10} {about}" + "".join(f": {fact}" for fact in facts if fact)


def _more(what: str, count: int) -> Iterator[str]:
    if count > 0:
        yield f"  {what:10} and {count:,} more"
