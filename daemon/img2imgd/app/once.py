"""``once``: serve what is in the inboxes now, and say how it went."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from img2imgd.app.daemon import Daemon
from img2imgd.config import Config, command
from img2imgd.errors import EnvironmentFault, Exit
from img2imgd.job import JobState
from img2imgd.ledger import JobRow, Ledger, read_ledger


@dataclass(frozen=True)
class Outcome:
    """What became of it: the jobs that ended, the files that stay in the inboxes, the exit code."""

    jobs: tuple[JobRow, ...]
    waiting: tuple[tuple[str, str, str], ...]
    blocked: str
    exit_code: Exit


def serve_once(
    config: Config, timeout: float, watch: Callable[[Ledger, list[JobRow]], None]
) -> Outcome:
    """Serve everything that lies in the inboxes at the start, then stop.

    ``watch`` is called a few times a second with the jobs so far, for progress. ``timeout`` is for
    how many seconds no work is possible (a model or the disk is not to be had, a file is being
    written) before it gives up; the files stay where they are.

    Raises:
        EnvironmentFault: somebody has paused img2imgd on this root; nothing was begun.
    """
    _check_not_paused(config)
    run = _Once(config, timeout, watch)
    run.daemon.serve(run.tick, seconds=0.1)
    return run.outcome()


def _check_not_paused(config: Config) -> None:
    if (ledger := read_ledger(config.state / "ledger.sqlite")) is None:
        return
    with contextlib.closing(ledger):
        if (since := ledger.paused_since) is not None:
            raise _paused(since, config)


def _paused(since: float, config: Config) -> EnvironmentFault:
    when = datetime.fromtimestamp(since).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return EnvironmentFault(
        f"It is paused since {when}: nothing is painted.",
        f"`{command(config, 'resume')}` has it go on.",
    )


class _Once:
    def __init__(
        self, config: Config, timeout: float, watch: Callable[[Ledger, list[JobRow]], None]
    ) -> None:
        self.daemon = Daemon(config, drain=True)
        self._timeout = timeout
        self._watch = watch
        self._looked = time.monotonic()
        self._stuck_for = 0.0
        self._jobs: list[JobRow] = []
        self._waiting: list[tuple[str, str, str]] = []
        self._blocked = ""
        self._finished = False

    def tick(self, ledger: Ledger) -> bool:
        """True when everything is served or nothing can be."""
        # Asked before the ledger is read: a job claimed in between must not be overlooked.
        scanned = all(loop.scanned.is_set() and loop.drained for loop in self.daemon.inboxes)
        self._jobs = ledger.jobs_since(self.daemon.begun)
        self._waiting = ledger.waiting()
        self._watch(ledger, self._jobs)
        open_jobs = [row for row in self._jobs if not (row.state.ended and row.archived)]
        if scanned and not open_jobs:
            self._finished = True
            return True
        # A claim that a fault cut short is undone by the next scan, and begun again; a job that
        # cannot be archived has nothing more to wait for.
        if (since := ledger.paused_since) is not None:
            self._blocked = str(_paused(since, self.daemon.config))
            return True
        working = [
            row for row in open_jobs if not row.state.ended and row.state is not JobState.CLAIMING
        ]
        return self._is_stuck(ledger, bool(working))

    def outcome(self) -> Outcome:
        """The exit code: environment before failures before success."""
        failed = {JobState.FAILED, JobState.CANCELLED}
        if self._blocked or not self._finished:
            code = Exit.ENVIRONMENT
        elif self._waiting or any(row.state in failed for row in self._jobs):
            code = Exit.SOME_FAILED
        else:
            code = Exit.OK
        blocked = self._blocked or ("" if self._finished else "It was stopped before the end.")
        return Outcome(tuple(self._jobs), tuple(self._waiting), blocked, code)

    def _is_stuck(self, ledger: Ledger, working: bool) -> bool:
        unavailable = [loop.unavailable for loop in self.daemon.inboxes if loop.unavailable]
        dispatch = self.daemon.dispatch
        faulty = dispatch is not None and dispatch.blocked_since is not None
        now = time.monotonic()
        passed, self._looked = now - self._looked, now
        if working and not faulty and not unavailable:
            self._stuck_for = 0.0
            return False
        # What is tried again may take its time, a model's download or the copy of a large file:
        # that neither counts nor frees.
        claiming = any(loop.stepping for loop in self.daemon.inboxes)
        if not claiming and (dispatch is None or not dispatch.trying):
            self._stuck_for += passed
        if self._stuck_for < self._timeout:
            return False
        self._blocked = "\n".join(
            unavailable
            or list(filter(None, [ledger.facts().get("waits_for", "")]))
            or [f"{rel} {why}" for _, rel, why in self._waiting]
            or [f"Nothing went on for {self._timeout:g} s; the log says why."]
        )
        return True
