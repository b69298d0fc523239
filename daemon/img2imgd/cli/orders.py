"""``cancel``, ``retry``, ``pause`` and ``resume``: orders for the daemon, by way of the ledger."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from img2imgd.cli.configured import config_of
from img2imgd.config import Config, command
from img2imgd.errors import EnvironmentFault, Exit, UsageError, shown
from img2imgd.job import JobState
from img2imgd.ledger import (
    CANCELLABLE,
    JobRow,
    Ledger,
    open_ledger,
    read_ledger,
    why_not_cancelled,
    why_not_retried,
)
from img2imgd.ledger.orders import Verb
from img2imgd.status import is_running

_ID = re.compile(r"[0-9a-fT-]{4,}")  # what may be part of an id
_MOST_NAMED = 10  # candidates of an ambiguous word


def cancel(arguments: argparse.Namespace) -> Exit:
    """Have jobs given up."""
    with _opened(arguments) as (config, ledger):
        return _order(
            arguments, config, ledger, "cancel", "cancelled", why_not_cancelled,
            CANCELLABLE if arguments.all else None,
        )  # fmt: skip


def retry(arguments: argparse.Namespace) -> Exit:
    """Have jobs served once more."""
    with _opened(arguments) as (config, ledger):
        served = {str(inbox.path) for inbox in config.inboxes}
        return _order(
            arguments, config, ledger, "retry", "tried again",
            partial(why_not_retried, served=served),
            {JobState.FAILED} if arguments.failed else None,
        )  # fmt: skip


def pause(arguments: argparse.Namespace) -> Exit:
    """Have the daemon let go of the device."""
    with _opened(arguments) as (config, ledger):
        if (since := ledger.paused_since) is not None:
            when = datetime.fromtimestamp(since).astimezone().strftime("%Y-%m-%d %H:%M:%S")
            print(f"paused already, since {when}")
            return Exit.OK
        ledger.set_paused(True)
        resuming = command(config, "resume")
        print(f"paused: nothing is painted until `{resuming}`; drops are claimed and wait")
        if is_running(ledger.facts()):
            print("The worker ends with its current step, which frees the device.")
        return Exit.OK


def resume(arguments: argparse.Namespace) -> Exit:
    """Have the daemon go on."""
    with _opened(arguments) as (_, ledger):
        if ledger.paused_since is None:
            print("not paused")
            return Exit.OK
        ledger.set_paused(False)
        runs = is_running(ledger.facts())
        print("resumed" if runs else "resumed: work goes on when img2imgd is started")
        return Exit.OK


def _order(
    arguments: argparse.Namespace,
    config: Config,
    ledger: Ledger,
    verb: Verb,
    done: str,
    why_not: Callable[[JobRow], str],
    every: frozenset[JobState] | set[JobState] | None,
) -> Exit:
    """Order something of the jobs that are named, or of all in the states ``every``."""
    if bool(arguments.jobs) == (every is not None):
        option = "--all" if verb == "cancel" else "--failed"
        raise UsageError(f"Name jobs or say {option}: img2imgd {verb} JOB…")
    if every is not None:
        inboxes = [inbox.path for inbox in config.inboxes] if verb == "retry" else None
        count = ledger.order_all(verb, every, inboxes)
        print(f"{count} job{'' if count == 1 else 's'} to be {done}")
        refused = 0
    else:
        rows = [_find(word, config, ledger, why_not) for word in arguments.jobs]
        reasons = {row.id: why_not(row) for row in rows}
        ledger.give_order(verb, *(job for job, why in reasons.items() if not why))
        for row in rows:
            print(f"{row.id} {shown(row.spec.rel)}: {reasons[row.id] or f'to be {done}'}")
        refused = sum(bool(why) for why in reasons.values())
        count = len(reasons) - refused
    if count and not is_running(ledger.facts()):
        print(f"img2imgd does not run on {shown(str(config.root))}: it is done at its next start.")
    return Exit.SOME_FAILED if refused else Exit.OK


def _find(word: str, config: Config, ledger: Ledger, why_not: Callable[[JobRow], str]) -> JobRow:
    """The job that a word means.

    Raises:
        UsageError: there is none, or several.
    """
    found = ledger.ids_like(word, _MOST_NAMED + 1) if _ID.fullmatch(word) else []
    if found[:1] == [word]:
        found = found[:1]
    rows = _known(ledger, found) or _at_path(word, config, ledger)
    possible = rows if found else [row for row in rows if not why_not(row)] or rows[-1:]
    if not possible:
        _check_not_waiting(word, config)
        raise UsageError(
            f"No job is known as {shown(word)}.",
            "`img2imgd status` lists jobs; a picture is named by its path in the inbox.",
        )
    if len(possible) > 1:
        named = [f"  {row.id} {shown(row.spec.rel)}, {row.state}" for row in possible]
        more = ["  …"] if len(named) > _MOST_NAMED else []
        raise UsageError(
            "\n".join([f"{shown(word)} may mean:", *named[:_MOST_NAMED], *more]),
            "Give more of the id.",
        )
    return possible[0]


def _at_path(word: str, config: Config, ledger: Ledger) -> list[JobRow]:
    """The jobs of a picture's path: below an inbox, or as it is from here."""
    found: list[str] = []
    for inbox in config.inboxes:
        for base in (inbox.path, Path.cwd()):
            path = base / word
            if path.is_relative_to(inbox.path) and path != inbox.path:
                found += ledger.ids_at(inbox.path, str(path.relative_to(inbox.path)))
    return _known(ledger, list(dict.fromkeys(found)))


def _check_not_waiting(word: str, config: Config) -> None:
    """Say so if a word means a file that lies in an inbox still.

    Raises:
        UsageError: it does.
    """
    for inbox in config.inboxes:
        for path in (inbox.path / word, Path.cwd() / word):
            if path.is_relative_to(inbox.path) and path != inbox.path and path.is_file():
                raise UsageError(
                    f"{shown(word)} is not claimed yet: it is no job.",
                    f"To have it not painted, take it out of the inbox: {shown(str(path))}",
                )


def _known(ledger: Ledger, ids: Sequence[str]) -> list[JobRow]:
    return [row for job in ids if (row := ledger.job(job)) is not None]


@contextmanager
def _opened(arguments: argparse.Namespace) -> Generator[tuple[Config, Ledger]]:
    """The config, and its ledger open for writing.

    Raises:
        EnvironmentFault: no daemon has served the root yet, or the ledger cannot be written.
    """
    config = config_of(arguments)
    path = config.state / "ledger.sqlite"
    if (there := read_ledger(path)) is None:
        raise EnvironmentFault(
            f"No img2imgd has run on {shown(str(config.root))} yet: there are no jobs.",
            f"Start it: {command(config, 'run')}\n"
            "For another root: name its folder with --root, or its config with -c.",
        )
    there.close()
    ledger = open_ledger(path)
    try:
        yield config, ledger
    finally:
        ledger.close()
