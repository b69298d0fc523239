"""Disks that fill up, go read-only, freeze or vanish under the daemon: it waits, and goes on."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from daemons import config_at, end, serving, start_through
from disks import Disk, Mounts, fill, needs_mounts
from served_root import ServedRoot
from world import put, shared, single, sweep

from waiting import wait_until

if TYPE_CHECKING:
    from fault_table import Tally

pytestmark = needs_mounts

Mend = Callable[[], object]
FIRST = (single("first", 10),)
LATER = (single("a", 11), sweep("sub/b", 12), shared("c", 13))
JOBS_LATER = 4


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[ServedRoot, Mounts]]:
    """A root and its mounts."""
    with serving(tmp_path) as both:
        yield both


@pytest.fixture
def root(served: tuple[ServedRoot, Mounts]) -> ServedRoot:
    """The root."""
    return served[0]


@pytest.fixture
def mounts(served: tuple[ServedRoot, Mounts]) -> Mounts:
    """The mounts."""
    return served[1]


def full(root: ServedRoot, mounts: Mounts) -> Mend:
    return fill(root.outbox).unlink


def without_inodes(root: ServedRoot, mounts: Mounts) -> Mend:
    crowd = root.outbox / ".crowd"
    crowd.mkdir()
    with contextlib.suppress(OSError):
        for number in range(10_000):
            (crowd / str(number)).touch()
    assert not os.statvfs(crowd).f_ffree
    return lambda: shutil.rmtree(crowd)


def read_only(root: ServedRoot, mounts: Mounts) -> Mend:
    mounts.bind(root.outbox, root.outbox, read_only=True)
    return lambda: mounts.unmount(root.outbox)


def not_allowed(root: ServedRoot, mounts: Mounts) -> Mend:
    staging = root.outbox / ".img2imgd"
    subprocess.run(["chattr", "+i", staging], check=True)
    return lambda: subprocess.run(["chattr", "-i", staging], check=True)


def vanished(root: ServedRoot, mounts: Mounts) -> Mend:
    away = root.path / "away"
    mounts.unmount(root.outbox)
    root.outbox.rmdir()
    return lambda: mounts.bind(away, root.outbox)


def unmounted(root: ServedRoot, mounts: Mounts) -> Mend:
    away = root.path / "away"
    mounts.unmount(root.outbox)
    return lambda: mounts.bind(away, root.outbox)


def covered(root: ServedRoot, mounts: Mounts) -> Mend:
    mounts.tmpfs(root.outbox)
    return lambda: mounts.unmount(root.outbox)


def said(root: ServedRoot) -> str:
    """Why something waits: the work, or a drop."""
    status = root.status()
    return f"{status['waits_for']} {status['waiting']}"


@pytest.mark.parametrize(
    "fault", [full, without_inodes, read_only, not_allowed, vanished, unmounted, covered]
)
def test_an_outbox_that_cannot_be_written_is_waited_for(
    root: ServedRoot,
    mounts: Mounts,
    fault: Callable[[ServedRoot, Mounts], Mend],
    tally: Tally,
) -> None:
    mounts.tmpfs(root.path / "away", "size=2m,nr_inodes=200")
    mounts.bind(root.path / "away", root.outbox)
    daemon = root.start()
    put(config_at(root), FIRST)
    root.wait_served(1)
    mend = fault(root, mounts)
    put(config_at(root), LATER)
    wait_until(lambda: "outbox" in said(root), "the status says so")
    mend()
    root.wait_served(1 + JOBS_LATER)
    assert not root.status()["waits_for"]
    end(root, daemon, FIRST + LATER, tally)


def test_an_outbox_that_fills_up_while_a_job_is_painted_is_waited_for(
    root: ServedRoot, mounts: Mounts, tally: Tally
) -> None:
    mounts.tmpfs(root.outbox, "size=2m")
    daemon = root.start(IMG2IMGD_FAKE_STEP_SECONDS="0.02")
    put(config_at(root), FIRST)
    wait_until(lambda: root.jobs() and root.jobs()[0].started_at, "the job is being painted")
    ballast = fill(root.outbox)
    wait_until(lambda: "Trying again" in daemon.log, "the daemon says so")
    assert "outbox" in said(root)
    put(config_at(root), LATER)
    wait_until(lambda: "waits for room" in said(root), "drops stay in the inbox")
    ballast.unlink()
    root.wait_served(1 + JOBS_LATER)
    end(root, daemon, FIRST + LATER, tally)


def test_a_full_disk_below_the_ledger_is_waited_for(
    root: ServedRoot, mounts: Mounts, tally: Tally
) -> None:
    mounts.tmpfs(root.path / "state", "size=2m")
    daemon = root.start()
    put(config_at(root), FIRST)
    root.wait_served(1)
    ballast = fill(root.path / "state")
    put(config_at(root), LATER)
    wait_until(lambda: "cannot be written" in daemon.log, "the daemon says so")
    ballast.unlink()
    root.wait_served(1 + JOBS_LATER)
    end(root, daemon, FIRST + LATER, tally)


def test_a_frozen_outbox_is_waited_for(
    root: ServedRoot, mounts: Mounts, tmp_path: Path, tally: Tally
) -> None:
    mounts.add(Disk.make(tmp_path / "disk", root.outbox))
    (root.outbox / "lost+found").rmdir()
    daemon = root.start(IMG2IMGD_FAKE_STEP_SECONDS="0.02")
    put(config_at(root), FIRST)
    wait_until(lambda: root.jobs() and root.jobs()[0].started_at, "the job is being painted")
    subprocess.run(["fsfreeze", "--freeze", root.outbox], check=True)
    try:
        put(config_at(root), LATER)
        wait_until(lambda: root.status()["queued"], "drops are claimed all the same")
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", root.outbox], check=True)
    root.wait_served(1 + JOBS_LATER)
    end(root, daemon, FIRST + LATER, tally)


@pytest.mark.parametrize("which", ["inbox", "inbox/sub", "outbox", "outbox/.img2imgd", "done"])
def test_a_folder_whose_rights_are_taken_away_for_a_while_is_waited_for(
    root: ServedRoot, which: str, tally: Tally
) -> None:
    daemon = start_through(root, "setpriv", "--bounding-set", "-dac_override,-dac_read_search")
    put(config_at(root), FIRST)
    root.wait_served(1)
    folder = root.path / which
    folder.mkdir(exist_ok=True)
    before = folder.stat().st_mode
    folder.chmod(0o000 if which.startswith("inbox") else 0o500)
    put(config_at(root), LATER)
    try:
        wait_until(lambda: "denied" in str(root.status()), "the status says so")
    finally:
        folder.chmod(before)
    root.wait_served(1 + JOBS_LATER)
    end(root, daemon, FIRST + LATER, tally)
