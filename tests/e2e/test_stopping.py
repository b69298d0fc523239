"""SIGTERM and SIGINT: the daemon stops in time and goes on where it was at the next start."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from accounting import account, assert_nothing_left_over, fingerprints, gif_duration
from PIL import Image
from sample_drops import drop
from served_root import PROGRAM, ServedRoot, descendants, processes

from waiting import wait_until

GRACE = 15.0  # seconds; the daemon gives its worker ten
SLOW = {"IMG2IMGD_FAKE_STEP_SECONDS": "0.04"}
FRAMES = 10
SWEEP = """\
prompt: a lake
steps: 10
seed: 5
sweep: {strength: {from: 0.1, to: 1, step: 0.1}}
"""


def _staged(root: ServedRoot) -> dict[str, tuple[int, int]]:
    """Name → (inode, mtime) of every whole frame in staging."""
    found = (root.outbox / ".img2imgd").rglob("*.png")
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in found
        if not path.name.startswith(".")
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_sweep_that_was_stopped_goes_on_with_its_painted_frames(
    root: ServedRoot, number: signal.Signals
) -> None:
    drop(root.inbox, "hills.png", SWEEP)
    dropped = fingerprints(root.inbox)
    daemon = root.start(**SLOW)
    wait_until(lambda: root.staged_frames() >= 3, "three frames are painted")
    children = descendants(daemon.pid)
    assert daemon.stop(number, GRACE) == 0, daemon.log
    assert "Traceback" not in daemon.log
    wait_until(lambda: not {c.pid for c in children} & {p.pid for p in processes()}, "none left")
    staged = _staged(root)
    assert 3 <= len(staged) < FRAMES
    assert root.outputs() == []

    second = root.start()
    root.wait_served(1)
    assert second.stop() == 0
    (folder,) = [p for p in root.outbox.iterdir() if p.name != ".img2imgd"]
    frames = sorted(folder.glob("hills_a-lake_??_*_5.png"))
    assert len(frames) == FRAMES
    published = {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in frames}
    assert staged.items() <= published.items(), "a painted frame was painted again"
    (gif,) = folder.glob("*.gif")
    assert gif_duration(gif) == FRAMES * 400
    assert set(account(root, dropped).values()) == {"done"}
    assert_nothing_left_over(root)


def test_a_resumed_sweep_has_the_pixels_of_one_that_was_never_stopped(
    root: ServedRoot, tmp_path: Path
) -> None:
    drop(root.inbox, "hills.png", SWEEP)
    original = (root.inbox / "hills.png").read_bytes()
    daemon = root.start(**SLOW)
    wait_until(lambda: root.staged_frames() >= 2, "two frames are painted")
    assert daemon.stop(grace=GRACE) == 0
    assert root.once().returncode == 0
    other = ServedRoot(tmp_path / "other", tmp_path / "other.yaml")
    other.write_config()
    drop(other.inbox, "hills.png", SWEEP, original)
    assert other.once().returncode == 0
    mine, theirs = root.outputs(), other.outputs()
    assert [p.name for p in mine] == [p.name for p in theirs]
    for one, two in zip(mine, theirs, strict=True):
        with Image.open(one) as left, Image.open(two) as right:
            assert left.tobytes() == right.tobytes(), one.name


def test_an_idle_daemon_stops_at_once(root: ServedRoot) -> None:
    daemon = root.start()
    assert daemon.stop(grace=5) == 0
    assert daemon.log.rstrip().endswith("stopped")


def test_an_idle_daemon_with_a_worker_stops_and_takes_it_along(root: ServedRoot) -> None:
    daemon = root.start()
    drop(root.inbox, "cat.png", "prompt: a lake\nsteps: 2\n")
    root.wait_served(1)
    children = {child.pid for child in descendants(daemon.pid)}
    assert len(children) >= 2
    assert daemon.stop(grace=GRACE) == 0
    wait_until(lambda: not children & {p.pid for p in processes()}, "no child is left")
    status = root.status()
    assert status["running"] is False


def test_sigterm_while_a_model_loads_keeps_the_drop_for_the_next_start(root: ServedRoot) -> None:
    root.write_config(backend="diffusers")
    drop(root.inbox, "cat.png", "prompt: a lake\nsteps: 2\n")
    dropped = fingerprints(root.inbox)
    daemon = root.start()
    wait_until(lambda: "worker started" in daemon.log, "the worker begins to load the model")
    worker = daemon.worker
    assert daemon.stop(grace=GRACE) == 0, daemon.log
    wait_until(lambda: worker not in {p.pid for p in processes()}, "the worker is gone")
    assert "Traceback" not in daemon.log
    assert root.outputs() == []
    root.write_config(backend="fake")
    assert root.once().returncode == 0
    assert len(root.outputs()) == 1
    assert set(account(root, dropped).values()) == {"done"}


def test_once_that_is_stopped_says_what_goes_on_later(root: ServedRoot) -> None:
    drop(root.inbox, "hills.png", SWEEP)
    once = subprocess.Popen(
        [PROGRAM, "once", "-c", root.config],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **SLOW},
    )
    wait_until(lambda: root.staged_frames() >= 1, "a frame is painted")
    once.send_signal(signal.SIGTERM)
    said, _ = once.communicate(timeout=GRACE)
    assert once.returncode == 5
    assert "open    hills.png: goes on at the next start" in said
    assert "stopped before the end" in said
    assert root.once().returncode == 0
    assert len([p for p in root.outputs() if p.name.endswith("_5.png")]) == FRAMES
