"""What a scan finds in an inbox."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from img2imgd.errors import EnvironmentFault
from img2imgd.inbox.scan import MAX_DEPTH, MAX_PATH, Scanner, scan
from img2imgd.pairing.kinds import Kind


def test_files_are_found_in_order_with_folder_kind_and_signature(tmp_path: Path) -> None:
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    for name in ("b.yaml", "a.png", "sub/deep/c.txt"):
        (tmp_path / name).write_bytes(b"xyz")
    found = scan(tmp_path, recursive=True)
    assert [(file.rel, file.folder, file.kind) for file in found] == [
        ("a.png", "", Kind.PICTURE),
        ("b.yaml", "", Kind.SIDECAR),
        ("sub/deep/c.txt", "sub/deep", Kind.SIDECAR),
    ]
    assert found[0].signature.size == 3
    assert [file.rel for file in scan(tmp_path, recursive=False)] == ["a.png", "b.yaml"]


def test_other_programs_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    for folder in (".img2imgd/JOB/in", "@eaDir", ".stfolder"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "cat.png").touch()
    (tmp_path / "Thumbs.db").touch()
    (tmp_path / "cat.png.reason.txt").touch()
    assert scan(tmp_path, recursive=True) == []


def test_links_pipes_and_links_to_folders_are_special_and_never_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "cat.png").touch()
    (tmp_path / "folder.png").symlink_to(tmp_path / "real")
    (tmp_path / "link.png").symlink_to(tmp_path / "real" / "cat.png")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / ".half.png").symlink_to("nowhere")
    kinds = {file.rel: file.kind for file in scan(tmp_path, recursive=True)}
    assert kinds == {
        "folder.png": Kind.SPECIAL, "link.png": Kind.SPECIAL, "pipe.yaml": Kind.SPECIAL,
        "real/cat.png": Kind.PICTURE, ".half.png": Kind.UNFINISHED,
    }  # fmt: skip


def test_folders_below_folders_end_somewhere(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * (MAX_DEPTH + 2))
    deep.mkdir(parents=True)
    for folder in (deep, deep.parent.parent):
        (folder / "cat.png").touch()
    scanner = Scanner(tmp_path, recursive=True)
    assert [file.rel for file in scanner.scan()] == ["d/" * MAX_DEPTH + "cat.png"]
    assert scanner.unreadable == {"d/" * MAX_DEPTH + "d": "it lies more than 32 folders deep"}


def test_paths_nearly_as_long_as_the_system_takes_are_told_and_hide_nothing_else(
    tmp_path: Path,
) -> None:
    (tmp_path / "cat.png").touch()
    deep = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):  # of 250 letters each: 5,000, where a path has 4,096 at most
        os.mkdir("d" * 250, dir_fd=deep)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(os.open("dog.png", os.O_CREAT, dir_fd=deep))
    os.close(deep)
    scanner = Scanner(tmp_path, recursive=True)
    assert [file.rel for file in scanner.scan()] == ["cat.png"]
    ((rel, why),) = scanner.unreadable.items()
    assert len(rel) > MAX_PATH - 250 - len(str(tmp_path))
    assert why == "its path is longer than 3000 bytes"


def test_a_folder_that_becomes_a_link_while_it_is_looked_at_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, inbox = tmp_path / "private", tmp_path / "inbox"
    for folder in (private, inbox / "sub"):
        folder.mkdir(parents=True)
        (folder / "cat.png").touch()
    original = os.open

    def exchange(name: Path | str, flags: int, **where: int | None) -> int:
        if name == "sub":
            (inbox / "sub").rename(tmp_path / "before")
            (inbox / "sub").symlink_to(private)
        return original(name, flags, **where)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", exchange)
    assert scan(inbox, recursive=True) == []


def test_names_of_any_bytes_are_found(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\n.png")
    (tmp_path / name).touch()
    assert [file.name for file in scan(tmp_path, recursive=True)] == [name]


def test_an_inbox_that_is_not_there_is_unavailable_not_empty(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be listed"):
        scan(tmp_path / "gone", recursive=True)


@pytest.mark.parametrize("error", [errno.EACCES, errno.ENOTCONN, errno.EIO])
def test_a_subfolder_that_cannot_be_listed_is_told_and_hides_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    (tmp_path / "sub" / "locked").mkdir(parents=True)
    (tmp_path / "cat.png").touch()
    scanner = Scanner(tmp_path, recursive=True)
    before = scanner.scan()
    original = os.open

    def refuse(folder: Path | str, flags: int, **where: int | None) -> int:
        if folder == "locked":
            raise OSError(error, os.strerror(error))
        return original(folder, flags, **where)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        during = scanner.scan()
        assert [file.rel for file in during] == ["cat.png"]
        assert scanner.unreadable == {"sub/locked": os.strerror(error)}
        assert during is not before, "that is news"
        assert scanner.scan() is during
    assert scanner.scan() is not during
    assert scanner.unreadable == {}
