"""``status``: what the daemon is doing, as text or JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict

from img2imgd.cli.configured import config_of
from img2imgd.errors import Exit, shown
from img2imgd.ledger import read_ledger
from img2imgd.status import JobReport, Report, make_report


def status(arguments: argparse.Namespace) -> Exit:
    """Print the report; a root that no daemon has served yet has nothing to report."""
    config = config_of(arguments)
    ledger = read_ledger(config.state / "ledger.sqlite")
    if ledger is None:
        if arguments.json:
            print(json.dumps({"running": False, "counts": {}}))
        else:
            print(f"No img2imgd has run on {config.root} yet.")
        return Exit.OK
    report = make_report(ledger)
    if arguments.json:
        print(json.dumps(asdict(report), indent=2))
    else:
        _print(report)
    return Exit.OK


def _print(report: Report) -> None:
    if report.running:
        print(f"running: pid {report.pid} on {report.host}", end="")
        print(f", model {report.model} on {report.device}" if report.model else "")
    else:
        print("not running")
    if report.waits_for:
        print(f"waits for: {report.waits_for}")
    for inbox, why in report.unavailable.items():
        print(f"unavailable: {shown(inbox)}: {shown(why)}")
    print("jobs: " + (", ".join(f"{n} {state}" for state, n in report.counts.items()) or "none"))
    for job in report.current:
        share = job.steps_done / job.steps if job.steps else 0
        print(f"  painting {job.picture}: {share:.0%}, {job.frames_done}/{job.frames} frames")
    _section("queued", report.queued, lambda job: job.prompt)
    for file in report.waiting:
        print(f"  waiting  {file.file}: {file.why}")
    for job in report.results:
        _section("done", (job,), lambda job: job.published)
        for note in job.reason.splitlines():
            print(f"           {shown(note)}")
    _section("failed", report.failures, lambda job: (job.reason.splitlines() or [""])[0])


def _section(title: str, jobs: tuple[JobReport, ...], fact: Callable[[JobReport], str]) -> None:
    for job in jobs:
        print(f"  {title:8} {job.picture}: {shown(fact(job))}")
