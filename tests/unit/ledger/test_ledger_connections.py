"""Transactions and connections: what others see, threads, other versions, full disks."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from recorded import add

from img2imgd.errors import EnvironmentFault
from img2imgd.job import JobState
from img2imgd.ledger import (
    Ledger,
    open_ledger,
    read_ledger,
)


def test_a_transaction_that_fails_leaves_nothing(ledger: Ledger) -> None:
    def fail() -> None:
        with ledger.transaction():
            add(ledger)
            ledger.set_facts(pid="1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert ledger.job("J1") is None
    assert ledger.facts() == {}
    add(ledger)
    assert ledger.job("J1") is not None


def test_a_reader_sees_what_is_committed_while_another_writes(path: Path, ledger: Ledger) -> None:
    reader = read_ledger(path)
    assert reader is not None
    with ledger.transaction():
        add(ledger)
        assert reader.job("J1") is None
    assert reader.job("J1") is not None
    with pytest.raises(sqlite3.OperationalError):
        reader.sql.execute("DELETE FROM jobs")
    reader.close()


def test_a_ledger_can_be_read_after_its_writer_has_gone(path: Path) -> None:
    writer = open_ledger(path)
    add(writer)
    writer.close()
    reader = read_ledger(path)
    assert reader is not None
    assert reader.counts() == {"queued": 1}
    reader.close()


def test_without_a_ledger_there_is_nothing_to_read(path: Path) -> None:
    assert read_ledger(path) is None
    assert not path.exists()


def test_a_ledger_whose_making_was_cut_off_is_none_yet_and_is_made_at_the_next_start(
    path: Path, tmp_path: Path
) -> None:
    """SQLite has to roll back what a killed process has begun, which a reader may not do."""
    made = sqlite3.connect(tmp_path / "made", isolation_level=None)
    made.executescript("PRAGMA cache_size=1; CREATE TABLE t(x); BEGIN; INSERT INTO t VALUES(1);")
    made.executemany("INSERT INTO t VALUES(?)", [("x" * 4000,)] * 50)  # more than the cache holds
    for name in ("made", "made-journal"):  # as a kill at this moment leaves them
        shutil.copy(tmp_path / name, path.with_name(name.replace("made", path.name)))
    made.close()
    assert read_ledger(path) is None
    open_ledger(path).close()
    reader = read_ledger(path)
    assert reader is not None
    assert reader.counts() == {}
    reader.close()


def test_threads_write_at_the_same_time_through_connections_of_their_own(path: Path) -> None:
    open_ledger(path).close()

    def write(name: str) -> None:
        mine = open_ledger(path)
        for number in range(15):
            add(mine, job=f"{name}{number}")
        mine.close()

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    reader = open_ledger(path)
    assert reader.counts() == {"queued": 45}
    reader.close()


def test_what_is_written_survives_reopening(path: Path) -> None:
    for _ in range(2):
        opened = open_ledger(path)
        if opened.job("J1") is None:
            add(opened)
        assert opened.job("J1") is not None
        opened.close()


def test_a_ledger_of_a_newer_version_is_refused(path: Path) -> None:
    open_ledger(path).close()
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA user_version=99")
    raw.close()
    with pytest.raises(EnvironmentFault, match="newer"):
        open_ledger(path)


def test_a_file_that_is_no_ledger_is_refused(path: Path) -> None:
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(EnvironmentFault, match=r"ledger\.sqlite"):
        open_ledger(path)


def test_a_ledger_that_cannot_be_written_is_a_fault_of_the_environment(
    path: Path, ledger: Ledger
) -> None:
    ledger.sql.execute("PRAGMA query_only=ON")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        add(ledger)
    ledger.sql.execute("PRAGMA query_only=OFF")
    add(ledger)


@pytest.fixture
def many(ledger: Ledger) -> Callable[[int], None]:
    def fill(count: int) -> None:
        with ledger.transaction():
            for number in range(count):
                add(ledger, job=f"J{number}", rel=f"{number}.png")

    return fill


def test_the_queries_of_every_step_use_an_index(
    ledger: Ledger, many: Callable[[int], None]
) -> None:
    many(50)
    for query in (
        "SELECT * FROM jobs WHERE state='queued' ORDER BY rowid LIMIT 5",
        "SELECT * FROM jobs WHERE archived=0 AND state IN ('done') ORDER BY rowid",
        "SELECT * FROM jobs WHERE inbox='/in' AND stem=x'30' ORDER BY rowid DESC LIMIT 1",
        "SELECT * FROM jobs WHERE inbox='/in' AND stem=x'30' AND state='queued' ORDER BY rowid",
    ):
        plan = " ".join(row[3] for row in ledger.sql.execute(f"EXPLAIN QUERY PLAN {query}"))
        assert "USING INDEX" in plan, (query, plan)
    # A drawing that was saved for years has thousands of jobs, and one that is queued.
    assert "jobs_waiting" in plan


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.CANCELLED])
def test_what_is_asked_for_every_job_does_not_grow_with_the_queue(
    ledger: Ledger, state: JobState
) -> None:
    def fill(numbers: range) -> None:
        with ledger.transaction():
            for number in numbers:
                add(ledger, state, job=f"J{number}", rel=f"{number}.png")

    def work() -> int:
        """SQLite's own count of its instructions, in tens."""
        tens = 0

        def count() -> int:
            nonlocal tens
            tens += 1
            return 0

        ledger.sql.set_progress_handler(count, 10)
        ledger.placing("/done")
        if state is JobState.QUEUED:
            ledger.unarchived(64)
            ledger.queued(16)
            ledger.queued(1, model="one that no job has")
        ledger.sql.set_progress_handler(None, 0)
        return tens

    fill(range(100))
    before = work()
    fill(range(100, 2000))
    assert work() <= before + 2


def test_a_known_ledger_is_opened_without_a_write(ledger: Ledger, path: Path) -> None:
    """A full disk has no room for one."""
    log = path.with_name("ledger.sqlite-wal")
    before = log.stat()
    open_ledger(path).close()
    assert (log.stat().st_size, log.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
