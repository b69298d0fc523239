"""In full, or a sample that fits CI; roots that are served in forked children."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from forked import Forks
from injecting import Scenario, Trials

T = TypeVar("T")


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


@pytest.fixture(scope="session")
def points(pytestconfig: pytest.Config) -> Points:
    """The choice of points: all in full, else a sample."""
    return Points(bool(pytestconfig.getoption("faults_in_full", default=False)))


@pytest.fixture(scope="session")
def forks() -> Iterator[list[Forks]]:
    """Processes that serve roots in forked children."""
    processes = [Forks() for _ in range(2)]
    yield processes
    for process in processes:
        process.close()


@pytest.fixture
def trials(forks: list[Forks], scenario: Scenario) -> Iterator[Trials]:
    """Roots for the scenario, in memory: what survives a killed process does so there too."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="img2imgd-faults-") as folder:
        yield Trials(forks, Path(folder), scenario)
