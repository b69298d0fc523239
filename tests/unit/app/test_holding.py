"""Folders held against daemons of this machine and of others."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from img2imgd.app import Daemon, holding
from img2imgd.app.holding import STALE, FolderLock, Holder
from img2imgd.config import Config
from img2imgd.errors import HeldByAnother
from img2imgd.job import JobState
from img2imgd.ledger import FileEntry, JobSpec, Outputs, open_ledger
from img2imgd.request import Request
from waiting import wait_until

HERE = Holder.this_process()
ELSEWHERE = Holder(4711, "studio", "b" * 16, "another-boot", "another-token")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An inbox's spool."""
    spool = tmp_path / "inbox" / ".img2imgd"
    spool.mkdir(parents=True)
    return spool


@pytest.fixture
def lock(folder: Path) -> Iterator[FolderLock]:
    """The folder, held."""
    lock = FolderLock(folder)
    yield lock
    lock.close()


def _left_by(folder: Path, holder: Holder, silent: float = 0) -> None:
    path = folder / "lock"
    path.write_text(f"{holder}\n")
    seen = time.time() - silent
    os.utime(path, (seen, seen))


def test_a_line_of_the_lock_file_reads_back() -> None:
    assert Holder.parse(f"{HERE}\n") == HERE


@pytest.mark.parametrize("line", ["", "pid 12 on studio", "pid x on a machine b boot c token d"])
def test_other_lines_name_nobody(line: str) -> None:
    assert Holder.parse(line) is None


def test_a_second_daemon_of_this_machine_is_refused(folder: Path, lock: FolderLock) -> None:
    with pytest.raises(HeldByAnother, match=f"pid {os.getpid()} on {HERE.host}"):
        FolderLock(folder)


def test_a_daemon_of_another_host_is_refused_while_its_heart_beats(folder: Path) -> None:
    _left_by(folder, ELSEWHERE, silent=STALE / 2)
    with pytest.raises(HeldByAnother, match="pid 4711 on studio") as caught:
        FolderLock(folder)
    assert f"this can start in {STALE / 2:.0f} s" in caught.value.advice
    assert Holder.parse((folder / "lock").read_text()) == ELSEWHERE, "the holder is not disturbed"


def test_a_silent_host_is_taken_to_be_gone(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("img2imgd"), "propagate", True)
    _left_by(folder, ELSEWHERE, silent=STALE + 1)
    FolderLock(folder).close()
    assert "was held by pid 4711 on studio, silent for 121 s: taken over" in caplog.text


@pytest.mark.parametrize(
    "holder",
    [
        replace(HERE, boot="before-the-power-failed"),
        replace(HERE, host="a-container", machine="unknown"),
    ],
)
def test_a_dead_daemon_of_this_machine_need_not_grow_old(folder: Path, holder: Holder) -> None:
    _left_by(folder, holder)
    FolderLock(folder).close()


def test_machines_without_an_id_are_not_taken_for_one() -> None:
    unknown = replace(HERE, machine="unknown")
    assert not unknown.shares_locks_with(replace(unknown, boot="another"))


def test_a_daemon_that_stopped_leaves_the_folder_free_at_once(folder: Path) -> None:
    FolderLock(folder).close()
    assert (folder / "lock").read_text() == ""


def test_the_heart_beats_by_the_time_of_the_lock_file(folder: Path, lock: FolderLock) -> None:
    os.utime(folder / "lock", (1, 1))
    lock.beat()
    assert time.time() - (folder / "lock").stat().st_mtime < STALE


def test_a_holder_that_slept_too_long_finds_that_it_was_replaced(
    folder: Path, lock: FolderLock
) -> None:
    _left_by(folder, ELSEWHERE)
    with pytest.raises(HeldByAnother, match="studio"):
        lock.beat()
    lock.close()
    assert Holder.parse((folder / "lock").read_text()) == ELSEWHERE


def test_a_closed_lock_beats_no_more(folder: Path) -> None:
    lock = FolderLock(folder)
    lock.close()
    lock.beat()
    assert (folder / "lock").read_text() == ""


def test_a_replaced_folder_is_held_anew(folder: Path, lock: FolderLock) -> None:
    assert not lock.renew()
    folder.parent.rename(folder.parent.with_name("old"))
    folder.parent.mkdir()
    assert lock.renew()
    with pytest.raises(HeldByAnother):
        FolderLock(folder)


def test_where_another_host_wrote_at_the_same_moment_the_last_one_has_the_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        holding.filesystems, "kind_of", lambda _: holding.filesystems.FilesystemKind("NFS", False)
    )
    monkeypatch.setattr(holding, "_BOTH_AT_ONCE", 0.2)
    ours = Holder.parse
    other = threading.Thread(
        target=lambda: (
            wait_until(lambda: ours((folder / "lock").read_text()), "this host has written"),
            (folder / "lock").write_text(f"{ELSEWHERE}\n"),
        )
    )
    (folder / "lock").touch()
    other.start()
    with pytest.raises(HeldByAnother, match="studio"):
        FolderLock(folder)
    other.join()


def test_a_daemon_ends_when_another_host_has_taken_its_inbox(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "BEAT", 0.02)
    config = make_config()
    spool = config.inboxes[0].path / ".img2imgd"

    def replaced(_: object) -> bool:
        if Holder.parse((spool / "lock").read_text()) != ELSEWHERE:
            (spool / "lock").write_text(f"{ELSEWHERE}\n")
        return False

    with pytest.raises(HeldByAnother, match="studio"):
        Daemon(config).serve(replaced, seconds=0.05)


def test_a_holder_that_was_replaced_claims_nothing_more(folder: Path, lock: FolderLock) -> None:
    _left_by(folder, ELSEWHERE)
    with pytest.raises(HeldByAnother, match="studio"):
        lock.renew()


def test_what_ran_when_the_last_daemon_stopped_in_order_is_no_suspect(
    make_config: Callable[..., Config],
) -> None:
    config = make_config()
    suspects: list[bool] = []
    for died in (False, True):
        ledger = open_ledger(config.state / "ledger.sqlite")
        ledger.add_job(_spec(config), JobState.QUEUED)
        ledger.set_state("J1", JobState.RUNNING)  # what a full disk kept from being set back
        ledger.close()
        if died:
            _left_by(config.state, replace(HERE, boot="before-the-power-failed"))
        Daemon(config).serve(lambda ledger: not ledger.jobs_in(JobState.RUNNING), seconds=0.05)
        ledger = open_ledger(config.state / "ledger.sqlite")
        suspects += [job.suspect for job in ledger.jobs_in(*JobState)]
        ledger.drop_job("J1")
        ledger.close()
    assert suspects == [False, True]


def _spec(config: Config) -> JobSpec:
    entry = FileEntry("picture", "a.png", str(config.inboxes[0].path / "a.png"), "move", 1, 1, 1)
    request = Request(
        prompt="a lake", negative_prompt="", strength=0.5, guidance_scale=7, steps=10, seed=7,
        model="demo",
    )  # fmt: skip
    return JobSpec(
        id="J1", inbox=str(config.inboxes[0].path), rel="a.png", mode="move", files=(entry,),
        request=request, outputs=Outputs("", "a.png", ("a.png",)),
    )  # fmt: skip
