"""The ledger's file is broken: the program sets it aside, and goes on from the folders."""

from __future__ import annotations

import os
import signal

from accounting import account, assert_nothing_left_over, assert_outputs_whole, fingerprints
from sample_drops import drop
from served_root import ServedRoot

from waiting import wait_until

SWEEP = "prompt: a lake\nsteps: 4\nseed: 9\nsweep: {strength: [0.25, 0.5, 0.75, 1]}\n"


def _break_ledger(root: ServedRoot) -> bytes:
    path = root.path / "state" / "ledger.sqlite"
    for log in path.parent.glob("ledger.sqlite-*"):
        log.unlink()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * max(path.stat().st_size - 100, 4000))
    return path.read_bytes()


def test_a_ledger_broken_by_a_crash_costs_nothing(root: ServedRoot) -> None:
    for stem in ("first", "second", "third"):
        drop(root.inbox / "set", f"{stem}.png", SWEEP)
    dropped = fingerprints(root.inbox)
    daemon = root.start(IMG2IMGD_FAKE_STEP_SECONDS="0.1")
    wait_until(lambda: root.staged_frames() >= 2, "the first sweep is half painted")
    staged = {path: path.stat().st_ino for path in root.outbox.rglob("*.png")}
    daemon.kill()
    broken = _break_ledger(root)
    again = root.start()
    root.wait_served(3)
    assert "the ledger is damaged" in again.log
    assert again.stop() == 0
    (aside,) = (root.path / "state").glob("ledger-damaged-*.sqlite")
    assert aside.read_bytes() == broken
    assert set(account(root, dropped).values()) == {"done"}
    assert_nothing_left_over(root)
    assert_outputs_whole(root)
    frames = list(root.outbox.rglob("*_a-lake_??_*.png"))
    assert len(frames) == 12
    assert set(staged.values()) <= {path.stat().st_ino for path in frames}, "painted again"


def test_a_ledger_that_breaks_while_it_runs_ends_the_daemon_with_advice(root: ServedRoot) -> None:
    daemon = root.start(IMG2IMGD_FAKE_STEP_SECONDS="0.3")
    drop(root.inbox, "cat.png", SWEEP)
    dropped = fingerprints(root.inbox)
    wait_until(lambda: root.staged_frames() >= 1, "it paints")
    os.kill(daemon.pid, signal.SIGSTOP)
    path = root.path / "state" / "ledger.sqlite"
    for name in (path, path.with_name("ledger.sqlite-wal")):
        with name.open("r+b") as file:
            file.write(b"\xff" * name.stat().st_size)
    os.kill(daemon.pid, signal.SIGCONT)
    assert daemon.process.wait(30) == 1
    assert "Start img2imgd again" in daemon.log
    again = root.start()
    wait_until(lambda: len(list(root.done.iterdir())) == 2, "the rest is done")
    assert again.stop() == 0
    assert set(account(root, dropped).values()) == {"done"}
    assert_nothing_left_over(root)
