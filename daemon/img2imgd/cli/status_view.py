"""The report on a terminal. Names and prompts go in as plain text: markup in them is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from img2imgd.cli.status_text import again, command_of, first_line
from img2imgd.cli.wording import counted, duration, moment, seconds_until
from img2imgd.hub.sizes import in_words
from img2imgd.status import Report, Running

_COLOURS = {"done": "green", "failed": "red", "running": "cyan", "publishing": "cyan"}
_NARROW = 60  # columns, below which prompts and bars are left out


def view(report: Report, now: datetime, *, width: int, most: int) -> RenderableType:
    """The whole report, with at most ``most`` rows in each part."""
    parts = [*_head(report, now)]
    narrow = width < _NARROW
    if report.current:
        parts.append(_part("At work", _current(report, narrow, most)))
    if report.queued:
        parts.append(_part("Queue", _queue(report, narrow, most)))
    if report.waiting:
        parts.append(_part("Not claimed", _waiting(report, now, most)))
    if report.results:
        parts.append(_part("Done", _results(report, now, most)))
    if report.failures:
        parts.append(_part("Failed", _failures(report, now, most)))
    return Group(*parts)


def _head(report: Report, now: datetime) -> Iterator[RenderableType]:
    line = Text()
    if report.running:
        line.append("● running", "bold green")
        line.append(f"  pid {report.pid} on {report.host}")
        if report.model:
            line.append(f" · {report.model} on {report.device}")
    else:
        line.append("○ not running", "bold yellow")
        line.append(f"  {command_of(report, 'run')} starts it", "dim")
    yield line
    facts = [Text(report.root, "dim")]
    if report.running and report.page:
        facts.append(Text(report.page, "dim"))
    if report.free_bytes is not None:
        facts.append(Text(f"{in_words(report.free_bytes)} free", "dim"))
    facts += [
        Text(f"{count:,} {state}", _COLOURS.get(state, ""))
        for state, count in report.counts.items()
    ]
    yield Text(" · ", "dim").join(facts)
    for what, style in _standing(report, now):
        yield Text(what, style)


def _standing(report: Report, now: datetime) -> Iterator[tuple[str, str]]:
    if report.paused_since:
        since = moment(report.paused_since, now)
        yield f"‖ paused since {since}: {command_of(report, 'resume')} goes on", "bold yellow"
    if report.not_reloaded:
        yield f"! config not reloaded, the one before holds: {report.not_reloaded}", "bold red"
    if report.loading:
        yield f"… loads the model {report.loading}", "cyan"
    if report.waits_for:
        yield f"! waits for: {report.waits_for}", "bold yellow"
    for away in report.unavailable:
        yield f"! unavailable: {away.inbox}: {away.why}", "bold red"


def _part(title: str, body: RenderableType) -> RenderableType:
    head = Rule(Text(title, "bold"), align="left", style="dim", characters="─")
    return Padding(Group(head, body), (1, 0, 0, 0))


def _grid(*columns: str) -> Table:
    """A table without lines; ``name`` columns are cut, ``text`` ones fold, ``fact`` ones stay."""
    table = Table.grid(padding=(0, 2), expand=True)
    for kind in columns:
        if kind == "name":
            table.add_column(ratio=2, no_wrap=True, overflow="ellipsis")
        elif kind == "text":
            table.add_column(ratio=3, overflow="fold")
        elif kind == "number":
            table.add_column(justify="right", no_wrap=True)
        else:
            table.add_column(no_wrap=True, overflow="ellipsis")
    return table


def _current(report: Report, narrow: bool, most: int) -> RenderableType:
    table = _grid("fact", "name", *([] if narrow else ["fact"]), "number", "number", "number")
    for job in report.current[:most]:
        share = job.steps_done / job.steps if job.steps else 0
        bar = [] if narrow else [ProgressBar(job.steps or 1, job.steps_done, width=16)]
        left = "" if job.seconds_left is None else f"{duration(job.seconds_left)} left"
        table.add_row(
            Text(job.phase, "cyan" if job.phase == "painting" else "dim"),
            Text(job.picture), *bar, Text(f"{share:.0%}"),
            Text(f"{job.frames_done}/{counted(job.frames, 'frame')}"), Text(left),
        )  # fmt: skip
    return Group(table, *_reasons(report.current[:most]), *_more(len(report.current) - most))


def _reasons(jobs: Iterable[Running]) -> Iterator[RenderableType]:
    """Why jobs at work wait, each reason once."""
    for why in dict.fromkeys(job.why for job in jobs if job.why):
        yield Text(f"waits: {why}", "yellow")


def _queue(report: Report, narrow: bool, most: int) -> RenderableType:
    table = _grid("number", "name", "number", *([] if narrow else ["text"]))
    for job in report.queued[:most]:
        frames = f"{job.frames_done}/{job.frames}" if job.frames_done else f"{job.frames}"
        what = Text(job.why, "yellow") if job.why else Text(job.prompt, "dim")
        what.no_wrap, what.overflow = not job.why, "ellipsis"
        table.add_row(
            Text(f"{job.position}"), Text(job.picture),
            Text(f"{frames} {'frame' if job.frames == 1 else 'frames'}"),
            *([] if narrow else [what]),
        )  # fmt: skip
    return Group(table, *_more(report.queued_total - min(most, len(report.queued))))


def _waiting(report: Report, now: datetime, most: int) -> RenderableType:
    table = _grid("name", "text", "number")
    for file in report.waiting[:most]:
        until = "" if file.until is None else _until(file.until, now)
        table.add_row(Text(file.file), Text(file.why), Text(until, "dim"))
    return Group(table, *_more(report.waiting_total - min(most, len(report.waiting))))


def _until(iso: str, now: datetime) -> str:
    rest = seconds_until(iso, now)
    return f"until {moment(iso, now)}" if rest < 1 else f"{duration(rest)} left"


def _results(report: Report, now: datetime, most: int) -> RenderableType:
    table = _grid("number", "name", "name")
    for job in report.results[:most]:
        published = Text(job.published, no_wrap=True, overflow="ellipsis")
        for note in job.notes:
            published.append(f"\n{note}", "dim")
        table.add_row(Text(moment(job.ended_at, now), "dim"), Text(job.picture), published)
    rest = report.counts.get("done", 0) - min(most, len(report.results))
    return Group(table, *_more(rest))


def _failures(report: Report, now: datetime, most: int) -> RenderableType:
    table = _grid("number", "text")
    for job in report.failures[:most]:
        what = Text(job.picture)
        what.append(f"\n{first_line(job)}", "red" if job.state == "failed" else "yellow")
        what.append(f"\n{again(job, report)}", "dim")
        table.add_row(Text(moment(job.ended_at, now), "dim"), what)
    rest = report.counts.get("failed", 0) - min(most, len(report.failures))
    return Group(table, *_more(rest))


def _more(count: int) -> Iterator[RenderableType]:
    if count > 0:
        yield Text(f"… and {count:,} more", "dim")
