"""A pytest plugin: each injected fault is counted, and a table of them ends the run.

Tests may run in several processes (pytest-xdist): each sends its counts to the one that prints.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from invariants import Verdict

Rows = dict[str, list[int]]
_SENT_AS = "faults"


@dataclass
class Tally:
    """How often each fault was injected, and what it did."""

    rows: Rows = field(default_factory=lambda: Rows())

    def count(self, fault: str, *verdicts: Verdict) -> None:
        """One more injection of a fault, with what was found after it."""
        lost = any(verdict.lost for verdict in verdicts)
        duplicated = any(verdict.duplicated for verdict in verdicts)
        half_visible = any(verdict.half_visible for verdict in verdicts)
        self.add({fault: [1, lost, duplicated, half_visible]})

    def add(self, rows: Rows) -> None:
        """What was counted elsewhere is counted here too."""
        for fault, numbers in rows.items():
            before = self.rows.get(fault, [0, 0, 0, 0])
            self.rows[fault] = [old + new for old, new in zip(before, numbers, strict=True)]


_TALLY = pytest.StashKey[Tally]()


def pytest_configure(config: pytest.Config) -> None:
    """One tally a process."""
    config.stash[_TALLY] = Tally()


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    """Where every injection is counted."""
    return pytestconfig.stash[_TALLY]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist sends its counts."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_SENT_AS] = session.config.stash[_TALLY].rows


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The counts of a worker that is done; of one that crashed there are none."""
    output: dict[str, Rows] = getattr(node, "workeroutput", {})
    node.config.stash[_TALLY].add(output.get(_SENT_AS, {}))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The table: fault, injections, lost, duplicated, half-visible."""
    rows = config.stash[_TALLY].rows
    if not rows:
        return
    total = [sum(column) for column in zip(*rows.values(), strict=True)]
    width = max(map(len, rows))
    terminalreporter.section("faults")
    for name, numbers in [
        ("fault", ("injections", "lost", "duplicated", "half-visible")),
        *sorted(rows.items()),
        ("total", total),
    ]:
        columns = "  ".join(f"{number:>12}" for number in numbers)
        terminalreporter.write_line(f"{name:{width}}  {columns}")
