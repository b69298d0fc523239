"""Drops served by the real engine with the embedded model, its worker harmed while it paints."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from invariants import Drop
from PIL import Image
from world import config_of, picture, put

from img2imgd.app.daemon import Daemon
from img2imgd.config import Config, EngineConfig
from img2imgd.config.settled import demo_table
from img2imgd.job import FrameState, JobState
from img2imgd.ledger import Ledger

SWEEP = b"prompt: a lake\nseed: 9\nsize: 64\nsteps: 12\nsweep: {strength: [0.5, 0.75, 1]}\n"
SINGLE = b"prompt: a wood\nseed: 7\nsize: 64\nsteps: 12\nstrength: 1\n"
DROPS = (
    Drop({"dog.png": picture(1), "dog.yaml": SWEEP}, frames=3, assemblies=2),
    Drop({"cat.png": picture(2), "cat.yaml": SINGLE}),
    Drop({"elk.png": picture(3), "elk.yaml": SINGLE}),
)
STEPS = 45  # of all frames together, a few more or less


def real_config(root: Path, **engine: object) -> Config:
    """A config with the real engine, on the CPU unless ``engine`` says otherwise."""
    return replace(
        config_of(root),
        models=demo_table(),
        engine=EngineConfig(**{"device": "cpu", "idle_unload": None} | engine),  # type: ignore[arg-type]
    )


def kill(pid: int) -> None:
    """SIGKILL."""
    os.kill(pid, signal.SIGKILL)


class Harmer:
    """Harms the worker when the next moment on its list has come; moments are steps painted."""

    def __init__(
        self, daemon: Daemon, moments: Sequence[int], harm: Callable[[int], object]
    ) -> None:
        self.daemon = daemon
        self.moments = list(moments)
        self.harm = harm
        self.harmed: list[int] = []  # pids
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
        if self.moments and worker not in (None, *self.harmed) and steps >= self.moments[0]:
            self.moments.pop(0)
            self.harmed.append(worker)
            self.harm(worker)
        return len(rows) == len(DROPS) and all(row.state.ended and row.archived for row in rows)

    def _compare(self) -> None:
        """Note the inode and time of every staged frame; one that changes was painted again."""
        staging, found = self.daemon.config.outbox / ".img2imgd", list[Path]()
        with contextlib.suppress(FileNotFoundError):  # a folder was published just now
            found += staging.glob("*/*/*.png")
        for path in found:
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue  # published just now
            if self.staged.setdefault(path, (stat.st_ino, stat.st_mtime_ns)) != (
                stat.st_ino, stat.st_mtime_ns,
            ):  # fmt: skip
                self.repainted.append(path)


def serve(
    config: Config, moments: Sequence[int] = (), harm: Callable[[int], object] = kill
) -> Harmer:
    """Serve :data:`DROPS`, the worker being harmed at these moments."""
    put(config, DROPS)
    daemon = Daemon(config)
    harmer = Harmer(daemon, moments, harm)
    daemon.serve(harmer.tick, seconds=0.005)
    return harmer


def pixels(config: Config) -> dict[str, bytes]:
    """The pixels of every frame in the outbox, by its path."""
    found: dict[str, bytes] = {}
    for path in config.outbox.rglob("*.png"):
        if ".img2imgd" not in path.parts and "sheet" not in path.name:
            with Image.open(path) as image:
                found[path.relative_to(config.outbox).as_posix()] = image.tobytes()
    return found


def largest_difference(some: dict[str, bytes], others: dict[str, bytes]) -> int:
    """Of any channel; who else shares the calls of a frame moves it by 1 at most."""
    assert some.keys() == others.keys()
    return max(
        int(np.abs(np.frombuffer(some[path], np.uint8).astype(int)
                   - np.frombuffer(others[path], np.uint8)).max())
        for path in some
    )  # fmt: skip
