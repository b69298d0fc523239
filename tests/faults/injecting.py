"""Faults by system call: which there are in a run, and trying them one by one on fresh roots."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

from forked import ROLES, Forks, Ran, Role, Run
from invariants import Drop, Verdict, check
from world import config_of, misspelt, put, shared, single, sweep

from img2imgd.job import JobState
from img2imgd.ledger import JobRow, read_ledger

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
    with_start: bool = False  # before anything is looked at, all runs are alike


MIXED = (single(), sweep(), shared(), single("sub/cat", 1))
SCENARIOS = (
    Scenario("a picture", "move", (single(),), with_start=True),
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


@dataclass(frozen=True)
class Attempt:
    """A fault that came about, what was found after it, and in words what of that is wrong."""

    point: Point
    verdicts: tuple[Verdict, ...]
    wrong: str


class Trial:
    """One root for one scenario, made anew for every fault."""

    def __init__(self, forks: Forks, root: Path, scenario: Scenario) -> None:
        self._forks = forks
        self.scenario = scenario
        self._root = root
        self.config = config_of(root, scenario.mode)

    def renew(self) -> None:
        """Fresh folders with the drops in the inbox."""
        shutil.rmtree(self._root, ignore_errors=True)
        Path(f"{self._root}.log").unlink(missing_ok=True)
        self._root.mkdir(parents=True)
        put(self.config, self.scenario.drops)

    def points(self) -> tuple[Point, ...]:
        """Every durable call of a run without faults, thread by thread."""
        found: list[Point] = []
        for role in ROLES if self.scenario.with_start else ROLES[1:]:
            self.renew()
            counts = Counter(_CALL.findall(self.run(role, "trace=" + ",".join(DURABLE)).trace))
            self.check().assert_fine(f"{role} traced, without a fault")
            found += [Point(role, call, n) for call in counts for n in range(1, counts[call] + 1)]
        return tuple(found)

    def run(self, role: Role | None = None, *expressions: str, timeout: float = 20) -> Ran:
        """Serve what is there once, with a thread traced."""
        strace = [part for expression in expressions for part in ("-e", expression)]
        also = self.scenario.also
        run = Run(str(self._root), self.scenario.mode, role, (*strace, *also), timeout)
        return self._forks.run(run)

    def check(self, *, ended: bool = True) -> Verdict:
        """The invariants."""
        return check(self.config, self.scenario.drops, ended=ended)

    def rows(self) -> list[JobRow]:
        """The ledger's jobs."""
        ledger = read_ledger(self.config.state / "ledger.sqlite")
        if ledger is None:
            return []
        try:
            return ledger.jobs_in(*JobState)
        finally:
            ledger.close()

    @property
    def log(self) -> str:
        """What the runs since :meth:`renew` said."""
        return Path(f"{self._root}.log").read_text(errors="replace")


_counted: dict[str, tuple[Point, ...]] = {}
Try = Callable[[Trial, Point], Attempt | None]  # None: the fault did not come about


class Trials:
    """Several trials of a scenario beside each other, since each mostly waits."""

    def __init__(self, forks: Sequence[Forks], folder: Path, scenario: Scenario) -> None:
        self._trials = [
            Trial(each, folder / str(number) / "root", scenario)
            for number, each in enumerate(forks)
        ]

    def points(self) -> tuple[Point, ...]:
        """As :meth:`Trial.points`; counted once a session."""
        first = self._trials[0]
        if first.scenario.name not in _counted:
            _counted[first.scenario.name] = first.points()
        return _counted[first.scenario.name]

    def each(self, points: Sequence[Point], attempt: Try) -> list[Attempt]:
        """Try the points; the attempts whose fault came about."""
        free: SimpleQueue[Trial] = SimpleQueue()
        for trial in self._trials:
            free.put(trial)

        def tried(point: Point) -> Attempt | None:
            trial = free.get()
            try:
                return attempt(trial, point)
            finally:
                free.put(trial)

        with ThreadPoolExecutor(len(self._trials)) as threads:
            return [done for done in threads.map(tried, points) if done is not None]

    def beyond(self, points: Sequence[Point], attempt: Try) -> list[Attempt]:
        """Thread by thread and call by call, on behind the last point until there is none.

        A run may make a call more or less than another, as its threads meet.
        """
        lasts = {(point.role, point.call): point.n for point in points}
        found: list[Attempt] = []
        for (role, call), last in lasts.items():
            n = last + 1
            while more := self.each([Point(role, call, n), Point(role, call, n + 1)], attempt):
                found += more
                n += 2
        return found
