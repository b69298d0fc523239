"""What the daemon is doing, read from the ledger alone, as plain values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass

from img2imgd import filesystems
from img2imgd.config import Config, options
from img2imgd.errors import shown
from img2imgd.job import JobState
from img2imgd.ledger import NOT_RELOADED, Activity, Ending, Ledger, WaitingRow
from img2imgd.pool.progress import fields_of_stat
from img2imgd.status.cards import Ended, Names, Queued, Running, ended_of, iso
from img2imgd.status.queue import Standing, queue_of, running_of

_RECENT = 10  # results and failures that a report shows
_SHOWN = 50  # queued jobs, and waiting files
_MOST_RUNNING = 100  # as many as the worker has frames at most


@dataclass(frozen=True)
class WaitingFile:
    """A file that lies in an inbox, why it is not claimed, and when it is, or is set aside.

    ``until`` is None where time alone changes nothing.
    """

    inbox: str
    file: str
    why: str
    until: str | None


@dataclass(frozen=True)
class Unavailable:
    """An inbox, by its path, that cannot be served, and why."""

    inbox: str
    why: str


@dataclass(frozen=True)
class Report:
    """All that ``img2imgd status`` says; times are ISO 8601 in UTC, texts fit on one line.

    ``running`` is whether the daemon does. ``loading`` is the model that is being loaded, ``model``
    the one that was last; ``waits_for`` is what everything, or some job, waits for. ``queued``,
    ``waiting`` and the others are the first of ``queued_total``, ``waiting_total``, and of what
    ``counts`` says. ``free_bytes`` are of the outbox's disk. ``not_reloaded`` is why the config of
    before holds, ``page`` where the page is, and ``options`` what commands need to find the config.
    """

    root: str
    running: bool
    pid: int | None
    host: str
    paused_since: str | None
    model: str
    device: str
    loading: str
    waits_for: str
    unavailable: tuple[Unavailable, ...]
    counts: dict[str, int]
    current: tuple[Running, ...]
    queued: tuple[Queued, ...]
    queued_total: int
    waiting: tuple[WaitingFile, ...]
    waiting_total: int
    results: tuple[Ended, ...]
    failures: tuple[Ended, ...]
    free_bytes: int | None
    not_reloaded: str = ""
    page: str = ""
    options: str = ""


def make_report(
    ledger: Ledger | None,
    config: Config,
    *,
    recent: int = _RECENT,
    shown_most: int = _SHOWN,
) -> Report:
    """Read everything from the ledger, as of one moment; None is a root that was never served.

    ``recent`` is how many results and failures there are at most, ``shown_most`` how many queued
    jobs and waiting files.
    """
    with nullcontext() if ledger is None else ledger.snapshot():
        return _Reading(ledger, config).report(recent, shown_most)


class _Reading:
    """One look at the ledger."""

    def __init__(self, ledger: Ledger | None, config: Config) -> None:
        self._ledger = ledger
        self._config = config
        self._facts = ledger.facts() if ledger else {}
        self._names = Names(inbox.path for inbox in config.inboxes)
        self._pid = int(self._facts.get("pid", "0")) or None
        self._host = self._facts.get("host", "")
        self._running = self._pid is not None and is_alive(self._pid, self._host)
        self._free = _free_bytes(config)

    def report(self, recent: int, most: int) -> Report:
        ledger = self._ledger
        counts = ledger.counts() if ledger else {}
        paused = ledger.paused_since if ledger else None
        activity = (ledger.activity() if ledger and self._running else None) or Activity()
        waits_for = self._waits_for(counts)
        standing = Standing(self._running, paused is not None, waits_for, activity)
        current, queued = self._jobs(standing, most)
        started = sum(1 for job in current if job.state in ("claiming", "queued"))
        return Report(
            root=shown(str(self._config.root)),
            running=self._running,
            pid=self._pid if self._running else None,
            host=self._host,
            paused_since=None if paused is None else iso(paused),
            model=self._facts.get("model", "") if self._running else "",
            device=self._facts.get("device", "") if self._running else "",
            loading=activity.loading,
            waits_for=waits_for,
            unavailable=self._unavailable(),
            counts=counts,
            current=current,
            queued=queued,
            queued_total=counts.get("queued", 0) + counts.get("claiming", 0) - started,
            waiting=tuple(map(self._waiting, ledger.waiting_files(most) if ledger else ())),
            waiting_total=ledger.count_waiting() if ledger else 0,
            results=self._ended("results", recent),
            failures=self._ended("failures", recent),
            free_bytes=self._free,
            not_reloaded=shown(self._facts.get(NOT_RELOADED, "")) if self._running else "",
            page=page_address(self._config.status.listen),
            options=options(self._config),
        )

    def _jobs(
        self, standing: Standing, most: int
    ) -> tuple[tuple[Running, ...], tuple[Queued, ...]]:
        """Jobs at work, those that are painted first, and the queue."""
        if self._ledger is None:
            return (), ()
        under_way = (JobState.RUNNING, JobState.PUBLISHING)
        started = self._ledger.jobs_in(*under_way, limit=_MOST_RUNNING)
        queue = self._ledger.first_queued(most + 1)
        begun = standing.taken_up(queue)
        rows = [*started, *begun]
        ran_before = [row for row in queue if row.started_at is not None]
        frames = self._ledger.progress([row.id for row in (*rows, *ran_before)])
        rows.sort(key=standing.rank)
        at_work = tuple(
            running_of(row, self._names, standing, self._ledger.frames, frames.get(row.id))
            for row in rows
        )
        waiting = [row for row in queue if row not in begun][:most]
        return at_work, queue_of(waiting, self._names, standing, frames)

    def _ended(self, kind: Ending, limit: int) -> tuple[Ended, ...]:
        if self._ledger is None or not limit:
            return ()
        ordered = frozenset(order.job for order in self._ledger.orders("retry"))
        page = self._ledger.ended(kind, limit)
        return tuple(ended_of(row, self._names, row.id in ordered) for row in page.jobs)

    def _waits_for(self, counts: dict[str, int]) -> str:
        """What the daemon waits for; a full disk may not even let it say so."""
        told = self._facts.get("waits_for", "")
        least = self._config.limits.min_free_gb * 1e9
        work = sum(counts.get(state.value, 0) for state in JobState if not state.ended)
        if told or not self._running or not work or self._free is None or self._free >= least:
            return told if self._running else ""
        return (
            f"Only {self._free / 1e9:.1f} GB are free for the outbox; "
            f"limits.min_free_gb asks for {least / 1e9:g}."
        )

    def _unavailable(self) -> tuple[Unavailable, ...]:
        if self._ledger is None or not self._running:
            return ()
        away = self._ledger.unavailable()
        return tuple(Unavailable(shown(inbox), shown(why)) for inbox, why in away.items())

    def _waiting(self, row: WaitingRow) -> WaitingFile:
        until = row.until if self._running else None
        return WaitingFile(
            self._names.of(row.inbox), shown(row.rel), shown(row.why),
            None if until is None else iso(until),
        )  # fmt: skip


def page_address(listen: str | None) -> str:
    """Where a browser finds the page by ``status.listen``; empty where it is off."""
    if listen is None or listen.startswith("unix:"):
        return shown(listen or "")
    return shown(f"http://{listen}/")


def is_running(facts: Mapping[str, str]) -> bool:
    """True if the daemon that these facts of a ledger tell of is there."""
    pid = int(facts.get("pid", "0"))
    return bool(pid) and is_alive(pid, facts.get("host", ""))


def is_alive(pid: int, host: str) -> bool:
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


def _free_bytes(config: Config) -> int | None:
    with suppress(OSError):
        free = filesystems.free_bytes(config.outbox)
        return free if free != filesystems.UNTOLD else None
    return None
