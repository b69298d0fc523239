"""Daemons under faults: a root that the test's mounts outlive, and how such a test ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from disks import Mounts
from invariants import Drop, check
from served_root import RunningDaemon, ServedRoot

from conftest import Tally
from img2imgd.config import Config, load_config


@contextmanager
def serving(folder: Path) -> Iterator[tuple[ServedRoot, Mounts]]:
    """A root with the fake engine, and mounts that are taken away after its daemons have ended."""
    served = ServedRoot(folder / "root", folder / "config.yaml")
    served.write_config()
    mounts = Mounts()
    try:
        yield served, mounts
    finally:
        for daemon in served.daemons:
            if daemon.process.poll() is None:
                daemon.process.kill()
            daemon.process.wait(10)
        mounts.close()


def config_at(root: ServedRoot) -> Config:
    """The config as the daemon has it."""
    return load_config(root.config, None, env=os.environ)


def end(root: ServedRoot, daemon: RunningDaemon, drops: tuple[Drop, ...], tally: Tally) -> None:
    """Stop the daemon; everything is where it belongs, and nobody was blamed."""
    assert daemon.stop() == 0, daemon.log
    verdict = check(config_at(root), drops)
    tally.count("the environment", verdict)
    verdict.assert_fine(daemon.log)
    assert {row.attempts for row in root.jobs()} == {0}
    assert "Traceback" not in daemon.log, daemon.log
