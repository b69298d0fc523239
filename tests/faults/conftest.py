"""Faults are counted: one row a fault, printed at the end. In full, or a sample that fits CI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from invariants import Verdict

T = TypeVar("T")


@dataclass
class Tally:
    """How often each fault was injected, and what it did."""

    rows: dict[str, list[int]] = field(default_factory=lambda: dict[str, list[int]]())

    def count(self, fault: str, *verdicts: Verdict) -> None:
        """One more injection of a fault, with what was found after it."""
        row = self.rows.setdefault(fault, [0, 0, 0, 0])
        row[0] += 1
        row[1] += any(verdict.lost for verdict in verdicts)
        row[2] += any(verdict.duplicated for verdict in verdicts)
        row[3] += any(verdict.half_visible for verdict in verdicts)


@dataclass(frozen=True)
class Points:
    """Which points of a fault are tried."""

    in_full: bool

    def of(self, points: Sequence[T], sample: int) -> list[T]:
        """All points, or ``sample`` of them spread evenly, the first and last among them."""
        if self.in_full or len(points) <= sample:
            return list(points)
        last = len(points) - 1
        return [points[round(step * last / max(sample - 1, 1))] for step in range(sample)]


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--faults-in-full``."""
    parser.addoption(
        "--faults-in-full", action="store_true", help="try every point of every fault, for long"
    )


_TALLY = pytest.StashKey[Tally]()


def pytest_configure(config: pytest.Config) -> None:
    """One tally a session."""
    config.stash[_TALLY] = Tally()


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    """Where every injection is counted."""
    return pytestconfig.stash[_TALLY]


@pytest.fixture(scope="session")
def points(pytestconfig: pytest.Config) -> Points:
    """The choice of points: all in full, else a sample."""
    return Points(bool(pytestconfig.getoption("faults_in_full", default=False)))


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
