"""``status``: what the daemon is doing, as a table, as text, as JSON; once, or live."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict
from datetime import datetime

from img2imgd.cli.configured import config_of
from img2imgd.cli.status_text import changes, lines
from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault, Exit, LedgerDamaged
from img2imgd.ledger import read_ledger
from img2imgd.status import Report, make_report

_EVERY = 1.0  # seconds
_ROWS = 10  # of each part, where nothing limits them


def status(arguments: argparse.Namespace) -> Exit:
    """Print the report; a root that no daemon has served yet has nothing to report."""
    config = config_of(arguments)
    if arguments.watch:
        with suppress(KeyboardInterrupt):  # that is how it is ended
            _watch(config, as_json=arguments.json)
        return Exit.OK
    report = _look(config)
    if arguments.json:
        print(_json(report, indent=2))
    elif sys.stdout.isatty():
        from rich.console import Console

        from img2imgd.cli.status_view import view

        console = Console(highlight=False)
        console.print(view(report, _now(), width=console.width, most=_ROWS))
    else:
        print("\n".join(_text(report)))
    return Exit.OK


def _look(config: Config) -> Report:
    """One report; the ledger is opened anew, since a daemon may have replaced it meanwhile."""
    ledger = read_ledger(config.state / "ledger.sqlite")
    if ledger is None:
        return make_report(None, config)
    with closing(ledger):
        return make_report(ledger, config)


def _text(report: Report) -> Iterator[str]:
    if not report.running and not report.counts and not report.waiting:
        yield f"No img2imgd has run on {report.root} yet."
        yield "For another root: name its folder with --root, or its config with -c."
    yield from lines(report, _now())


def _json(report: Report, indent: int | None = None) -> str:
    import json

    return json.dumps(asdict(report), indent=indent)


def _watch(config: Config, *, as_json: bool) -> None:
    """Report until somebody stops it, also while daemons come and go."""
    if sys.stdout.isatty() and not as_json:
        _watch_live(config)
        return
    before: Report | None = None
    for report in _reports(config):
        if report == before:
            continue
        if as_json:
            print(_json(report), flush=True)
        elif before is None:
            print("\n".join(_text(report)), flush=True)
        else:
            for line in changes(before, report):
                print(f"{_now():%H:%M:%S} {line}", flush=True)
        before = report


def _watch_live(config: Config) -> None:
    from rich.console import Console
    from rich.live import Live

    from img2imgd.cli.status_view import view

    console = Console(highlight=False)
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for report in _reports(config):
            parts = [report.current, report.queued, report.waiting, report.results, report.failures]
            room = (console.height - 5) // max(sum(map(bool, parts)), 1) - 3
            most = min(max(room, 1), _ROWS)
            live.update(view(report, _now(), width=console.width, most=most), refresh=True)


def _reports(config: Config) -> Iterator[Report]:
    """A report every second; what cannot be read just now is tried again."""
    while True:
        try:
            yield _look(config)
        except (EnvironmentFault, LedgerDamaged) as fault:
            print(f"img2imgd: {fault}", file=sys.stderr)
        time.sleep(_EVERY)


def _now() -> datetime:
    return datetime.now().astimezone()
