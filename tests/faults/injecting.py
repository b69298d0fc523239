"""Faults by system call: which there are in a run, and trying them one by one on fresh roots."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from forked import ROLES, Forks, Ran, Role, Run
from invariants import Drop, Verdict, check
from world import config_of, misspelt, put, shared, single, sweep

# Whatever makes a change durable or visible; pwrite64 is how SQLite writes.
DURABLE = (
    "rename", "renameat", "renameat2", "link", "linkat", "fsync", "fdatasync", "unlink",
    "unlinkat", "rmdir", "mkdir", "mkdirat", "pwrite64",
)  # fmt: skip
NO_FLAGS = ("-e", "inject=renameat2:error=EINVAL")  # as NFS answers: then by link and unlink
_CALL = re.compile(r"^(\w+)\(", re.MULTILINE)


@dataclass(frozen=True)
class Scenario:
    """Drops in an inbox of a mode; ``also`` are arguments for strace beside the fault's own."""

    name: str
    mode: Literal["move", "keep"]
    drops: tuple[Drop, ...]
    also: tuple[str, ...] = ()


MIXED = (single(), sweep(), shared(), single("sub/cat", 1))
SCENARIOS = (
    Scenario("a picture", "move", (single(),)),
    Scenario("a sweep", "move", (sweep(),)),
    Scenario("a shared sidecar", "move", (shared(),)),
    Scenario("a refused drop", "move", (misspelt(),)),
    Scenario("several drops", "move", (*MIXED, misspelt())),
    Scenario("a shared sidecar, no rename flags", "move", (shared(),), NO_FLAGS),
    Scenario("a picture, kept", "keep", (single(),)),
    Scenario("a sweep, kept", "keep", (sweep(),)),
    Scenario("a shared sidecar, kept", "keep", (shared(),)),
    Scenario("several drops, kept", "keep", MIXED),
)


@dataclass(frozen=True)
class Point:
    """The ``n``-th call of a system call by the thread of a role."""

    role: Role
    call: str
    n: int


class Trial:
    """One root for one scenario, made anew for every fault."""

    def __init__(self, forks: Forks, root: Path, scenario: Scenario) -> None:
        self._forks = forks
        self._scenario = scenario
        self._root = root
        self.config = config_of(root, scenario.mode)

    def renew(self) -> None:
        """Fresh folders with the drops in the inbox."""
        shutil.rmtree(self._root, ignore_errors=True)
        Path(f"{self._root}.log").unlink(missing_ok=True)
        self._root.mkdir(parents=True)
        put(self.config, self._scenario.drops)

    def points(self) -> list[Point]:
        """Every durable call of a run without faults, thread by thread."""
        found: list[Point] = []
        for role in ROLES:
            self.renew()
            counts = Counter(_CALL.findall(self.run(role, "trace=" + ",".join(DURABLE)).trace))
            self.check().assert_fine(f"{role} traced, without a fault")
            found += [Point(role, call, n) for call in counts for n in range(1, counts[call] + 1)]
        return found

    def run(self, role: Role | None = None, *expressions: str, timeout: float = 20) -> Ran:
        """Serve what is there once, with a thread traced."""
        strace = [part for expression in expressions for part in ("-e", expression)]
        also = self._scenario.also
        run = Run(str(self._root), self._scenario.mode, role, (*strace, *also), timeout)
        return self._forks.run(run)

    def check(self, *, ended: bool = True) -> Verdict:
        """The invariants."""
        return check(self.config, self._scenario.drops, ended=ended)

    @property
    def log(self) -> str:
        """What the runs since :meth:`renew` said."""
        return Path(f"{self._root}.log").read_text(errors="replace")


def swept(points: Sequence[Point], attempt: Callable[[Point], bool]) -> int:
    """Try the points; then, thread by thread and call by call, on until there is no such call.

    ``attempt`` says whether the fault came about: a run may make a call more or less than another,
    as its threads meet. Returns how many did.
    """
    hit = sum(attempt(point) for point in points)
    for role, call, last in _lasts(points):
        missed = 0
        n = last
        while missed < 2:
            n += 1
            if attempt(Point(role, call, n)):
                hit += 1
            else:
                missed += 1
    return hit


def _lasts(points: Sequence[Point]) -> Iterator[tuple[Role, str, int]]:
    lasts = {(point.role, point.call): point.n for point in points}
    for (role, call), n in lasts.items():
        yield role, call, n
