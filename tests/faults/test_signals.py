"""SIGTERM and SIGINT in every state: the daemon ends in time, and the next start serves it all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from daemons import config_at, serving
from disks import Mounts, fill, needs_mounts
from invariants import Drop, check
from served_root import RunningDaemon, ServedRoot, descendants, processes
from world import picture, put, single, sweep

from waiting import wait_until

if TYPE_CHECKING:
    from conftest import Points
    from fault_table import Tally

GRACE = 20.0  # seconds; the daemon gives its worker ten
FRAMES = 12
MANY = Drop(
    {
        "many.png": picture(5),
        "many.yaml": b"prompt: a lake\nsize: 64\nsteps: 5\nstrength: 1\nseed: 3\nn: %d\n" % FRAMES,
    },
    frames=FRAMES,
    assemblies=1,
)
DROPS = (single("a", 1), sweep("sub/b", 2), MANY)
# The program with a step that takes its time and leaves a mark when it begins.
SLOWED = """\
import importlib, pathlib, sys, time
module, owner, name, mark = sys.argv[1:5]
owner = getattr(importlib.import_module(module), owner)
step = getattr(owner, name)
def slowed(*arguments, **keywords):
    pathlib.Path(mark).touch()
    time.sleep(1)
    return step(*arguments, **keywords)
setattr(owner, name, slowed)
from img2imgd.cli import run
sys.exit(run(["run", "-c", sys.argv[5]]))
"""


@dataclass(frozen=True)
class State:
    """How to bring a daemon into a state: config, environment or slowed step, and how to tell."""

    reached: Callable[[ServedRoot, RunningDaemon], object]
    slowed: tuple[str, str, str] | None = None
    settle: float = 0.2
    full: bool = False
    step_seconds: str = "0"


def staged(count: int) -> Callable[[ServedRoot, RunningDaemon], object]:
    return lambda root, _: root.staged_frames() >= count


def marked(root: ServedRoot, _: RunningDaemon) -> bool:
    return (root.path / "mark").exists()


STATES = {
    "settling": State(lambda root, _: root.status()["waiting"], settle=30),
    "claiming": State(marked, ("img2imgd.inbox", "claim", "take")),
    "loading": State(lambda _, daemon: "worker started" in daemon.log),
    "painting": State(staged(3), step_seconds="0.03"),
    "assembling": State(staged(FRAMES)),
    "publishing": State(marked, ("img2imgd.outputs.staging", "Staging", "publish")),
    "archiving": State(marked, ("img2imgd.dispatch.archive", "Archive", "_move")),
    "on a full disk": State(
        lambda _, daemon: "Trying again" in daemon.log, full=True, step_seconds="0.02"
    ),
}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[ServedRoot, Mounts]]:
    """A root and its mounts."""
    with serving(tmp_path) as both:
        yield both


def start(root: ServedRoot, state: State) -> RunningDaemon:
    if state.slowed is None:
        return root.start(IMG2IMGD_FAKE_STEP_SECONDS=state.step_seconds)
    log_file = root.path.parent / "slowed.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SLOWED, *state.slowed, root.path / "mark", root.config],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "IMG2IMGD_FAKE_STEP_SECONDS": state.step_seconds},
        )
    root.daemons.append(RunningDaemon(process, log_file))
    return root.daemons[-1]


# A service manager, or a terminal, may send the signal to the daemon's children as well.
CASES = [
    (signal.SIGINT, False),
    (signal.SIGTERM, False),
    (signal.SIGINT, True),
    (signal.SIGTERM, True),
]


@pytest.mark.parametrize(("number", "to_all"), CASES)
@pytest.mark.parametrize("name", STATES)
@needs_mounts
def test_a_signal_ends_the_daemon_and_loses_nothing(
    served: tuple[ServedRoot, Mounts],
    name: str,
    number: signal.Signals,
    to_all: bool,
    points: Points,
    tally: Tally,
) -> None:
    if not points.in_full and CASES[list(STATES).index(name) % 4] != (number, to_all):
        pytest.skip("another case is tried; all are in full")
    (root, mounts), state = served, STATES[name]
    root.write_config(settle=state.settle)
    mend = None
    if state.full:
        mounts.tmpfs(root.outbox, "size=1m")
    put(config_at(root), DROPS)
    daemon = start(root, state)
    if state.full:
        wait_until(lambda: len(root.jobs()) == len(DROPS), "there was room for the claims")
        mend = fill(root.outbox).unlink
    wait_until(lambda: state.reached(root, daemon), name)
    children = {child.pid for child in descendants(daemon.pid)}
    assert children or name in ("settling", "claiming"), "else there is a reader, or a worker"
    assert daemon.stop(number, GRACE, to_all=to_all) == 0, daemon.log
    if mend is not None:
        mend()
    assert "Traceback" not in daemon.log, daemon.log
    wait_until(
        lambda: not children & {process.pid for process in processes()},
        "the daemon's processes are gone with it",
    )
    verdict = check(config_at(root), DROPS, ended=False)
    verdict.assert_fine(f"when it was stopped: {daemon.log}")
    assert not [row.id for row in root.jobs() if row.suspect or row.attempts], daemon.log
    root.write_config()
    again = root.once()
    assert again.returncode == 0, again.stderr
    verdict = check(config_at(root), DROPS)
    tally.count(f"{number.name}{' to all' if to_all else ''} while {name}", verdict)
    verdict.assert_fine("after the next start")
    assert {row.attempts for row in root.jobs()} == {0}


def test_of_three_daemons_started_at_once_one_serves(
    served: tuple[ServedRoot, Mounts], tally: Tally
) -> None:
    root, _ = served
    put(config_at(root), DROPS)
    daemons = [root.launch() for _ in range(3)]
    root.wait_served(len(DROPS))
    alive = [daemon for daemon in daemons if daemon.process.poll() is None]
    assert len(alive) == 1
    assert {d.process.wait(20) for d in daemons if d not in alive} == {4}
    assert alive[0].stop() == 0
    verdict = check(config_at(root), DROPS)
    tally.count("three daemons on one root", verdict)
    verdict.assert_fine()
