"""The program as it is installed, killed by strace from outside: no part of it is a test's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from invariants import check
from tracing import needs_strace
from world import config_of, put, shared, single, sweep

from img2imgd.job import JobState
from img2imgd.ledger import read_ledger
from waiting import wait_until

if TYPE_CHECKING:
    from conftest import Points
    from fault_table import Tally

PROGRAM = str(Path(sys.executable).with_name("img2imgd"))
CONFIG = """\
root: {root}
engine: {{backend: fake}}
model: demo
limits: {{min_free_gb: 0}}
defaults: {{steps: 2, strength: 0.5}}
inboxes: [{{path: {root}/inbox, settle: 0, rescan: 1, pair_wait: 0, orphan_after: 0}}]
"""
DROPS = (single(), sweep(), shared())
JOBS = 4
PLACES = [
    (command, call, n)
    for command in ("once", "run")
    for call, most in (("renameat2", 9), ("fsync", 24), ("pwrite64", 60), ("rmdir", 3))
    for n in range(1, most, 3)
]


def program(config: Path, command: str, *before: str) -> int:
    """Run it until it ends, or all drops are served; its exit code, -9 when it was killed."""
    arguments = ["--timeout", "20"] if command == "once" else []
    process = subprocess.Popen(
        [*before, PROGRAM, command, "-c", config, "--log-level", "ERROR", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        if command == "run":
            ledger = config.with_name("root") / "state" / "ledger.sqlite"
            wait_until(lambda: process.poll() is not None or served(ledger), "it ends")
            process.terminate()
        return process.wait(60)
    finally:
        process.kill()
        process.wait()


def served(path: Path) -> bool:
    ledger = read_ledger(path)
    if ledger is None:
        return False
    rows = ledger.jobs_in(*JobState)
    ledger.close()
    return len(rows) == JOBS and all(row.archived for row in rows)


@needs_strace
@pytest.mark.timeout(1800)
def test_the_installed_program_loses_doubles_and_halves_nothing(
    tmp_path: Path, points: Points, tally: Tally
) -> None:
    root = tmp_path / "root"
    config = config_of(root)
    (tmp_path / "config.yaml").write_text(CONFIG.format(root=root))
    killed = 0
    for command, call, n in points.of(PLACES, 2):
        shutil.rmtree(root, ignore_errors=True)
        put(config, DROPS)
        # -D: the program, not strace, is our child
        strace = ("strace", "-D", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}",
                  "-e", f"inject={call}:signal=SIGKILL:when={n}", "--seccomp-bpf")  # fmt: skip
        code = program(tmp_path / "config.yaml", command, *strace)
        if code != -signal.SIGKILL:
            continue
        killed += 1
        at_once = check(config, DROPS, ended=False)
        assert program(tmp_path / "config.yaml", "once") == 0
        after = check(config, DROPS)
        tally.count(f"img2imgd {command} killed at {call}", at_once, after)
        at_once.assert_fine(f"{command}, {call}, {n}")
        after.assert_fine(f"{command}, {call}, {n}")
    assert killed
