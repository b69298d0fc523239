"""What somebody removes while img2imgd runs is made anew where that is right, or else told."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from img2imgd.app.holding import FolderLock
from img2imgd.app.removals import Removals
from img2imgd.errors import HeldByAnother


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    folder = tmp_path / "outbox" / ".img2imgd"
    folder.mkdir(parents=True)
    (tmp_path / "ledger.sqlite").touch()
    return folder


@pytest.fixture
def removals(staging: Path) -> Iterator[Removals]:
    lock = FolderLock(staging)
    yield Removals(staging.parent, lock, staging.parent.parent / "ledger.sqlite")
    lock.close()


def test_the_outboxs_hidden_folder_is_made_anew_and_held(
    staging: Path, removals: Removals, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(staging)
    removals.look()
    assert staging.stat().st_mode & 0o777 == 0o700
    with pytest.raises(HeldByAnother):
        FolderLock(staging)
    removals.look()
    assert caplog.text.count("it is made anew") == 1


def test_a_daemon_that_took_the_outbox_meanwhile_has_it(staging: Path, removals: Removals) -> None:
    shutil.rmtree(staging)
    staging.mkdir()
    other = FolderLock(staging)
    with pytest.raises(HeldByAnother, match=str(staging.parent)):
        removals.look()
    other.close()


def test_another_folder_that_has_the_outboxs_name_is_left_as_it_is(
    staging: Path, removals: Removals
) -> None:
    outbox = staging.parent
    disk = outbox.rename(outbox.with_name("disk"))
    removals.look()
    assert not outbox.exists()
    outbox.mkdir()
    removals.look()
    assert list(outbox.iterdir()) == []
    outbox.rmdir()
    disk.rename(outbox)
    removals.look()
    assert staging.exists()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_ledger_that_is_removed_is_told_as_an_error_and_so_is_its_return(
    staging: Path, removals: Removals, caplog: pytest.LogCaptureFixture, replaced: bool
) -> None:
    caplog.set_level(logging.INFO)
    ledger = staging.parent.parent / "ledger.sqlite"
    removals.look()
    assert caplog.text == ""
    aside = ledger.rename(ledger.with_name("aside"))
    if replaced:
        ledger.touch()
    removals.look()
    removals.look()
    (told,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "the next start makes a new one from the folders" in told.getMessage()
    aside.replace(ledger)
    removals.look()
    assert "is back" in caplog.text
