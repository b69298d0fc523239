"""A root that was moved is served where it is now; a copy of one that is still there is not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from accounting import account, assert_nothing_left_over, fingerprints
from sample_drops import drop
from served_root import ServedRoot

from waiting import wait_until

SWEEP = "prompt: a lake\nsteps: 4\nseed: 9\nsweep: {strength: [0.25, 0.5, 0.75, 1]}\n"
SLOW = {"IMG2IMGD_FAKE_STEP_SECONDS": "0.1"}


def _leave_work(root: ServedRoot) -> dict[bytes, bytes]:
    """Stop a daemon that has painted half a sweep and has others queued; what was dropped."""
    for stem in ("first", "second"):
        drop(root.inbox / "set", f"{stem}.png", SWEEP)
    dropped = fingerprints(root.inbox)
    daemon = root.start(**SLOW)
    wait_until(lambda: len(root.jobs()) == 2 and root.staged_frames() >= 1, "it paints")
    assert daemon.stop() == 0
    assert root.outputs() == []
    return dropped


def _at(root: ServedRoot, path: Path, extra: str = "") -> ServedRoot:
    """The root as served under another path, with its config told so."""
    other = ServedRoot(path, root.config.with_name("other.yaml"), root.daemons)
    other.write_config(extra=extra)
    return other


def _tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("running", [False, True], ids=["stopped", "running"])
def test_a_copy_does_not_start_while_the_original_is_there(
    root: ServedRoot, tmp_path: Path, running: bool
) -> None:
    dropped = _leave_work(root)
    shutil.copytree(root.path, tmp_path / "copy")
    copy = _at(root, tmp_path / "copy")
    before = _tree(copy.path)
    daemon = root.start(**SLOW) if running else None
    for command in ("run", "once"):
        refused = copy.command(command, "-c", copy.config, timeout=30)
        assert refused.returncode == 5, refused.stderr
        assert f"is a copy: that of {root.path}/state is still there" in refused.stderr
        for folder in ("state", "inbox/.img2imgd", "outbox/.img2imgd"):
            assert f"{copy.path}/{folder}" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert _tree(copy.path) - before <= {f"state/ledger.sqlite-{end}" for end in ("wal", "shm")}
    daemon = daemon or root.start()
    root.wait_served(2)
    assert daemon.stop() == 0
    assert set(account(root, dropped).values()) == {"done"}
    assert_nothing_left_over(root)


def test_a_copy_without_its_state_does_not_start_either_while_it_has_the_originals_jobs(
    root: ServedRoot, tmp_path: Path
) -> None:
    _leave_work(root)
    shutil.copytree(root.path, tmp_path / "copy")
    copy = _at(root, tmp_path / "copy")
    shutil.rmtree(copy.path / "state")
    refused = copy.command("once", "-c", copy.config, timeout=30)
    assert refused.returncode == 5, refused.stderr
    assert f"is a copy of {root.inbox}, which is still there" in refused.stderr
    assert f"Remove {copy.inbox}/.img2imgd" in refused.stderr


def test_a_copy_serves_its_own_files_once_it_is_a_root_of_its_own(
    root: ServedRoot, tmp_path: Path
) -> None:
    dropped = _leave_work(root)
    shutil.copytree(root.path, tmp_path / "copy")
    copy = _at(root, tmp_path / "copy")
    for folder in ("state", "inbox/.img2imgd", "outbox/.img2imgd"):
        shutil.rmtree(copy.path / folder)
    drop(copy.inbox, "new.png", SWEEP)
    daemon = copy.start()
    copy.wait_served(1)
    assert daemon.stop() == 0
    assert [row.spec.rel for row in copy.jobs()] == ["new.png"]
    again = root.start()
    root.wait_served(2)
    assert again.stop() == 0
    assert set(account(root, dropped).values()) == {"done"}


def test_a_root_that_was_moved_goes_on_where_it_is(root: ServedRoot, tmp_path: Path) -> None:
    dropped = _leave_work(root)
    staged = {path.stat().st_ino for path in root.path.glob("outbox/.img2imgd/*/**/*.png")}
    moved = _at(root, root.path.rename(tmp_path / "moved"))
    daemon = moved.start()
    moved.wait_served(2)
    assert f"{root.path}/inbox is {moved.inbox} now" in daemon.log
    assert daemon.stop() == 0
    assert set(account(moved, dropped).values()) == {"done"}
    assert_nothing_left_over(moved)
    frames = list(moved.outbox.rglob("*_a-lake_??_*.png"))
    assert len(frames) == 8
    assert staged
    assert staged <= {path.stat().st_ino for path in frames}, "painted again"
    assert not root.path.exists()


def test_a_root_that_was_moved_without_its_ledger_goes_on_too(
    root: ServedRoot, tmp_path: Path
) -> None:
    dropped = _leave_work(root)
    moved = _at(root, root.path.rename(tmp_path / "moved"))
    shutil.rmtree(moved.path / "state")
    daemon = moved.start()
    moved.wait_served(2)
    assert daemon.stop() == 0
    assert set(account(moved, dropped).values()) == {"done"}
    assert_nothing_left_over(moved)
    assert not root.path.exists()


def test_kept_pictures_of_a_root_that_was_moved_are_not_painted_again(
    root: ServedRoot, tmp_path: Path
) -> None:
    keep = "    mode: keep\n"
    root.write_config(extra=keep)
    drop(root.inbox, "cat.png", "prompt: a lake\nsteps: 2\n")
    daemon = root.start()
    root.wait_served(1)
    assert daemon.stop() == 0
    moved = _at(root, root.path.rename(tmp_path / "moved"), extra=keep)
    drop(moved.inbox, "dog.png", "prompt: a lake\nsteps: 2\n")
    daemon = moved.start()
    moved.wait_served(2)
    assert daemon.stop() == 0
    assert moved.once().returncode == 0, "everything that lies there has been served"
    assert sorted(row.spec.rel for row in moved.jobs()) == ["cat.png", "dog.png"]
    assert not root.path.exists()


def test_a_root_under_another_name_is_neither_moved_nor_copied(
    root: ServedRoot, tmp_path: Path
) -> None:
    dropped = _leave_work(root)
    (tmp_path / "link").symlink_to(root.path)
    linked = _at(root, tmp_path / "link")
    daemon = linked.start()
    linked.wait_served(2)
    assert daemon.stop() == 0
    assert set(account(root, dropped).values()) == {"done"}
    assert_nothing_left_over(root)
    daemon = root.start()  # and back
    assert daemon.stop() == 0


def test_a_copied_inbox_is_refused_beside_the_original(root: ServedRoot, tmp_path: Path) -> None:
    dropped = _leave_work(root)
    copy = tmp_path / "copied inbox"
    subprocess.run(["cp", "-a", root.inbox, copy], check=True)
    root.write_config(extra=f"  - path: {copy}\n")
    refused = root.once()
    assert refused.returncode == 5
    assert f"The inbox {copy} is a copy of {root.inbox}" in refused.stderr
    shutil.rmtree(copy / ".img2imgd")
    daemon = root.start()
    root.wait_served(2)
    assert daemon.stop() == 0
    assert set(account(root, dropped).values()) == {"done"}


def test_jobs_whose_spool_was_removed_hold_up_no_others(root: ServedRoot) -> None:
    _leave_work(root)
    shutil.rmtree(root.inbox / ".img2imgd")
    drop(root.inbox, "new.png", "prompt: a lake\nsteps: 2\n")
    daemon = root.start()
    root.wait_served(1)
    (served,) = (row for row in root.jobs() if row.archived)
    assert served.spec.rel == "new.png"
    wait_until(lambda: root.status()["waits_for"], "the others are tried")
    assert "their files went with it" in str(root.status()["waits_for"])
    queued = root.status()["queued"]
    assert [job["picture"] for job in queued] == ["set/first.png", "set/second.png"]  # type: ignore[attr-defined]
    assert daemon.stop() == 0
