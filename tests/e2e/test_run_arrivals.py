"""Files that arrive at a running daemon by the usual ways are served once each, and whole."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from accounting import account, assert_nothing_left_over, assert_outputs_whole
from sample_drops import encoded
from served_root import ServedRoot, pause

from img2imgd.job import JobState
from waiting import wait_until

SETTLE = 1.0  # seconds; the writers below pause for half of it and more
SIDECAR = b"prompt: a lake\nsteps: 4\n"
WAYS = ("cp", "mv", "slow", "reopened", "rsync", "rsync-inplace")


@dataclass(frozen=True)
class Arrivals:
    """A root after everything has arrived and was served."""

    root: ServedRoot
    dropped: dict[bytes, bytes]


@pytest.fixture(scope="module")
def arrivals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arrivals]:
    base = tmp_path_factory.mktemp("arrivals")
    root = ServedRoot(base / "root", base / "config.yaml")
    root.write_config(settle=SETTLE, pair_wait=SETTLE, orphan_after=60)
    elsewhere = base / "elsewhere"
    elsewhere.mkdir()
    dropped: dict[bytes, bytes] = {}
    for number, way in enumerate(WAYS):
        dropped[f"{way}.png".encode()] = encoded(seed=number, width=400, height=300)
        dropped[f"{way}.yaml".encode()] = SIDECAR
    for name, content in dropped.items():
        (elsewhere / os.fsdecode(name)).write_bytes(content)
    daemon = root.start()
    try:
        _arrive(elsewhere, root.inbox, dropped)
        root.wait_served(len(WAYS))
        assert daemon.stop() == 0, daemon.log
        yield Arrivals(root, dropped)
    finally:
        if daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait(10)


def _arrive(source: Path, inbox: Path, dropped: dict[bytes, bytes]) -> None:
    subprocess.run(["cp", source / "cp.png", source / "cp.yaml", inbox], check=True)
    subprocess.run(["mv", source / "mv.yaml", source / "mv.png", inbox], check=True)
    rsync = shutil.which("rsync")
    assert rsync, "these tests need rsync: apt-get install rsync"
    slow = ["--bwlimit=200", "-t"]  # kB/s: about two seconds
    files = [source / "rsync.png", source / "rsync.yaml"]
    in_place = [source / "rsync-inplace.png", source / "rsync-inplace.yaml"]
    transfers = [
        subprocess.Popen([rsync, *slow, *files, inbox]),
        subprocess.Popen([rsync, *slow, "--inplace", *in_place, inbox]),
    ]
    (inbox / "slow.yaml").write_bytes(SIDECAR)
    (inbox / "reopened.yaml").write_bytes(SIDECAR)
    _write_slowly(inbox / "slow.png", dropped[b"slow.png"])
    _write_reopening(inbox / "reopened.png", dropped[b"reopened.png"])
    for transfer in transfers:
        assert transfer.wait(60) == 0


def _write_slowly(path: Path, content: bytes) -> None:
    """Hold the file open over pauses longer than the settle time."""
    third = len(content) // 3
    with path.open("wb") as file:
        for part in (content[:third], content[third : 2 * third], content[2 * third :]):
            file.write(part)
            file.flush()
            pause(SETTLE * 1.4)


def _write_reopening(path: Path, content: bytes) -> None:
    """Close the file in between, as scanners do, for more than half of the settle time."""
    third = len(content) // 3
    for part in (content[:third], content[third : 2 * third], content[2 * third :]):
        with path.open("ab") as file:
            file.write(part)
        pause(SETTLE * 0.55)


@pytest.mark.parametrize("way", WAYS)
def test_each_way_of_arriving_makes_one_job_and_one_picture(arrivals: Arrivals, way: str) -> None:
    jobs = [row for row in arrivals.root.jobs() if row.spec.rel == f"{way}.png"]
    assert [row.state for row in jobs] == [JobState.DONE]
    outputs = [p for p in arrivals.root.outputs() if p.name.startswith(f"{way}_")]
    assert [p.name for p in outputs] == [jobs[0].published]


def test_the_archived_inputs_have_the_bytes_that_were_sent(arrivals: Arrivals) -> None:
    places = account(arrivals.root, arrivals.dropped)
    assert set(places.values()) == {"done"}


def test_nothing_is_left_over_and_every_output_is_whole(arrivals: Arrivals) -> None:
    assert_nothing_left_over(arrivals.root)
    assert_outputs_whole(arrivals.root)


def test_a_burst_is_served_in_the_order_of_its_names(root: ServedRoot) -> None:
    names = [f"scan-{number:02}" for number in range(12)]
    for number, name in enumerate(names):
        (root.inbox / f"{name}.png").write_bytes(encoded(seed=number))
        (root.inbox / f"{name}.yaml").write_bytes(SIDECAR)
    daemon = root.start()
    root.wait_served(len(names))
    assert [row.spec.rel for row in root.jobs()] == [f"{name}.png" for name in names]
    ended = sorted(root.jobs(), key=lambda row: row.ended_at or 0)
    assert [row.spec.rel for row in ended] == [f"{name}.png" for name in names]
    assert daemon.stop() == 0


def test_identical_files_are_two_drops(root: ServedRoot) -> None:
    daemon = root.start()
    picture = encoded()
    for served in (1, 2):
        (root.inbox / "same.png").write_bytes(picture)
        (root.inbox / "same.yaml").write_bytes(SIDECAR)
        root.wait_served(served)
    wait_until(lambda: len(root.outputs()) == 2, "two outputs")
    assert {p.name for p in root.done.iterdir()} == {
        "same.png", "same.yaml", "same~2.png", "same~2.yaml",
    }  # fmt: skip
    assert daemon.stop() == 0


def test_a_late_sidecar_makes_a_new_job_on_the_served_picture(root: ServedRoot) -> None:
    daemon = root.start()
    (root.inbox / "cat.png").write_bytes(encoded())
    (root.inbox / "cat.yaml").write_bytes(SIDECAR)
    root.wait_served(1)
    (root.inbox / "cat.yaml").write_text("prompt: a castle\nsteps: 4\n")
    root.wait_served(2)
    assert {p.name.rpartition("_")[0] for p in root.outputs()} == {
        "cat_a-lake_00", "cat_a-castle_00",
    }  # fmt: skip
    assert (root.done / "cat.png").read_bytes() == encoded()
    assert daemon.stop() == 0
