"""Notes in failed about folder defaults that cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

from img2imgd.inbox.notes import DefaultsNotes

DEFAULTS = "sub/_defaults.yaml"
NOTE = "_defaults.yaml.reason.txt"
INBOX = Path("/inbox")


def test_a_note_is_written_once_for_the_same_reason(tmp_path: Path) -> None:
    notes = DefaultsNotes(tmp_path, INBOX)
    notes.write(DEFAULTS, "line 2: wrong")
    note = tmp_path / "sub" / NOTE
    assert "line 2: wrong" in note.read_text()
    first = note.stat().st_ino
    notes.write(DEFAULTS, "line 2: wrong")
    assert note.stat().st_ino == first
    notes.write(DEFAULTS, "line 3: wrong")
    assert "line 3" in note.read_text()


def test_a_note_goes_when_the_file_is_mended_and_comes_again(tmp_path: Path) -> None:
    notes = DefaultsNotes(tmp_path, INBOX)
    for _ in range(2):
        notes.write(DEFAULTS, "wrong")
        notes.keep_only({DEFAULTS}, {DEFAULTS})
        assert os.listdir(tmp_path / "sub") == [NOTE]
        notes.keep_only(set(), {DEFAULTS})
        assert os.listdir(tmp_path / "sub") == []


def test_a_note_of_an_earlier_process_goes_too_and_one_still_true_stays(tmp_path: Path) -> None:
    DefaultsNotes(tmp_path, INBOX).write(DEFAULTS, "wrong")
    later = DefaultsNotes(tmp_path, INBOX)
    later.keep_only({DEFAULTS}, {DEFAULTS})
    assert os.listdir(tmp_path / "sub") == [NOTE]
    later.keep_only(set(), {DEFAULTS})
    assert os.listdir(tmp_path / "sub") == []


def test_each_inbox_has_a_note_of_its_own_and_removes_no_others(tmp_path: Path) -> None:
    one, other = (DefaultsNotes(tmp_path, Path(inbox)) for inbox in ("/one", "/two-" + 99 * "x"))
    one.write(DEFAULTS, "one is wrong")
    other.keep_only(set(), {DEFAULTS})
    assert "one is wrong" in (tmp_path / "sub" / NOTE).read_text()
    other.write(DEFAULTS, "two is wrong")
    second = tmp_path / "sub" / "_defaults~2.yaml.reason.txt"
    assert "two is wrong" in second.read_text()
    one.keep_only(set(), {DEFAULTS})
    other.write(DEFAULTS, "two is wrong again")
    assert os.listdir(tmp_path / "sub") == [second.name]
    assert "two is wrong again" in second.read_text()
    DefaultsNotes(tmp_path, other._inbox).keep_only(set(), {DEFAULTS})
    assert os.listdir(tmp_path / "sub") == []
