"""kill -9 of the daemon and of its worker at many moments: nothing is lost, nothing is doubled."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest
from accounting import (
    account,
    assert_nothing_left_over,
    assert_outputs_whole,
    fingerprints,
    gif_duration,
)
from sample_drops import drop, encoded
from served_root import Process, RunningDaemon, ServedRoot, pause, processes

from img2imgd.job import JobState
from waiting import wait_until

SLOW = {"IMG2IMGD_FAKE_STEP_SECONDS": "0.02"}
SINGLE = "prompt: a lake\nsteps: 5\nstrength: 1\n"
SWEEP = "prompt: a lake\nsteps: 4\nseed: 9\nsweep: {strength: [0.25, 0.5, 0.75, 1]}\n"
SINGLES = [f"single-{number}" for number in range(5)]
SHARED = ("trio.png", "trio.jpg", "trio.webp")
SWEEPS = [f"sweep-{number}" for number in range(4)]
BAD = "misspelt"


def _drop_all(root: ServedRoot) -> None:
    for number, stem in enumerate(SINGLES):
        drop(root.inbox, f"{stem}.png", SINGLE, encoded(seed=number))
    for number, stem in enumerate(SWEEPS):
        drop(root.inbox / "sweeps", f"{stem}.png", SWEEP, encoded(seed=50 + number))
    for number, name in enumerate(SHARED):
        form = name.rpartition(".")[2].upper().replace("JPG", "JPEG")
        (root.inbox / name).write_bytes(encoded(form, seed=70 + number))
    (root.inbox / "trio.yaml").write_text(SINGLE)
    drop(root.inbox, f"{BAD}.png", "prompt: x\nstrenght: 1\n", encoded(seed=99))


def _assert_served_once_each(root: ServedRoot, dropped: dict[bytes, bytes]) -> None:
    places = account(root, dropped)
    failed = {os.fsdecode(name) for name, place in places.items() if place == "failed"}
    assert failed == {f"{BAD}.png", f"{BAD}.yaml"}
    assert_nothing_left_over(root)
    assert_outputs_whole(root)
    for stem in SINGLES:
        assert len(list(root.outbox.glob(f"{stem}_*.png"))) == 1, stem
    assert len(list(root.outbox.glob("trio_*.png"))) == len(SHARED)
    for stem in SWEEPS:
        (folder,) = (root.outbox / "sweeps").glob(f"{stem}_*")
        assert len(list(folder.glob(f"{stem}_a-lake_0?_*_9.png"))) == 4
        (gif,) = folder.glob("*.gif")
        assert gif_duration(gif) == 4 * 400
    tops = {p.name for p in root.outbox.iterdir()}
    assert len(tops - {".img2imgd", "sweeps"}) == len(SINGLES) + len(SHARED)
    assert len(list((root.outbox / "sweeps").iterdir())) == len(SWEEPS)


def _gone(killed: Sequence[Process]) -> bool:
    """True when none of these processes is left (a pid may be another's by now)."""
    left = {(process.pid, process.command) for process in processes()}
    return not any((process.pid, process.command) in left for process in killed)


def _published(root: ServedRoot, count: int) -> Callable[[], bool]:
    return lambda: sum(row.state is JobState.DONE for row in root.jobs()) >= count


def _spooled(root: ServedRoot) -> bool:
    return any(path.is_dir() for path in (root.inbox / ".img2imgd").iterdir())


def test_nothing_is_lost_or_doubled_when_the_daemon_is_killed_again_and_again(
    root: ServedRoot,
) -> None:
    _drop_all(root)
    dropped = fingerprints(root.inbox)
    moments: list[tuple[Callable[[], bool], float]] = [
        (lambda: _spooled(root), 0.0),  # while drops are being claimed
        (lambda: bool(root.jobs()), 0.03),
        (lambda: root.staged_frames() >= 1, 0.0),
        (_published(root, 1), 0.005),
        (_published(root, 4), 0.015),
        (_published(root, 8), 0.0),
        (_published(root, 10), 0.06),
    ]
    for moment, later in moments:
        daemon = root.start(**SLOW)
        wait_until(moment, "the moment to kill")
        pause(later)
        children = daemon.kill()
        wait_until(lambda children=children: _gone(children), "worker and reader ended", 10)
    result = root.once()
    assert result.returncode in (0, 3), result.stderr
    _assert_served_once_each(root, dropped)


def test_nothing_is_lost_or_doubled_when_the_worker_is_killed_again_and_again(
    root: ServedRoot,
) -> None:
    _drop_all(root)
    dropped = fingerprints(root.inbox)
    daemon = root.start(**SLOW)
    for count in (0, 2, 5, 7, 9):
        wait_until(_published(root, count), f"{count} jobs are done")
        wait_until(lambda: _is_painting(root, daemon), "a worker paints")
        worker = daemon.worker
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda worker=worker: daemon.worker != worker, "the death is noticed")
    root.wait_served(len(SINGLES) + len(SHARED) + len(SWEEPS) + 1)
    assert daemon.stop() == 0
    _assert_served_once_each(root, dropped)
    assert "Traceback" not in daemon.log


def _is_painting(root: ServedRoot, daemon: RunningDaemon) -> bool:
    return daemon.worker is not None and any(row.state is JobState.RUNNING for row in root.jobs())


@pytest.mark.parametrize("marker", ["reader.process", "pool.process"])
def test_a_child_outlives_no_killed_daemon(root: ServedRoot, marker: str) -> None:
    daemon = root.start(IMG2IMGD_FAKE_STEP_SECONDS="3")
    drop(root.inbox, "cat.png", SINGLE)
    wait_until(lambda: daemon.child(marker), f"{marker} runs")
    wait_until(lambda: root.jobs()[0].state is JobState.RUNNING, "the job runs")
    children = daemon.kill()
    assert any(marker in child.command for child in children)
    wait_until(lambda: _gone(children), "no child is left, even in the middle of a step", 5)


def test_a_killed_reader_is_replaced_and_its_picture_served(root: ServedRoot) -> None:
    daemon = root.start()
    drop(root.inbox, "first.png", SINGLE)
    root.wait_served(1)
    reader = daemon.child("reader.process")
    assert reader is not None
    with suppress(ProcessLookupError):
        os.kill(reader, signal.SIGKILL)
    drop(root.inbox, "second.png", SINGLE)
    root.wait_served(2)
    assert [row.state for row in root.jobs()] == [JobState.DONE, JobState.DONE]
    assert daemon.stop() == 0


def test_a_picture_that_kills_the_worker_is_set_aside_and_its_neighbours_are_served(
    root: ServedRoot,
) -> None:
    limits = "min_free_gb: 0"
    text = root.config.read_text().replace(limits, f"{limits}, max_attempts: 2")
    root.config.write_text(text)
    drop(root.inbox, "fine-1.png", SINGLE)
    drop(root.inbox, "poison.png", "prompt: a bad driver\nsteps: 5\n")
    drop(root.inbox, "fine-2.png", SWEEP)
    result = root.once(IMG2IMGD_FAKE_POISON="bad driver")
    assert result.returncode == 3, result.stderr
    assert {path.name for path in root.failed.iterdir()} == {
        "poison.png", "poison.yaml", "poison.png.reason.txt",
    }  # fmt: skip
    reason = (root.failed / "poison.png.reason.txt").read_text()
    assert "2 times" in reason
    assert len(list(root.outbox.glob("fine-1_*.png"))) == 1
    assert len(list(root.outbox.glob("fine-2_*/*.png"))) >= 4
