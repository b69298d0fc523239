"""Daemons under faults: a root that the test's mounts outlive, and how such a test ends."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from disks import Mounts
from invariants import Drop, check
from served_root import PROGRAM, RunningDaemon, ServedRoot

from img2imgd.config import Config, load_config
from waiting import wait_until

if TYPE_CHECKING:
    from fault_table import Tally


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


def start_through(root: ServedRoot, *wrapper: str | Path, **environment: str) -> RunningDaemon:
    """Start the daemon by way of another program and wait until it watches."""
    log_file = root.path.parent / f"daemon-{len(root.daemons)}.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [*wrapper, PROGRAM, "run", "-c", root.config],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
        )
    root.daemons.append(RunningDaemon(process, log_file))
    wait_until(lambda: "watching" in log_file.read_text(), "the daemon watches its inbox")
    return root.daemons[-1]


def end(root: ServedRoot, daemon: RunningDaemon, drops: tuple[Drop, ...], tally: Tally) -> None:
    """Stop the daemon; everything is where it belongs, and nobody was blamed."""
    assert daemon.stop() == 0, daemon.log
    verdict = check(config_at(root), drops)
    tally.count("the environment", verdict)
    verdict.assert_fine(daemon.log)
    assert {row.attempts for row in root.jobs()} == {0}
    assert "Traceback" not in daemon.log, daemon.log
