"""What kind of filesystem a folder lies on."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from img2imgd import filesystems
from img2imgd.filesystems import UNTOLD, FilesystemKind, free_bytes, kind_of


def test_a_temporary_folder_is_local(tmp_path: Path) -> None:
    assert kind_of(tmp_path) == FilesystemKind("local", local=True)


def test_a_path_that_is_not_there_counts_as_its_parent(tmp_path: Path) -> None:
    assert kind_of(tmp_path / "a" / "b") == kind_of(tmp_path)


@pytest.mark.parametrize(
    ("magic", "name"), [(0x6969, "NFS"), (-0x00ACB2BE, "CIFS"), (0x01021997, "9p")]
)
def test_network_filesystems_are_known_by_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, magic: int, name: str
) -> None:
    class Libc:
        @staticmethod
        def statfs(_: bytes, answer: object) -> int:
            ctypes.cast(answer, ctypes.POINTER(ctypes.c_long))[0] = magic  # type: ignore[arg-type]
            return 0

    monkeypatch.setattr(filesystems, "_libc", Libc)
    assert kind_of(tmp_path) == FilesystemKind(name, local=False)


def test_a_fault_of_statfs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Libc:
        @staticmethod
        def statfs(_: bytes, __: object) -> int:
            ctypes.set_errno(5)
            return -1

    monkeypatch.setattr(filesystems, "_libc", Libc)
    with pytest.raises(OSError, match=str(tmp_path)):
        kind_of(tmp_path)


def test_free_space_is_what_this_user_may_write(tmp_path: Path) -> None:
    answer = os.statvfs(tmp_path)
    assert 0 < free_bytes(tmp_path) <= answer.f_blocks * answer.f_frsize


def test_a_filesystem_that_says_it_has_no_size_counts_as_having_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((4096, 4096, *[0] * 8)))
    assert free_bytes(tmp_path) == UNTOLD
