"""The worker with the real engine and the embedded model, killed at random moments of painting."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from invariants import Drop, check
from PIL import Image
from world import config_of, picture, put

from img2imgd.app.daemon import Daemon
from img2imgd.config import Config, EngineConfig
from img2imgd.config.settled import demo_table
from img2imgd.dispatch import faults
from img2imgd.job import FrameState, JobState
from img2imgd.ledger import Ledger, read_ledger

if TYPE_CHECKING:
    from conftest import Points, Tally

SWEEP = b"prompt: a lake\nseed: 9\nsize: 64\nsteps: 12\nsweep: {strength: [0.5, 0.75, 1]}\n"
SINGLE = b"prompt: a wood\nseed: 7\nsize: 64\nsteps: 12\nstrength: 1\n"
DROPS = (
    Drop({"dog.png": picture(1), "dog.yaml": SWEEP}, frames=3, assemblies=2),
    Drop({"cat.png": picture(2), "cat.yaml": SINGLE}),
    Drop({"elk.png": picture(3), "elk.yaml": SINGLE}),
)


def real_config(root: Path) -> Config:
    return replace(
        config_of(root), models=demo_table(), engine=EngineConfig(device="cpu", idle_unload=None)
    )


class Killer:
    """Kills the worker when the next moment on its list has come; moments are steps painted."""

    def __init__(self, daemon: Daemon, moments: Sequence[int]) -> None:
        self.daemon = daemon
        self.moments = list(moments)
        self.kills = 0
        self.staged: dict[Path, tuple[int, int]] = {}
        self.repainted: list[Path] = []
        self.deadline = time.monotonic() + 240

    def tick(self, ledger: Ledger) -> bool:
        """True when all is served."""
        assert time.monotonic() < self.deadline, ledger.facts()
        self._compare()
        rows = ledger.jobs_in(*JobState)
        steps = sum(
            frame.step if frame.state is FrameState.WAITING else frame.steps
            for row in rows
            for frame in ledger.frames(row.id)
        )
        dispatch = self.daemon.dispatch
        worker = dispatch.pool.pid if dispatch else None
        if self.moments and worker is not None and steps >= self.moments[0]:
            self.moments.pop(0)
            self.kills += 1
            os.kill(worker, signal.SIGKILL)
        return len(rows) == len(DROPS) and all(row.state.ended and row.archived for row in rows)

    def _compare(self) -> None:
        """Note the inode and time of every staged frame; one that changes was painted again."""
        for path in (self.daemon.config.outbox / ".img2imgd").glob("*/*/*.png"):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue  # published just now
            if self.staged.setdefault(path, (stat.st_ino, stat.st_mtime_ns)) != (
                stat.st_ino, stat.st_mtime_ns,
            ):  # fmt: skip
                self.repainted.append(path)


def serve(config: Config, moments: Sequence[int]) -> Killer:
    put(config, DROPS)
    daemon = Daemon(config)
    killer = Killer(daemon, moments)
    daemon.serve(killer.tick, seconds=0.005)
    return killer


def pixels(config: Config) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in config.outbox.rglob("*.png"):
        if ".img2imgd" not in path.parts and "sheet" not in path.name:
            with Image.open(path) as image:
                found[path.relative_to(config.outbox).as_posix()] = image.tobytes()
    return found


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_FIRST_PAUSE", 0.1)
    monkeypatch.setattr(faults, "_LONGEST_PAUSE", 0.2)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What comes out when nobody kills anything."""
    config = real_config(tmp_path_factory.mktemp("undisturbed") / "root")
    killer = serve(config, [])
    check(config, DROPS).assert_fine()
    assert killer.kills == 0
    return pixels(config)


def test_a_worker_killed_at_random_steps_paints_what_it_would_have_painted(
    tmp_path: Path, undisturbed: dict[str, bytes], tally: Tally, points: Points
) -> None:
    for seed in points.of(range(8), 1):
        config = real_config(tmp_path / str(seed))
        killer = serve(config, sorted(random.Random(seed).sample(range(1, 45), 3)))  # noqa: S311
        verdict = check(config, DROPS)
        for _ in range(killer.kills):
            tally.count("worker killed while it paints", verdict)
        verdict.assert_fine(f"seed {seed}")
        assert killer.kills == 3
        assert killer.staged, "frames were seen in staging"
        assert killer.repainted == []
        assert pixels(config) == undisturbed
        ledger = read_ledger(config.state / "ledger.sqlite")
        assert ledger is not None
        rows = ledger.jobs_in(*JobState)
        ledger.close()
        assert {(row.state, row.attempts) for row in rows} == {(JobState.DONE, 0)}
