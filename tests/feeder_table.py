"""How quickly drops of real feeders were claimed, and whether each was served once: a table.

A plugin of pytest rather than a part of ``tests/feeders/conftest.py``: the process that prints it
at the end does not load that file when all tests are run, and with pytest-xdist the rows come from
others.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

Rows = dict[str, tuple[int, list[float]]]
_SENT_AS, _TOLD_AS = "feeders", "told_of_feeders"
DOCS = Path(__file__).parents[1] / "docs" / "feeders" / "README.md"
BEGIN = "<!-- feeders: make test-feeders WRITE=--write-feeders -->\n"
END = "<!-- end -->"


@dataclass
class Fed:
    """By feeder: how many files it brought, and by how many seconds each was claimed late."""

    rows: Rows = field(default_factory=lambda: Rows())
    told: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, feeder: str, files: int, late: list[float]) -> None:
        """Every file of a feeder was served once; ``late`` are seconds over the settle time."""
        self.rows[feeder] = (files, late)

    def tell(self, title: str, text: str) -> None:
        """Something to print behind the table."""
        self.told[title] = text


_FED = pytest.StashKey[Fed]()


def pytest_configure(config: pytest.Config) -> None:
    """One a process."""
    config.stash[_FED] = Fed()


@pytest.fixture(scope="session")
def fed_table(pytestconfig: pytest.Config) -> Fed:
    """Where every feeder's figures go."""
    return pytestconfig.stash[_FED]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist sends its rows."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_SENT_AS] = session.config.stash[_FED].rows
        output[_TOLD_AS] = session.config.stash[_FED].told


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The rows of a worker that is done."""
    output: dict[str, Any] = getattr(node, "workeroutput", {})
    node.config.stash[_FED].rows.update(output.get(_SENT_AS, {}))
    node.config.stash[_FED].told.update(output.get(_TOLD_AS, {}))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The table: feeder, files, served once, latency over settle."""
    rows = config.stash[_FED].rows
    for title, text in config.stash[_FED].told.items():
        terminalreporter.section(title)
        terminalreporter.write_line(text)
    if not rows:
        return
    terminalreporter.section("feeders")
    table = [_COLUMNS, *(_told(name, *rows[name]) for name in sorted(rows))]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        terminalreporter.write_line("  ".join(cells).rstrip())
    if config.getoption("--write-feeders", default=False):
        before, after = DOCS.read_text(encoding="utf-8").split(BEGIN)
        lines = ["| " + " | ".join(row) + " |\n" for row in table]
        lines.insert(1, "| --- | ---: | ---: | ---: | ---: |\n")
        rest = after[after.index(END) :]
        DOCS.write_text(before + BEGIN + "".join(lines) + rest, encoding="utf-8")


_COLUMNS = ("feeder", "files", "served once", "over settle: median", "worst")


def _told(feeder: str, files: int, late: list[float]) -> tuple[str, str, str, str, str]:
    # The kernel's clock of files has a grain of some milliseconds; nothing is claimed too soon.
    middle, worst = (max(0.0, seconds) for seconds in (statistics.median(late), max(late)))
    return (feeder, str(files), str(files), f"{middle:.2f} s", f"{worst:.2f} s")
