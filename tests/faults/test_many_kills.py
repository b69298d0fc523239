"""Drops of every kind come all the while; daemon, worker and reader are killed all the while."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from daemons import config_at, serving
from invariants import Drop, Verdict, check
from many_drops import People, drops_of_every_kind, jobs_of
from served_root import RunningDaemon, ServedRoot, pause, processes

from img2imgd.ledger import read_ledger
from waiting import wait_until

if TYPE_CHECKING:
    from conftest import Points
    from fault_table import Tally

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
LOOKS = 3  # at what a killed daemon leaves, before the next is started


class Killer:
    """Starts the daemon, and kills it and its children when so many jobs have ended.

    ``made`` are the drops that are whole by then.
    """

    def __init__(
        self, root: ServedRoot, rng: random.Random, moments: Sequence[int], made: Sequence[Drop]
    ) -> None:
        self._root = root
        self._rng = rng
        self._moments = list(moments)
        self._made = made
        self._victims = [list(VICTIMS)[number % len(VICTIMS)] for number in range(len(moments))]
        rng.shuffle(self._victims)
        daemons = self._victims.count("daemon")
        self._looks = [number * daemons // LOOKS for number in range(LOOKS)]
        self.kills: list[str] = []
        self.verdicts: list[Verdict] = []
        self.daemon = self._launch()

    def strike(self, ended: int) -> None:
        """Kill somebody, if a moment has come.

        At least one job ends between two kills: nobody is to blame for two deaths of his reader.
        """
        if not self._moments or ended < self._moments[0]:
            return
        pause(self._rng.uniform(0, 0.2))  # else all would be killed at the end of a job
        victim = self._victims[0]
        if victim == "daemon":
            children = {(child.pid, child.command) for child in self.daemon.kill()}
            if self.kills.count("daemon") in self._looks:
                wait_until(
                    lambda: not children & {(p.pid, p.command) for p in processes()},
                    "its children are gone",
                )
                self.verdicts.append(check(config_at(self._root), self._made, ended=False))
            self.daemon = self._launch()
        else:
            child = self.daemon.child(VICTIMS[victim])
            if child is None:
                return  # it has just been killed
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.kills.append(self._victims.pop(0))
        self._moments = [max(moment, ended + 1) for moment in self._moments[1:]]

    def _launch(self) -> RunningDaemon:
        return self._root.launch(IMG2IMGD_FAKE_STEP_SECONDS=STEP_SECONDS)


def jobs_ended(root: ServedRoot) -> int:
    ledger = read_ledger(root.path / "state" / "ledger.sqlite")
    if ledger is None:
        return 0
    try:
        return ledger.sql.execute("SELECT count(*) FROM jobs WHERE archived").fetchone()[0]
    finally:
        ledger.close()


def outlast(root: ServedRoot, killer: Killer, people: People, jobs: int) -> None:
    """Go on until all is dropped and served, or nothing ends any more."""
    ended, since = 0, time.monotonic()
    while (ended < jobs or not people.all_made) and time.monotonic() < since + PATIENCE:
        now = jobs_ended(root)
        if now != ended:
            ended, since = now, time.monotonic()
        people.go_on(begin=sum(map(jobs_of, people.made)) < ended + BACKLOG)
        killer.strike(ended)
        pause(0.01)


@pytest.mark.timeout(1800)
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
        moments = sorted(rng.sample(range(jobs * 9 // 10), kills))
        killer = Killer(root, rng, moments, people.made)
        outlast(root, killer, people, jobs)
        assert killer.daemon.stop() == 0, killer.daemon.log
        verdicts = [*killer.verdicts, check(config_at(root), drops)]
        for victim in killer.kills:
            tally.count(f"{victim} killed among many drops", *verdicts)
        for verdict in verdicts:
            verdict.assert_fine()
        assert len(killer.kills) == kills
        assert len(killer.verdicts) == min(LOOKS, killer.kills.count("daemon"))
        for daemon in root.daemons:
            assert "Traceback" not in daemon.log, daemon.log
