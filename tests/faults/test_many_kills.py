"""Drops of every kind come all the while; daemon, worker and reader are killed all the while."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from daemons import config_at, serving
from invariants import check
from many_drops import People, drops_of_every_kind, jobs_of
from served_root import RunningDaemon, ServedRoot, pause

from img2imgd.ledger import read_ledger

if TYPE_CHECKING:
    from conftest import Points, Tally

CONFIG = """\
root: {root}
engine: {{backend: fake}}
limits: {{min_free_gb: 0, max_attempts: 50}}
defaults: {{steps: 4, strength: 1}}
inboxes:
  - {{path: {root}/inbox, settle: 0.2, rescan: 1, pair_wait: 0.4, orphan_after: 6}}
  - {{path: {root}/tablet, mode: keep, settle: 0.2, rescan: 1, pair_wait: 0.4, orphan_after: 6}}
"""
STEP_SECONDS = "0.005"
VICTIMS = {"daemon": "", "worker": "pool.process", "reader": "reader.process"}
BACKLOG = 30  # jobs that wait at most, so that there are drops to come until the end
PATIENCE = 60.0  # seconds in which some job must end


@dataclass
class Killer:
    """Starts the daemon, and kills it and its children when so many jobs have ended."""

    root: ServedRoot
    rng: random.Random
    moments: list[int]
    kills: Counter[str] = field(default_factory=lambda: Counter[str]())

    def __post_init__(self) -> None:
        self.daemon = self._launch()
        self._victims = [list(VICTIMS)[number % 3] for number in range(len(self.moments))]
        self.rng.shuffle(self._victims)

    def strike(self, ended: int) -> None:
        """Kill somebody, if a moment has come.

        At least one job ends between two kills: nobody is to blame for two deaths of his reader.
        """
        if not self.moments or ended < self.moments[0]:
            return
        pause(self.rng.uniform(0, 0.2))  # else all would be killed at the end of a job
        victim = self._victims[0]
        if victim == "daemon":
            self.daemon.kill()
            self.daemon = self._launch()
        else:
            child = self.daemon.child(VICTIMS[victim])
            if child is None:
                return  # it has just been killed
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.kills[self._victims.pop(0)] += 1
        self.moments = [max(moment, ended + 1) for moment in self.moments[1:]]

    def _launch(self) -> RunningDaemon:
        return self.root.launch(IMG2IMGD_FAKE_STEP_SECONDS=STEP_SECONDS)


def jobs_ended(root: ServedRoot) -> int:
    ledger = read_ledger(root.path / "state" / "ledger.sqlite")
    if ledger is None:
        return 0
    try:
        return ledger.sql.execute("SELECT count(*) FROM jobs WHERE archived").fetchone()[0]
    finally:
        ledger.close()


def outlast(killer: Killer, people: People, jobs: int) -> None:
    """Go on until all is dropped and served, or nothing ends any more."""
    ended, since = 0, time.monotonic()
    while (ended < jobs or not people.all_made) and time.monotonic() < since + PATIENCE:
        now = jobs_ended(killer.root)
        if now != ended:
            ended, since = now, time.monotonic()
        people.go_on(begin=sum(map(jobs_of, people.made)) < ended + BACKLOG)
        killer.strike(ended)
        pause(0.01)


@pytest.mark.timeout(900)
def test_many_drops_while_daemon_worker_and_reader_are_killed(
    tmp_path: Path, points: Points, tally: Tally
) -> None:
    count, kills = (2000, 100) if points.in_full else (150, 8)
    rng = random.Random(1)  # noqa: S311 - a dice, no secret
    drops = drops_of_every_kind(rng, count)
    jobs = sum(map(jobs_of, drops))
    with serving(tmp_path) as (root, _):
        root.config.write_text(CONFIG.format(root=root.path))
        people = People(rng, root.path, drops)
        killer = Killer(root, rng, sorted(rng.sample(range(jobs * 9 // 10), kills)))
        outlast(killer, people, jobs)
        assert killer.daemon.stop() == 0, killer.daemon.log
        verdict = check(config_at(root), drops)
        for victim in killer.kills.elements():
            tally.count(f"{victim} killed among many drops", verdict)
        verdict.assert_fine(f"{killer.kills}")
        assert killer.kills.total() == kills
        for daemon in root.daemons:
            assert "Traceback" not in daemon.log, daemon.log
