"""Workers that die, disks that are full, folders that are gone: who is blamed, what goes on."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rig import Rig

from img2imgd import durable, filesystems
from img2imgd.config.sections import LimitsConfig
from img2imgd.dispatch import faults
from img2imgd.engine.protocol import FrameTask
from img2imgd.job import JobState
from img2imgd.outputs.orders import FrameFile
from img2imgd.pool.messages import WorkerFault
from img2imgd.pool.supervision import WorkerPool

RigMaker = Callable[..., Rig]
SWEEP = "prompt: a lake\nseed: 7\nsteps: 10\nsweep: {strength: [0.2, 0.4, 0.6, 0.8]}\n"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(faults, "_LONGEST_PAUSE", 0.2)


def drop_jobs(rig: Rig, **prompts: str) -> None:
    for name, prompt in prompts.items():
        rig.picture(f"{name}.png")
        rig.drop(f"{name}.yaml", f"prompt: {prompt}\nsteps: 6\nstrength: 1\nseed: 1\n")
    rig.claim()


def served_alone(rig: Rig) -> bool:
    """Serve everything; tell whether never more than one job was in the worker."""
    most = 0

    def ended() -> bool:
        nonlocal most
        most = max(most, len({job for job, _ in rig.pool.admitted}))
        return all(row.state.ended and row.archived for row in rig.jobs())

    rig.until(ended)
    return most <= 1


def test_jobs_in_a_worker_that_dies_are_suspects_run_alone_and_nobody_is_blamed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.02")
    drop_jobs(rig, a="one", b="two", c="three")
    rig.until(lambda: len({job for job, _ in rig.pool.admitted}) == 3)
    assert rig.pool.pid is not None
    os.kill(rig.pool.pid, signal.SIGKILL)
    rig.until(lambda: any(job.suspect for job in rig.jobs()))
    assert [job.suspect for job in rig.jobs()] == [True, True, True]
    assert served_alone(rig)
    assert [(job.state, job.attempts) for job in rig.jobs()] == [(JobState.DONE, 0)] * 3
    assert len(rig.outputs()) == 3


def test_a_poisonous_prompt_is_set_aside_and_its_neighbours_are_served(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_POISON", "poison")
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.02")
    drop_jobs(rig, a="one", b="poison", c="three")
    rig.serve()
    outcome = {job.spec.rel: (job.state, job.attempts) for job in rig.jobs()}
    assert outcome == {
        "a.png": (JobState.DONE, 0),
        "b.png": (JobState.FAILED, 3),
        "c.png": (JobState.DONE, 0),
    }
    assert "died 3 times" in rig.reason("b.png")
    assert "SIGKILL" in rig.reason("b.png")
    assert rig.tree(rig.config.failed) == ["b.png", "b.png.reason.txt", "b.yaml"]


def test_attempts_survive_a_restart_of_the_daemon(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_POISON", "poison")
    drop_jobs(rig, a="poison")
    rig.until(lambda: rig.jobs()[0].attempts == 2)
    rig.crash()
    (job,) = rig.serve()
    assert (job.state, job.attempts) == (JobState.FAILED, 3)


class FullDiskPool(WorkerPool):
    """Gives frames back while the disk is full, as the worker does."""

    full = True

    def admit(self, task: FrameTask, *files: FrameFile) -> None:
        if self.full:
            self._unread.append(WorkerFault(task.job, task.index, "No space left on device."))
        else:
            super().admit(task, *files)


def test_frames_given_back_by_the_worker_pause_once_and_burn_no_attempt(rig: Rig) -> None:
    from img2imgd.dispatch import Dispatch

    pool = FullDiskPool("fake")
    rig._pools.append(pool)
    rig.dispatch = Dispatch(rig.config, rig.ledger, pool, rig.reader)
    rig.picture("cat.png")
    rig.drop("cat.yaml", SWEEP)
    rig.claim()
    rig.until(lambda: "No space" in rig.ledger.facts().get("waits_for", ""))
    assert rig.dispatch._faults._general.length == faults._FIRST_PAUSE
    assert rig.dispatch.blocked_since is not None, "nothing is got done, though the job runs"
    pool.full = False
    (job,) = rig.serve()
    assert (job.state, job.attempts) == (JobState.DONE, 0)
    assert len([name for name in rig.outputs() if name.endswith("_7.png")]) == 4
    assert "waits_for" not in rig.ledger.facts()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 8 MB; where none can be mounted, a folder that a fake full disk fills."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(path)]
    mounted = os.geteuid() == 0 and not subprocess.run(mount, capture_output=True).returncode
    yield path
    if mounted:
        subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_full_outbox_pauses_and_goes_on_when_there_is_room(
    make_rig: RigMaker, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig(outbox=small_disk / "outbox")
    filler = small_disk / "filler"
    drop_jobs(rig, a="one", b="two")
    if os.path.ismount(small_disk):
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(b"x" * 9_000_000)
    else:
        monkeypatch.setattr(durable, "rename_new", _full_while(filler, durable.rename_new))
    filler.touch()
    rig.until(lambda: "space" in rig.ledger.facts().get("waits_for", "").lower())
    assert not any(job.state.ended for job in rig.jobs())
    filler.unlink()
    rig.serve()
    assert [(job.state, job.attempts) for job in rig.jobs()] == [(JobState.DONE, 0)] * 2
    assert len(rig.outputs()) == 2
    assert "waits_for" not in rig.ledger.facts()


def _full_while(filler: Path, original: Callable[[Path, Path], None]) -> Callable[..., None]:
    def rename_new(source: Path, target: Path) -> None:
        if filler.exists() and target.is_relative_to(filler.parent):
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        original(source, target)

    return rename_new


def test_too_little_free_space_keeps_jobs_from_starting(
    make_rig: RigMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig(limits=LimitsConfig(min_free_gb=2))
    free = 3e9

    def free_bytes(_: Path) -> float:
        return free

    monkeypatch.setattr(filesystems, "free_bytes", free_bytes)
    drop_jobs(rig, a="one")
    free = 1e9  # others wrote since it was claimed
    rig.until(lambda: "min_free_gb" in rig.ledger.facts().get("waits_for", ""))
    assert rig.dispatch.blocked_since is not None
    free = 3e9
    assert [job.state for job in rig.serve()] == [JobState.DONE]
    assert rig.dispatch.blocked_since is None


@pytest.mark.parametrize("restart", [False, True], ids=["goes-on", "restarted"])
def test_a_publishing_that_failed_is_done_later_without_painting_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, restart: bool
) -> None:
    drop_jobs(rig, a="one")
    original = durable.fsync_path

    def fail(path: Path) -> None:
        if path == rig.config.outbox:
            raise OSError(errno.EIO, "Input/output error", str(path))
        original(path)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "fsync_path", fail)
        rig.until(lambda: "Input/output" in rig.ledger.facts().get("waits_for", ""))
    assert len(rig.outputs()) == 1, "the rename was done, only its fsync was not"
    if restart:
        rig.dispatch.stop(5)
        assert rig.jobs()[0].state is JobState.PUBLISHING
        rig.crash()
    elif rig.pool.pid is not None:
        os.kill(rig.pool.pid, signal.SIGKILL)  # nothing of the job is in it any more
    (job,) = rig.serve()
    assert (job.state, job.attempts, job.suspect) == (JobState.DONE, 0, False)
    assert rig.outputs() == ["a_one_00_1.png"]


def test_an_outbox_that_is_gone_is_waited_for_and_nothing_counts_as_published(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_jobs(rig, a="one")
    aside = rig.root / "unmounted"
    advance = rig.dispatch._publishing.advance

    def unmount_first(job: object) -> bool:
        monkeypatch.undo()
        monkeypatch.setattr(faults, "_FIRST_PAUSE", 0.05)
        rig.config.outbox.rename(aside)
        return advance(job)  # type: ignore[arg-type]

    monkeypatch.setattr(rig.dispatch._publishing, "advance", unmount_first)
    rig.until(lambda: "not there" in rig.ledger.facts().get("waits_for", ""))
    assert not rig.jobs()[0].state.ended
    aside.rename(rig.config.outbox)
    assert [job.state for job in rig.serve()] == [JobState.DONE]
    assert rig.outputs() == ["a_one_00_1.png"]


def test_a_fault_in_one_job_fails_that_job_alone(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    drop_jobs(rig, a="one", b="two")
    preparing = rig.reader.preparing

    def fail_on_a(source: Path, *rest: object) -> object:
        if source.name == "a.png":
            raise OSError(errno.ENAMETOOLONG, "File name too long")
        return preparing(source, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(rig.reader, "preparing", fail_on_a)
    states = {job.spec.rel: job.state for job in rig.serve()}
    assert states == {"a.png": JobState.FAILED, "b.png": JobState.DONE}


def test_inputs_that_cannot_be_archived_hold_nothing_else_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_jobs(rig, a="one", b="two")
    original = durable.move_new

    def fail_on_a(source: Path, target: Path) -> None:
        if source.name == "a.png":
            raise OSError(errno.ENAMETOOLONG, "File name too long", str(source))
        original(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "move_new", fail_on_a)
        rig.until(lambda: any(job.archived for job in rig.jobs()))
        assert [job.state for job in rig.jobs()] == [JobState.DONE] * 2
    assert rig.inputs() == ["a.png", "a.yaml", "b.png", "b.yaml"]
    rig.crash()
    rig.serve()
    assert rig.tree(rig.config.done) == ["a.png", "a.yaml", "b.png", "b.yaml"]


def test_a_full_disk_under_the_ledger_loses_no_event(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from img2imgd.errors import EnvironmentFault
    from img2imgd.ledger import Ledger

    drop_jobs(rig, a="one", b="two")
    original = Ledger.set_frame
    left = [3]

    def full(ledger: Ledger, *arguments: object) -> None:
        if left[0]:
            left[0] -= 1
            raise EnvironmentFault("The ledger cannot be written: database or disk is full.")
        original(ledger, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "set_frame", full)
    rig.serve()
    assert [job.state for job in rig.jobs()] == [JobState.DONE] * 2


def test_an_archive_on_another_filesystem_cut_short_does_not_double_the_inputs(
    make_rig: RigMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig()
    rig.config = replace(rig.config)
    drop_jobs(rig, a="one")
    original = durable.rename_new

    def across(source: Path, target: Path) -> None:
        if target.parent == rig.config.done and not source.name.startswith("."):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        original(source, target)

    monkeypatch.setattr(durable, "rename_new", across)
    unlink = Path.unlink

    def crash(path: Path, missing_ok: bool = False) -> None:
        if path.name == "a.png":
            raise KeyboardInterrupt
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", crash)
        with pytest.raises(KeyboardInterrupt):
            rig.serve()
    assert rig.inputs().count("a.png") == 2
    rig.crash()
    rig.serve()
    assert rig.tree(rig.config.done) == ["a.png", "a.yaml"]
