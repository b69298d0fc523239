"""``doctor``: a line for each check: fine, or what is wrong and what mends it."""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from img2imgd.cli.configured import config_of
from img2imgd.cli.wording import counted
from img2imgd.errors import DocumentError, Exit, UsageError, shown

if TYPE_CHECKING:
    from img2imgd.doctor import Finding

_SIGNS = {"fine": "fine   ", "warning": "warning", "wrong": "WRONG  "}
_INDENT = 22  # columns before what was found
_COLOURS = {"fine": "32", "warning": "33", "wrong": "31;1"}


def doctor(arguments: argparse.Namespace) -> Exit:
    """Print what was found as it is found; wrong is what keeps something from working."""
    from img2imgd.doctor import Finding, examine, look_at_unit, user_to_try

    try:
        config = config_of(arguments)
    except (DocumentError, UsageError) as error:
        problems = error.problems if isinstance(error, DocumentError) else (error,)
        mend = "img2imgd check says the same; docs/operations.md and config.example.yaml help."
        _print([Finding("config", "wrong", str(one), mend) for one in problems], arguments.json)
        return Exit.USAGE
    unit = look_at_unit()
    user = user_to_try(arguments.user, unit)
    levels = _print(examine(config, user, unit), arguments.json)
    return Exit.ENVIRONMENT if "wrong" in levels else Exit.OK


def _print(findings: Iterable[Finding], as_json: bool) -> list[str]:
    """Print each, and say in the end what there was; their levels."""
    if as_json:
        all_of_them = list(findings)
        print(json.dumps([asdict(one) for one in all_of_them], indent=2))
        return [one.level for one in all_of_them]
    levels: list[str] = []
    for finding in _shown_while(findings):
        print("\n".join(_lines(finding)), flush=True)
        levels.append(finding.level)
    wrong, warnings = levels.count("wrong"), levels.count("warning")
    if wrong or warnings:
        told = [f"{wrong} wrong"] * bool(wrong) + [counted(warnings, "warning")] * bool(warnings)
        print(f"\n{', '.join(told)}, {levels.count('fine')} fine")
    else:
        print("\nEverything is fine.")
    return levels


def _shown_while(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings; on a terminal, that the next one is being looked for."""
    live = sys.stderr.isatty() and sys.stdout.isatty()
    coming = iter(findings)
    while True:
        if live:
            print("… looking", end="\r", file=sys.stderr, flush=True)
        found = next(coming, None)
        if live:
            print("         ", end="\r", file=sys.stderr, flush=True)
        if found is None:
            return
        yield found


def _lines(finding: Finding) -> Iterator[str]:
    """A finding; folded on a terminal, but for what mends it, which is to be copied."""
    sign, what = _SIGNS[finding.level], [shown(finding.what)]
    if sys.stdout.isatty():
        sign = f"\x1b[{_COLOURS[finding.level]}m{sign}\x1b[0m"
        what = textwrap.wrap(what[0], max(os.get_terminal_size().columns - _INDENT, 20))
    yield f"{sign}  {finding.check:12} {what[0]}"
    yield from (f"{'':{_INDENT}}{line}" for line in what[1:])
    if finding.mend:
        yield f"{'':{_INDENT}}→ {shown(finding.mend)}"
