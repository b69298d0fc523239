"""A broken ledger is set aside whole, and the disk's faults are not taken for damage."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from img2imgd.errors import EnvironmentFault, LedgerDamaged
from img2imgd.ledger import open_ledger, set_aside_damaged


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with some pages."""
    path = tmp_path / "ledger.sqlite"
    ledger = open_ledger(path)
    for number in range(300):
        ledger.set_waiting(f"/inbox-{number}", {"cat.png": "waits " * 20})
    ledger.sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.close()
    return path


def _overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def test_a_sound_ledger_stays_where_it_is(path: Path) -> None:
    before = path.read_bytes()
    assert set_aside_damaged(path) is None
    assert path.read_bytes() == before


def test_where_there_is_no_ledger_nothing_is_made(tmp_path: Path) -> None:
    assert set_aside_damaged(tmp_path / "ledger.sqlite") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("at", "data"),
    [(0, b"not a database at all"), (4096, b"\xff" * 4096), (8192, b"\x00" * 4096)],
    ids=["header", "page", "cells"],
)
def test_a_damaged_ledger_is_set_aside_byte_for_byte(path: Path, at: int, data: bytes) -> None:
    _overwrite(path, at, data)
    damaged = path.read_bytes()
    found = set_aside_damaged(path)
    assert found is not None
    wrong, aside = found
    assert wrong
    assert "\n" not in wrong
    assert aside.read_bytes() == damaged
    assert aside.name.startswith("ledger-damaged-")
    assert not path.exists()
    open_ledger(path).close()


def test_a_cut_ledger_is_set_aside(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(4096 * 3 + 100)
    assert set_aside_damaged(path) is not None


def test_another_program_s_database_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE songs(title)")
    other.close()
    found = set_aside_damaged(path)
    assert found is not None
    assert found[0] == "it has no table bundles"


def test_an_empty_file_is_a_new_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.touch()
    assert set_aside_damaged(path) is None
    open_ledger(path).close()


def test_the_log_goes_with_it_and_is_not_played_into_the_next_ledger(path: Path) -> None:
    writing = open_ledger(path)
    writing.set_waiting("/inbox-1", {"cat.png": "the last thing that was known"})
    state = path.parent
    log = path.with_name("ledger.sqlite-wal").read_bytes()
    damaged = state / "copy"
    damaged.mkdir()
    for name, content in (("ledger.sqlite", b"no ledger" * 999), ("ledger.sqlite-wal", log)):
        (damaged / name).write_bytes(content)
    writing.close()
    found = set_aside_damaged(damaged / "ledger.sqlite")
    assert found is not None
    assert found[1].with_name(f"{found[1].name}-wal").read_bytes() == log
    assert len(list(damaged.iterdir())) == 2
    fresh = open_ledger(damaged / "ledger.sqlite")
    assert fresh.waiting() == []
    fresh.close()


def test_two_in_one_second_have_names_of_their_own(path: Path) -> None:
    names: set[Path] = set()
    for _ in range(3):
        path.write_bytes(b"x" * 5000)
        found = set_aside_damaged(path)
        assert found is not None
        names.add(found[1])
    assert len(names) == 3


def test_a_ledger_that_cannot_be_opened_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.mkdir()
    with pytest.raises(EnvironmentFault, match="cannot be opened"):
        set_aside_damaged(path)
    assert path.is_dir()


def test_damage_that_is_met_while_it_is_open_is_told_from_a_full_disk(path: Path) -> None:
    ledger = open_ledger(path)
    _overwrite(path, 4096, b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(LedgerDamaged, match="damaged"):
        ledger.waiting()
    with pytest.raises(LedgerDamaged):
        ledger.set_waiting("/inbox-1", {"a": "b"})
    ledger.close()


def test_a_state_folder_without_hard_links_is_no_hindrance(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = open_ledger(path)
    writing.set_facts(a="b")

    def link(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    assert set_aside_damaged(path) is None
    writing.close()


def test_a_ledger_of_a_newer_version_is_not_damaged(path: Path) -> None:
    newer = sqlite3.connect(path)
    newer.execute("DROP TABLE waiting")
    newer.execute("PRAGMA user_version=99")
    newer.close()
    assert set_aside_damaged(path) is None
    with pytest.raises(EnvironmentFault, match="newer img2imgd"):
        open_ledger(path)
