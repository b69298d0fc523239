"""When a file has come to rest, by a clock that the test holds."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from img2imgd.settle import Settling, Signature

SEEN = Signature(inode=1, size=2, mtime_ns=3, ctime_ns=4)


def test_unchanged_time_runs_from_the_first_look() -> None:
    settling = Settling(2)
    assert [settling.observe("a", SEEN, now) for now in (10, 11.5, 12)] == [0, 1.5, 2]


@pytest.mark.parametrize("field", ["inode", "size", "mtime_ns", "ctime_ns"])
def test_any_change_starts_anew(field: str) -> None:
    settling = Settling(2)
    settling.observe("a", SEEN, 0)
    assert settling.observe("a", replace(SEEN, **{field: 99}), 5) == 0
    assert settling.observe("a", replace(SEEN, **{field: 99}), 6) == 1


def test_files_do_not_disturb_each_other_and_are_forgotten_when_gone() -> None:
    settling = Settling(2)
    settling.observe("a", SEEN, 0)
    settling.observe("b", SEEN, 1)
    assert settling.observe("a", SEEN, 3) == 3
    settling.keep_only({"b"})
    assert settling.observe("a", SEEN, 4) == 0
    assert settling.observe("b", SEEN, 4) == 3


def test_a_file_can_be_made_to_wait_anew() -> None:
    settling = Settling(2)
    settling.restart("never seen", 0)
    settling.observe("a", SEEN, 0)
    settling.restart("a", 5)
    assert settling.observe("a", SEEN, 6) == 1


def test_a_rename_keeps_the_content_and_a_save_does_not(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    before = Signature.of(path.lstat())
    path = path.rename(tmp_path / "b")
    assert Signature.of(path.lstat()).same_content(before)
    os.utime(path, ns=(1, 1))
    assert not Signature.of(path.lstat()).same_content(before)
