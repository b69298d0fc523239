"""``status``: what the daemon is doing, as text or JSON."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from img2imgd.cli.configured import config_of
from img2imgd.errors import Exit
from img2imgd.ledger import read_ledger
from img2imgd.status import Report, make_report


def status(arguments: argparse.Namespace) -> Exit:
    """Print the report; a root that no daemon has served yet has nothing to report."""
    config = config_of(arguments)
    ledger = read_ledger(config.state / "ledger.sqlite")
    report = make_report(ledger, config)
    if arguments.json:
        print(json.dumps(asdict(report), indent=2))
    elif ledger is None:
        print(f"No img2imgd has run on {config.root} yet.")
    else:
        _print(report)
    return Exit.OK


def _print(report: Report) -> None:
    print(f"running: pid {report.pid} on {report.host}" if report.running else "not running")
    for job in report.current:
        share = job.steps_done / job.steps if job.steps else 0
        print(f"  {job.phase} {job.picture}: {share:.0%}, {job.frames_done}/{job.frames} frames")
