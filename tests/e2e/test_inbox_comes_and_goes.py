"""The inbox goes away, comes back, or loses its events: everything is served all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from accounting import account, assert_nothing_left_over, fingerprints
from sample_drops import drop
from served_root import RunningDaemon, ServedRoot

from img2imgd import durable
from img2imgd.job import JobState
from waiting import wait_until

SIDECAR = "prompt: a lake\nsteps: 2\n"
# The program with a watch that never says anything, as on a full inotify queue.
DEAF = """\
import sys
import img2imgd.inbox.watch
img2imgd.inbox.watch.Watch.tend = lambda self, now: None
from img2imgd.cli import run
sys.exit(run(sys.argv[1:]))
"""


def test_an_inbox_that_was_removed_and_made_again_is_served_again(root: ServedRoot) -> None:
    daemon = root.start()
    drop(root.inbox, "before.png", SIDECAR)
    root.wait_served(1)
    durable.remove_tree(root.inbox)  # while the daemon writes there
    wait_until(lambda: root.status()["unavailable"], "the daemon notices")
    assert root.status()["unavailable"] == [
        {"inbox": str(root.inbox), "why": f"The inbox {root.inbox} is not there."}
    ]
    root.inbox.mkdir()
    drop(root.inbox, "after.png", SIDECAR)
    root.wait_served(2)
    wait_until(lambda: "is back" in daemon.log, "the daemon says so")
    wait_until(lambda: not root.status()["unavailable"], "and in the status too")
    assert (root.inbox / ".img2imgd").stat().st_mode & 0o777 == 0o700
    drop(root.inbox, "later.png", SIDECAR)
    root.wait_served(3)
    assert len(root.outputs()) == 3
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log


def test_an_inbox_that_was_replaced_by_another_folder_is_watched_again(root: ServedRoot) -> None:
    root.write_config(rescan=2)
    daemon = root.start()
    drop(root.inbox, "before.png", SIDECAR)
    root.wait_served(1)
    fresh = root.path / "fresh"
    drop(fresh, "in-the-new-one.png", SIDECAR)
    root.inbox.rename(root.path / "old")
    fresh.rename(root.inbox)
    root.wait_served(2)
    drop(root.inbox, "another.png", SIDECAR)
    root.wait_served(3)
    assert len(root.outputs()) == 3
    assert daemon.stop() == 0


def test_a_second_daemon_is_refused_on_an_inbox_that_came_back(
    root: ServedRoot, tmp_path: Path
) -> None:
    daemon = root.start()
    durable.remove_tree(root.inbox)  # while the daemon writes there
    wait_until(lambda: "is not there" in daemon.log, "the daemon notices")
    root.inbox.mkdir()
    wait_until(lambda: "is back" in daemon.log, "the daemon serves it again")
    other = tmp_path / "other.yaml"
    other.write_text(f"root: {tmp_path}/other\ninboxes: [{{path: {root.inbox}}}]\n")
    second = root.command("once", "-c", other, timeout=30)
    assert second.returncode == 4, second.stderr
    assert daemon.stop() == 0


def test_with_every_event_lost_everything_is_still_served(root: ServedRoot) -> None:
    log_file = root.path.parent / "deaf.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", DEAF, "run", "-c", root.config], stdout=log, stderr=log
        )
    daemon = RunningDaemon(process, log_file)
    root.daemons.append(daemon)
    wait_until(lambda: "watching" in daemon.log, "the daemon runs")
    for number in range(3):
        drop(root.inbox / f"folder-{number}", "cat.png", SIDECAR)
        root.wait_served(number + 1)
    assert daemon.stop() == 0


def test_a_file_taken_back_before_it_is_served_is_forgotten(root: ServedRoot) -> None:
    root.write_config(pair_wait=30, orphan_after=60)
    daemon = root.start()
    drop(root.inbox, "regret.png", None)
    wait_until(lambda: root.status().get("waiting"), "the picture is seen")
    (root.inbox / "regret.png").unlink()
    wait_until(lambda: not root.status()["waiting"], "the picture is forgotten")
    assert root.jobs() == []
    assert daemon.stop() == 0
    assert account(root, {}) == {}
    assert_nothing_left_over(root)


def test_jobs_whose_inbox_is_away_for_a_while_are_served_when_it_is_back(root: ServedRoot) -> None:
    many = "prompt: a lake\nsteps: 2\nn: 20\n"  # more frames than the worker gets at a time
    for stem in ("first", "second", "third"):
        drop(root.inbox, f"{stem}.png", many)
    dropped = fingerprints(root.inbox)
    daemon = root.start(IMG2IMGD_FAKE_STEP_SECONDS="0.05")
    wait_until(lambda: root.staged_frames() >= 1, "the first job paints, the others are queued")
    away = root.path / "away"
    root.inbox.rename(away)
    wait_until(lambda: "is not there" in daemon.log, "the daemon notices")
    worker = daemon.worker
    assert worker is not None
    os.kill(worker, signal.SIGKILL)  # so that the jobs are started anew while it is away
    wait_until(lambda: daemon.worker != worker, "it has died")
    wait_until(lambda: {job.state for job in root.jobs()} == {JobState.QUEUED}, "the jobs wait")
    wait_until(lambda: root.status()["waits_for"], "they were tried")
    away.rename(root.inbox)
    root.wait_served(3)
    assert set(account(root, dropped).values()) == {"done"}
    assert len(list(root.outbox.rglob("*_a-lake_??_*.png"))) == 60
    assert daemon.stop() == 0
    assert_nothing_left_over(root)
