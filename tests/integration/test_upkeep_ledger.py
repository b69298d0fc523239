"""Upkeep of the ledger: it stays small, and forgets nothing that is needed."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rig import Rig

from img2imgd.config.sections import RetentionConfig
from img2imgd.errors import EnvironmentFault, LedgerDamaged
from img2imgd.job import JobState
from img2imgd.ledger import Ledger, Mark, open_ledger, schema
from img2imgd.request import RequestKeys
from img2imgd.upkeep import Upkeep

RigMaker = Callable[..., Rig]
DAY = 86_400.0
LEDGER = RetentionConfig(ledger=90 * DAY)


def upkeep(rig: Rig, days: float) -> None:
    """A round that finds what is archived by now, and one so many days later."""
    rig.ledger.note_archived(time.time())
    Upkeep(rig.config, rig.ledger).step(time.time() + days * DAY)


def serve(rig: Rig, name: str = "cat.png") -> None:
    rig.picture(name)
    rig.claim()
    rig.serve()


def count(ledger: Ledger, table: str) -> int:
    return int(ledger.sql.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


@pytest.fixture
def rig(make_rig: RigMaker) -> Rig:
    return make_rig(retention=LEDGER, defaults=RequestKeys(prompt="a lake", seed=1))


@pytest.fixture
def keeping(make_rig: RigMaker) -> Rig:
    keys = RequestKeys(prompt="a lake", seed=1)
    return make_rig(retention=LEDGER, defaults=keys, mode="keep", settle=1)


def test_old_jobs_are_forgotten_with_their_frames_and_their_files_stay(rig: Rig) -> None:
    serve(rig)
    upkeep(rig, 89)
    assert len(rig.jobs()) == 1
    upkeep(rig, 91)
    assert rig.jobs() == []
    assert count(rig.ledger, "frames") == 0
    assert rig.tree(rig.config.done) == ["cat.png"]
    assert len(rig.outputs()) == 1


def test_no_job_is_forgotten_before_its_files_are_due(make_rig: RigMaker) -> None:
    long = RetentionConfig(done=200 * DAY, outbox=300 * DAY, ledger=DAY)
    rig = make_rig(retention=long, defaults=RequestKeys(prompt="a lake"))
    serve(rig)
    for day, jobs, inputs, outputs in ((199, 1, 1, 1), (201, 1, 0, 1), (301, 0, 0, 0)):
        upkeep(rig, day)
        assert (len(rig.jobs()), len(rig.tree(rig.config.done)), len(rig.outputs())) == (
            jobs, inputs, outputs,
        )  # fmt: skip


def test_what_waits_or_runs_is_never_forgotten(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.claim()
    upkeep(rig, 1000)
    assert [row.state for row in rig.jobs()] == [JobState.QUEUED]
    rig.serve()


def test_a_job_whose_spool_folder_is_left_is_remembered_and_not_served_again(rig: Rig) -> None:
    serve(rig)
    (job,) = rig.jobs()
    left = rig.spool / job.id
    (left / "in").mkdir(parents=True)
    (left / "in" / "cat.png").write_bytes(b"x")
    (left / "job.json").write_text(job.spec.to_json())
    upkeep(rig, 100)
    rig.crash()
    rig.claim()
    assert [row.state for row in rig.serve()] == [JobState.DONE]
    assert not left.exists(), "what was left is archived after all"
    upkeep(rig, 100)
    assert rig.jobs() == []


def test_keep_mode_paints_nothing_again_after_its_jobs_are_forgotten(keeping: Rig) -> None:
    rig = keeping
    rig.picture("cat.png")
    rig.picture("gone.png")
    rig.look(1.1)
    rig.serve()
    (rig.folder / "gone.png").unlink()
    upkeep(rig, 89)
    assert count(rig.ledger, "served") == 2, "it may come back unchanged"
    upkeep(rig, 91)
    assert rig.jobs() == []
    assert count(rig.ledger, "served") == 1
    rig.crash()
    rig.look(1.1, 5)
    assert rig.jobs() == []


def test_an_inbox_that_is_not_mounted_is_not_taken_for_empty(keeping: Rig) -> None:
    rig = keeping
    rig.picture("cat.png")
    rig.look(1.1)
    rig.serve()
    away = rig.root / "away"
    for make in (lambda: None, rig.folder.mkdir):
        rig.folder.rename(away)
        make()
        upkeep(rig, 91)
        if rig.folder.is_dir():
            rig.folder.rmdir()
        away.rename(rig.folder)
        assert count(rig.ledger, "served") == 1
        assert len(rig.jobs()) == 1


def make_earlier(path: Path) -> None:
    """A ledger of a version that knew no auto_vacuum, no ages and fewer indexes."""
    with sqlite3.connect(path) as old:
        old.executescript(f"{schema.TABLES} ALTER TABLE jobs DROP COLUMN aging_from;")
        old.execute("PRAGMA user_version=1")
    old.close()


def fill(ledger: Ledger, jobs: int) -> None:
    """Rows as of jobs that ended long ago."""
    with ledger.transaction():
        ledger.sql.executemany(
            "INSERT INTO jobs(id, inbox, rel, stem, state, spec, claimed_at, ended_at, archived)"
            " VALUES(?, '/in', ?, ?, 'done', ?, 1, 1, 1)",
            [(f"J{n}", b"cat.png", b"cat", "x" * 3000) for n in range(jobs)],
        )


@pytest.mark.parametrize("earlier", [False, True])
def test_the_ledgers_file_shrinks_again(tmp_path: Path, earlier: bool) -> None:
    path = tmp_path / "ledger.sqlite"
    if earlier:
        make_earlier(path)
    ledger, other = open_ledger(path), open_ledger(path)
    ledger.sql.execute("PRAGMA synchronous=OFF")
    fill(ledger, 3000)
    full = path.stat().st_size
    ledger.note_archived(1)
    ledger.forget_jobs([f"J{n}" for n in range(2990)])
    ledger.compact(free_bytes=1 << 40)
    assert other.counts() == {"done": 10}
    assert full > 10e6
    assert path.stat().st_size < 2e6
    assert path.with_name("ledger.sqlite-wal").stat().st_size == 0
    assert {row[1] for row in other.sql.execute("PRAGMA index_list(jobs)")} >= {"jobs_by_age"}
    ledger.close()
    other.close()


def test_damage_that_upkeep_meets_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = open_ledger(path)
    fill(ledger, 2000)
    ledger.forget_jobs([f"J{n}" for n in range(2000)])
    ledger.sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    [(free,)] = ledger.read("SELECT count(*) FROM pragma_freelist_count")
    assert free
    with path.open("r+b") as file:  # a bad disk: the first page, which is in memory, stays
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(LedgerDamaged, match="damaged"):
        ledger.compact(free_bytes=1 << 40)
    ledger.close()


def test_a_disk_that_refuses_upkeep_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    make_earlier(path)
    ledger = open_ledger(path)
    ledger.sql.execute("PRAGMA query_only=ON")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        ledger.note_archived(1)
    ledger.close()


def test_an_earlier_ledger_is_not_rewritten_where_the_disk_has_no_room(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    make_earlier(path)
    ledger = open_ledger(path)
    fill(ledger, 1000)
    ledger.forget_jobs([f"J{n}" for n in range(900)])
    ledger.compact(free_bytes=100_000)
    assert path.stat().st_size > 3e6
    assert ledger.counts() == {"done": 100}
    ledger.close()


def test_what_is_asked_again_and_again_does_not_read_all_old_jobs(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.sqlite")
    ledger.compact(free_bytes=1 << 40)
    asked: list[str] = []
    ledger.sql.set_trace_callback(asked.append)
    ledger.unarchived()
    ledger.queued(16)
    ledger.queued(1, model="demo")
    ledger.jobs_in(JobState.RUNNING, JobState.PUBLISHING)
    ledger.jobs_since(Mark(5, ("J1",)))
    ledger.jobs_of_bundle("b")
    ledger.is_last_of_bundle("b", "J1")
    ledger.newest_for("/in", "cat.yaml", stem_only=True, since=0)
    ledger.queued_for("/in", "cat.png", "spool")
    ledger.is_placing()
    ledger.sql.set_trace_callback(None)
    plans = [
        f"{row[3]} for {statement}"
        for statement in asked
        for row in ledger.sql.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    ledger.close()
    reading = [plan for plan in plans if plan.startswith(("SCAN", "SEARCH"))]
    assert len(reading) >= 10
    few = ("SCAN jobs USING INDEX jobs_to_archive", "SCAN json_each", "SEARCH")
    assert [plan for plan in reading if not plan.startswith(few)] == []
    of_all_ended = "SEARCH jobs USING INDEX jobs_by_state (state=?) for SELECT * FROM jobs WHERE a"
    assert [plan for plan in reading if plan.startswith(of_all_ended)] == []
