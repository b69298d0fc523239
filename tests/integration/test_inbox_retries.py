"""Retries: what failed or was cancelled goes back into its inbox and is served like any drop."""

from __future__ import annotations

import errno
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from crashing import Countdown, counted
from rig import Crash, Rig

from img2imgd import durable
from img2imgd.inbox import retrying
from img2imgd.inbox.retrying import Retries
from img2imgd.job import JobState
from img2imgd.ledger import JobRow
from img2imgd.pool.supervision import WorkerPool
from img2imgd.request import RequestKeys
from img2imgd.upkeep import Upkeep

RigMaker = Callable[..., Rig]
WRONG = "promt: a lake\nseed: 7\n"
RIGHT = "prompt: a lake\nseed: 7\n"


@pytest.fixture(scope="module")
def worker() -> Iterator[WorkerPool]:
    """One worker for the rigs that crash, each of which would start another."""
    pool = WorkerPool("fake")
    yield pool
    pool.stop(2)


def failed(rig: Rig, name: str = "cat", sidecar: str = WRONG) -> JobRow:
    """A job that was refused at its claim."""
    rig.picture(f"{name}.png")
    rig.drop(f"{name}.yaml", sidecar)
    job = rig.claim()[-1]
    rig.serve()
    assert rig.ledger.job(job.id).state is JobState.FAILED  # type: ignore[union-attr]
    return job


def retry(rig: Rig, *jobs: JobRow) -> None:
    rig.ledger.give_order("retry", *(job.id for job in jobs))


def states(rig: Rig) -> list[JobState]:
    return [job.state for job in rig.jobs()]


def served(rig: Rig) -> None:
    rig.look(0.1, 2.5, 11)
    rig.serve()


@pytest.mark.parametrize("name", ["cat", "sub/cat", "cat.x"])
def test_the_corrected_files_go_back_and_are_served(rig: Rig, name: str) -> None:
    job = failed(rig, name)
    (rig.config.failed / f"{name}.yaml").write_text(RIGHT)
    retry(rig, job)
    rig.look()
    assert rig.tree(rig.folder) == [f"{name}.png", f"{name}.yaml"]
    assert rig.tree(rig.config.failed) == []
    old = rig.jobs()[0]
    assert old.state is JobState.REPLACED
    assert old.reason.startswith("Its files are back in the inbox (")
    assert "Before that: " in old.reason
    assert not rig.ledger.orders("retry")
    served(rig)
    assert states(rig) == [JobState.REPLACED, JobState.DONE]
    assert rig.tree(rig.config.done) == [f"{name}.png", f"{name}.yaml"]
    assert rig.inputs() == [f"{Path(name).name}.png", f"{Path(name).name}.yaml"]


def test_a_cancelled_job_is_painted_after_all(rig: Rig) -> None:
    rig.pair("cat")
    (job,) = rig.claim()
    rig.ledger.give_order("cancel", job.id)
    rig.serve()
    retry(rig, job)
    served(rig)
    assert states(rig) == [JobState.REPLACED, JobState.DONE]
    assert len(rig.outputs()) == 1


def test_the_same_number_is_given_to_all_files_where_a_name_is_taken(rig: Rig) -> None:
    job = failed(rig)
    (rig.config.failed / "cat.yaml").write_text(RIGHT)
    rig.drop("cat.yaml", "prompt: of another\nseed: 1\n")
    retry(rig, job)
    rig.look()
    assert rig.tree(rig.folder) == ["cat.yaml", "cat~2.png", "cat~2.yaml"]
    rig.look(2.5, 5)
    rig.serve()
    assert [row.spec.rel for row in rig.jobs()] == ["cat.png", "cat~2.png"]
    assert states(rig) == [JobState.REPLACED, JobState.DONE]


def test_files_that_were_numbered_in_failed_go_back_under_their_old_names(rig: Rig) -> None:
    first, second = failed(rig), failed(rig)
    assert "cat~2.png" in rig.tree(rig.config.failed)
    retry(rig, second)
    rig.look()
    assert rig.tree(rig.folder) == ["cat.png", "cat.yaml"]
    assert rig.tree(rig.config.failed) == ["cat.png", "cat.png.reason.txt", "cat.yaml"]
    retry(rig, first)
    rig.look()
    assert rig.tree(rig.folder) == ["cat.png", "cat.yaml", "cat~2.png", "cat~2.yaml"]
    assert rig.tree(rig.config.failed) == []


def test_a_reason_file_that_somebody_wrote_on_stays(rig: Rig) -> None:
    job = failed(rig)
    reason = rig.config.failed / "cat.png.reason.txt"
    reason.write_text(reason.read_text() + "\nI will ask Ann.\n")
    retry(rig, job)
    rig.look()
    assert rig.tree(rig.config.failed) == ["cat.png.reason.txt"]


@pytest.mark.parametrize("corrected", [False, True])
def test_the_pictures_of_a_shared_sidecar_that_was_wrong_go_back_with_it(
    rig: Rig, corrected: bool
) -> None:
    rig.picture("sub/cat.png")
    rig.picture("sub/cat.bmp", grey=90)
    rig.drop("sub/cat.yaml", WRONG)
    rig.claim()
    rig.serve()
    assert {*states(rig)} == {JobState.FAILED}
    if corrected:  # as editors do: another inode
        new = rig.root / "new"
        new.write_text(RIGHT)
        new.replace(rig.config.failed / "sub/cat.yaml")
    retry(rig, rig.jobs()[0])
    rig.look()
    assert rig.tree(rig.folder) == ["sub/cat.bmp", "sub/cat.png", "sub/cat.yaml"]
    assert rig.tree(rig.config.failed) == []
    served(rig)
    end = JobState.DONE if corrected else JobState.FAILED
    assert states(rig) == [JobState.REPLACED, JobState.REPLACED, end, end]


def test_a_job_with_its_own_copy_of_a_shared_sidecar_goes_back_alone(rig: Rig) -> None:
    rig.picture("a.png")
    rig.picture("b.png", grey=90)
    rig.drop("list.yaml", "images: [a.png, b.png]\nprompt: a lake\nseed: 7\n")
    rig.claim()
    job = next(row for row in rig.jobs() if row.spec.rel == "a.png")
    rig.ledger.give_order("cancel", job.id)
    rig.serve()
    retry(rig, job)
    rig.look()
    assert rig.tree(rig.folder) == ["a.png", "a.png.yaml"]
    served(rig)
    assert sorted(rig.outputs()) == sorted(f"{n}_a-lake_00_7.png" for n in "ab")
    assert rig.tree(rig.config.done) == ["a.png", "a.png.yaml", "b.png", "list.yaml"]


@pytest.mark.parametrize("again", [False, True], ids=["gone", "failed again as another job"])
def test_a_job_whose_picture_was_taken_away_says_so(rig: Rig, again: bool) -> None:
    job = failed(rig)
    if again:
        for name in ("cat.png", "cat.yaml"):
            (rig.config.failed / name).rename(rig.folder / name)
        (rig.config.failed / "cat.png.reason.txt").unlink()
        served(rig)
    else:
        (rig.config.failed / "cat.png").unlink()
    before = rig.tree(rig.config.failed)
    retry(rig, job)
    rig.look()
    assert rig.tree(rig.config.failed) == before
    assert not rig.ledger.orders("retry")
    row = rig.ledger.job(job.id)
    assert row is not None
    assert row.state is JobState.FAILED
    assert row.reason.endswith("It could not be tried again: its picture is no longer in failed.")
    assert rig.tree(rig.folder) == []


def test_an_order_for_a_job_that_is_done_changes_nothing(rig: Rig) -> None:
    rig.pair("cat")
    (job,) = rig.claim()
    rig.serve()
    retry(rig, job)
    rig.look()
    assert states(rig) == [JobState.DONE]
    assert not rig.ledger.orders("retry")
    assert rig.tree(rig.folder) == []


def test_a_retry_waits_until_the_inputs_are_archived(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml", WRONG)
    (job,) = rig.claim()
    retry(rig, job)
    rig.look()
    assert rig.ledger.is_ordered("retry", job.id)
    rig.serve()
    rig.look()
    assert rig.tree(rig.folder) == ["cat.png", "cat.yaml"]


def test_a_late_sidecar_finds_the_picture_that_is_back(make_rig: RigMaker) -> None:
    rig = make_rig(orphan_after=5)
    rig.picture("cat.png")
    (job,) = rig.claim()
    rig.serve()
    retry(rig, job)
    rig.look()
    rig.drop("cat.yaml")
    served(rig)
    assert states(rig) == [JobState.REPLACED, JobState.DONE]
    assert rig.tree(rig.config.done) == ["cat.png", "cat.yaml"]


def test_upkeep_removes_nothing_of_what_was_tried_again(rig: Rig) -> None:
    job = failed(rig)
    retention = rig.config.retention.__class__(done=None, failed=10.0, outbox=None, ledger=None)
    config = replace(rig.config, retention=retention)
    upkeep = Upkeep(config, rig.ledger, uptime=lambda: 0.0)
    upkeep.step(1e9)
    retry(rig, job)
    served(rig)
    assert "cat.png" in rig.tree(rig.config.failed)  # failed again, in the same place
    assert len(rig.jobs()) == 2
    upkeep._ledger.note_archived(1e9 + 5000)
    upkeep._retention.sweep(1e9 + 3000 + 3600, lambda: False)
    assert rig.tree(rig.config.failed) == ["cat.png", "cat.png.reason.txt", "cat.yaml"]


def test_thousands_go_back_a_part_at_a_time(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_AT_ONCE", 2)
    jobs = [failed(rig, f"cat{n}") for n in range(5)]
    retry(rig, *jobs)
    rig.inbox.step(rig.now)
    assert len(rig.ledger.orders("retry")) == 3
    assert rig.inbox.step(rig.now) <= 0.1
    assert rig.inbox.step(rig.now) > 0.1
    assert not rig.ledger.orders("retry")


def test_what_waits_for_a_disk_keeps_no_others_from_going_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "_AT_ONCE", 2)
    *stuck, free = [failed(rig, f"cat{n}") for n in range(4)]
    original = durable.move_new

    def refuses(source: Path, target: Path) -> None:
        if not target.name.startswith("cat3"):
            raise OSError(errno.EIO, "Input/output error", str(target))
        original(source, target)

    retry(rig, *stuck, free)
    with monkeypatch.context() as patch:
        patch.setattr(durable, "move_new", refuses)
        delays = [rig.inbox.step(rig.now) for _ in range(3)]
    assert {order.job for order in rig.ledger.orders("retry")} == {job.id for job in stuck}
    assert delays[-1] > 0.1, "it does not go on and on"


def test_a_retry_that_fails_by_a_fault_of_ours_keeps_nothing_else_waiting(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, other = failed(rig, "cat0"), failed(rig, "cat1")
    original = Retries._carry_out  # pyright: ignore[reportPrivateUsage]

    def broken(retries: Retries, row: JobRow) -> str:
        if row.id == job.id:
            raise ValueError("a bug")
        return original(retries, row)

    monkeypatch.setattr(Retries, "_carry_out", broken)
    retry(rig, job, other)
    rig.look()
    assert rig.tree(rig.folder) == ["cat1.png", "cat1.yaml"]
    assert not rig.ledger.orders("retry")
    known = rig.ledger.job(job.id)
    assert known is not None
    assert known.state is JobState.FAILED
    assert "a bug" in known.reason


def test_a_disk_that_refuses_holds_what_is_back_until_the_rest_is(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = failed(rig)
    (rig.config.failed / "cat.yaml").write_text(RIGHT)
    original = durable.move_new

    def full(source: Path, target: Path) -> None:
        if target.suffix == ".png":
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        original(source, target)

    retry(rig, job)
    with monkeypatch.context() as patch:
        patch.setattr(durable, "move_new", full)
        rig.look(0.1, 2.5, 11, 700)
        assert rig.tree(rig.folder) == ["cat.yaml"]
        assert "not all files of its retry are back" in rig.waits()["cat.yaml"]
    served(rig)
    assert states(rig) == [JobState.REPLACED, JobState.DONE]


def test_names_that_are_taken_in_the_middle_pair_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = failed(rig)
    original, seen = durable.move_new, list[str]()

    def raced(source: Path, target: Path) -> None:
        if target.name == "cat.png" and not seen:
            seen.append(target.name)
            target.write_bytes(b"another")
        original(source, target)

    retry(rig, job)
    with monkeypatch.context() as patch:
        patch.setattr(durable, "move_new", raced)
        rig.look()
    assert rig.tree(rig.folder) == ["cat.png", "cat~2.png", "cat~2.yaml"]
    assert (rig.folder / "cat.png").read_bytes() == b"another"


# An inbox that keeps its files


@pytest.fixture
def keeping(make_rig: RigMaker) -> Rig:
    return make_rig(mode="keep", settle=1, defaults=RequestKeys(prompt="a lake", seed=1))


def test_a_kept_picture_is_served_once_more(keeping: Rig) -> None:
    keeping.picture("cat.png")
    keeping.look(1.1, 11)
    (job,) = keeping.jobs()
    keeping.ledger.give_order("cancel", job.id)
    keeping.serve()
    keeping.look(5, 5, 5)
    assert keeping.inbox.resting
    assert keeping.tree(keeping.config.failed) == ["cat.png.reason.txt"]
    retry(keeping, job)
    keeping.look(1)
    assert keeping.tree(keeping.config.failed) == []
    keeping.look(5, 11)
    keeping.serve()
    assert states(keeping) == [JobState.REPLACED, JobState.DONE]
    assert len(keeping.outputs()) == 1
    keeping.look(5, 5, 5)
    assert len(keeping.jobs()) == 2


def cancelled_and_saved_anew(keeping: Rig) -> JobRow:
    """The cancelled job of a picture whose newer save is queued."""
    keeping.picture("cat.png")
    keeping.look(1.1, 11)
    (job,) = keeping.jobs()
    keeping.ledger.give_order("cancel", job.id)
    keeping.serve()
    keeping.picture("cat.png", grey=20)
    keeping.look(1.1, 11)
    return job


def test_a_kept_picture_that_has_changed_since_is_not_served_twice(keeping: Rig) -> None:
    job = cancelled_and_saved_anew(keeping)
    keeping.serve()
    retry(keeping, job)
    keeping.look(5, 5, 5)
    assert states(keeping) == [JobState.REPLACED, JobState.DONE]
    assert len(keeping.outputs()) == 1


def test_a_kept_picture_whose_newer_save_waits_is_not_served_twice(keeping: Rig) -> None:
    job = cancelled_and_saved_anew(keeping)
    retry(keeping, job)
    keeping.look(5, 5, 5)
    assert states(keeping) == [JobState.CANCELLED, JobState.QUEUED]
    old = keeping.ledger.job(job.id)
    assert old is not None
    assert "a newer save" in old.reason


def test_a_kept_picture_that_is_gone_says_so(keeping: Rig) -> None:
    path = keeping.picture("cat.png")
    keeping.look(1.1, 11)
    (job,) = keeping.jobs()
    keeping.ledger.give_order("cancel", job.id)
    keeping.serve()
    path.unlink()
    retry(keeping, job)
    keeping.look(5)
    old = keeping.ledger.job(job.id)
    assert old is not None
    assert "cat.png is no longer in the inbox" in old.reason


# Crashes


def prepare_pair(rig: Rig) -> list[JobRow]:
    job = failed(rig, "sub/cat")
    (rig.config.failed / "sub/cat.yaml").write_text(RIGHT)
    return [job]


def prepare_taken(rig: Rig) -> list[JobRow]:
    job = failed(rig, "sub/cat")
    (rig.config.failed / "sub/cat.yaml").write_text(RIGHT)
    (rig.folder / "sub/cat.png").write_bytes(b"")
    return [job]


def prepare_shared(rig: Rig) -> list[JobRow]:
    rig.picture("sub/cat.png")
    rig.picture("sub/cat.bmp", grey=90)
    rig.drop("sub/cat.yaml", WRONG)
    rig.claim()
    rig.serve()
    (rig.config.failed / "sub/cat.yaml").write_text(RIGHT)
    return rig.jobs()


def prepare_kept(rig: Rig) -> list[JobRow]:
    rig.pair("cat")
    jobs = rig.claim()
    rig.ledger.give_order("cancel", jobs[0].id)
    rig.serve()
    return jobs


@pytest.mark.parametrize("again", [False, True], ids=["once", "in-the-repair-too"])
@pytest.mark.parametrize("prepare", [prepare_pair, prepare_taken, prepare_shared, prepare_kept])
def test_a_crash_at_any_durable_call_of_a_retry_loses_and_doubles_nothing(
    make_rig: RigMaker, worker: WorkerPool, prepare: Callable[[Rig], list[JobRow]], again: bool
) -> None:
    mode = "keep" if prepare is prepare_kept else "move"
    for at in itertools.count(1, 2 if again else 1):
        rig = make_rig(root=f"crash {at}", mode=mode, shared=worker)
        jobs = prepare(rig)
        inputs = _contents(rig)
        retry(rig, *jobs)
        crashed = _crashes(rig, at)
        assert _contents(rig) == inputs, at
        if again:
            _crashes(rig, 1 + at % 5)
            assert _contents(rig) == inputs, at
        for path in rig.folder.rglob("cat.png"):
            if not path.stat().st_size:
                path.unlink()
        served(rig)
        ends = sorted(states(rig))
        assert ends == sorted([JobState.REPLACED, JobState.DONE] * len(jobs)), (at, ends)
        assert len(rig.outputs()) == len(jobs), at
        assert not rig.ledger.orders("retry")
        assert not [name for name in rig.tree(rig.config.failed) if "reason" in name], at
        assert not list(rig.folder.rglob(".*.part"))
        rig.close()
        if not crashed:
            break
    assert at > (4 if mode == "keep" else 8)


def _contents(rig: Rig) -> Counter[bytes]:
    """Every input wherever it lies; copies that a keeping inbox's spool holds are none."""
    folders = [rig.folder, rig.config.done, rig.config.failed]
    places = [folder / rel for folder in folders for rel in rig.tree(folder)]
    if rig.config.inboxes[0].mode == "move":
        places += rig.spool.glob("*/in/*")
    return Counter(path.read_bytes() for path in places if not path.name.endswith(".reason.txt"))


def _crashes(rig: Rig, at: int) -> bool:
    """Look, and crash before the ``at``-th durable call; True if it came to that."""
    try:
        with counted(Countdown(at), calls=True):
            rig.look()
    except Crash:
        rig.crash()
        return True
    return False


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_files_come_back_from_another_disk(rig: Rig, stick: Callable[[Path], object]) -> None:
    stick(rig.config.failed)
    job = failed(rig)
    (rig.config.failed / "cat.yaml").write_text(RIGHT)
    retry(rig, job)
    served(rig)
    assert states(rig) == [JobState.REPLACED, JobState.DONE]
    assert [p.name for p in rig.folder.iterdir()] == [".img2imgd"]


def test_once_carries_out_every_retry_however_many_there_are(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "_AT_ONCE", 2)
    jobs = [failed(rig, f"cat{number}") for number in range(5)]
    retry(rig, *jobs)
    rig.inbox = rig.new_inbox(drain=True)

    rig.look()

    assert not rig.ledger.orders("retry")
    assert len(rig.tree(rig.folder)) == 10
