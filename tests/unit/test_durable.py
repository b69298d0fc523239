"""File operations that replace nothing and hold through a crash."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from img2imgd import durable

Move = Callable[[Path, Path], None]


def without_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """A filesystem whose renameat2 knows no flags, as NFS."""

    def renameat2(*_: object) -> int:
        return -1

    monkeypatch.setattr(durable._libc, "renameat2", renameat2)
    monkeypatch.setattr(durable.ctypes, "get_errno", lambda: errno.EINVAL)


def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """And that has no hard links either, as some of FUSE's."""
    without_flags(monkeypatch)

    def link(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)


def across(monkeypatch: pytest.MonkeyPatch) -> None:
    """Source and target on different filesystems."""
    original = durable.rename_new

    def rename_new(source: Path, target: Path) -> None:
        if not source.name.endswith(".part"):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        original(source, target)

    monkeypatch.setattr(durable, "rename_new", rename_new)


@pytest.fixture(params=[None, without_flags, without_links, across])
def filesystem(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param is not None:
        request.param(monkeypatch)


@pytest.mark.usefixtures("filesystem")
def test_a_move_takes_the_file_to_its_new_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    durable.move_new(tmp_path / "a", tmp_path / "b")
    assert os.listdir(tmp_path) == ["b"]
    assert (tmp_path / "b").read_bytes() == b"content"


@pytest.mark.usefixtures("filesystem")
def test_a_move_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"new")
    (tmp_path / "b").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        durable.move_new(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "b").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


@pytest.mark.usefixtures("filesystem")
def test_a_symbolic_link_is_moved_as_a_link(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("nowhere")
    durable.move_new(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").readlink() == Path("nowhere")
    assert not os.path.lexists(tmp_path / "a")


@pytest.mark.parametrize("mend", [None, without_flags, without_links])
def test_a_folder_is_renamed_whole_and_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mend: Callable[..., None] | None
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "x").touch()
    if mend:
        mend(monkeypatch)
    with pytest.raises(FileExistsError):
        durable.rename_new(tmp_path / "a", tmp_path / "b")
    durable.rename_new(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "c" / "x").exists()


def test_other_faults_of_a_rename_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        durable.rename_new(tmp_path / "gone", tmp_path / "b")


def test_a_move_cut_between_link_and_unlink_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"content")
    os.link(tmp_path / "a", tmp_path / "b")
    without_flags(monkeypatch)
    durable.move_new(tmp_path / "a", tmp_path / "b")
    assert os.listdir(tmp_path) == ["b"]


def _cut_before_the_unlink(source: Path, target: Path) -> None:
    """Move across filesystems, as far as a crash lets it."""

    unlink = Path.unlink

    def crash(path: Path, missing_ok: bool = False) -> None:
        if path == source:
            raise KeyboardInterrupt
        unlink(path, missing_ok=missing_ok)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", crash)
        with pytest.raises(KeyboardInterrupt):
            durable.move_new(source, target)


def test_a_move_across_filesystems_cut_before_the_unlink_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"content")
    across(monkeypatch)
    _cut_before_the_unlink(tmp_path / "a", tmp_path / "b")
    assert {"a", "b"} < set(os.listdir(tmp_path))
    durable.move_new(tmp_path / "a", tmp_path / "b")
    assert os.listdir(tmp_path) == ["b"]


def test_an_equal_file_that_somebody_else_put_there_is_not_taken_for_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"content")
    durable.copy_new(tmp_path / "a", tmp_path / "b")
    across(monkeypatch)
    with pytest.raises(FileExistsError):
        durable.move_new(tmp_path / "a", tmp_path / "b")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_without_links_the_time_tells_the_copy_of_a_cut_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"content")
    durable.copy_new(tmp_path / "a", tmp_path / "b")  # as a crash leaves it
    seen = (tmp_path / "a").stat().st_mtime_ns
    os.utime(tmp_path / "b", ns=(seen, seen // 2_000_000_000 * 2_000_000_000))  # as FAT keeps it
    without_links(monkeypatch)
    across(monkeypatch)
    durable.move_new(tmp_path / "a", tmp_path / "b")
    assert os.listdir(tmp_path) == ["b"]


def test_a_copy_that_is_not_like_its_source_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"content")
    across(monkeypatch)
    monkeypatch.setattr(durable.filecmp, "cmp", lambda *_, **__: False)
    with pytest.raises(OSError, match="not like its source"):
        durable.move_new(tmp_path / "a", tmp_path / "b")
    assert os.listdir(tmp_path) == ["a"]


def test_links_and_pipes_move_across_filesystems_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "there").mkdir()
    across(monkeypatch)
    for name in ("link", "pipe"):
        durable.move_new(tmp_path / name, tmp_path / "there" / name)
    assert (tmp_path / "there" / "link").readlink() == Path("nowhere")
    assert (tmp_path / "there" / "pipe").is_fifo()
    assert os.listdir(tmp_path) == ["there"]
    assert len(os.listdir(tmp_path / "there")) == 2


def test_a_copy_keeps_content_and_time_and_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    os.utime(tmp_path / "a", ns=(5, 123_456_789))
    durable.copy_new(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"content"
    assert (tmp_path / "b").stat().st_mtime_ns == 123_456_789
    with pytest.raises(FileExistsError):
        durable.copy_new(tmp_path / "a", tmp_path / "b")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("name", ["x" * 255, "\u6f22" * 85, "\U0001f431" * 63])
def test_the_longest_names_can_be_written_and_copied(tmp_path: Path, name: str) -> None:
    durable.write_file(tmp_path / name, b"content")
    (tmp_path / "there").mkdir()
    durable.copy_new(tmp_path / name, tmp_path / "there" / name)
    assert (tmp_path / "there" / name).read_bytes() == b"content"


def test_an_extended_attribute_that_the_target_has_no_room_for_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"picture")
    source.chmod(0o640)
    os.utime(source, (1e9, 1e9))
    for name in ("user.large", "user.small"):
        os.setxattr(source, name, name.encode())
    setxattr = os.setxattr

    def full(path: int, name: str, value: bytes) -> None:
        if name == "user.large":  # ext4's answer to 20 kB, which tmpfs takes
            raise OSError(errno.ENOSPC, "No space left on device")
        setxattr(path, name, value)

    monkeypatch.setattr(os, "setxattr", full)
    durable.copy_new(source, target)
    assert target.read_bytes() == b"picture"
    assert (target.stat().st_mtime, target.stat().st_mode & 0o777) == (1e9, 0o640)
    assert os.listxattr(target) == ["user.small"]
    assert os.getxattr(target, "user.small") == b"user.small"


def test_a_written_file_replaces_its_former_self_whole(tmp_path: Path) -> None:
    durable.write_file(tmp_path / "a", b"first, and longer")
    durable.write_file(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["a"]


def test_a_write_that_fails_leaves_the_former_file_and_no_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable.write_file(tmp_path / "a", b"first")

    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No space"):
        durable.write_file(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["a"]


def test_folders_are_made_with_their_parents(tmp_path: Path) -> None:
    durable.make_folders(tmp_path / "a" / "b" / "c")
    durable.make_folders(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()


def test_two_names_of_one_file_are_told_from_two_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"same")
    os.link(tmp_path / "a", tmp_path / "c")
    assert durable.same_file(tmp_path / "a", tmp_path / "c")
    assert not durable.same_file(tmp_path / "a", tmp_path / "b")
    assert not durable.same_file(tmp_path / "a", tmp_path / "gone")


def test_a_folder_that_cannot_be_synced_is_forgiven_and_a_file_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").touch()

    def fsync(_: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fsync)
    durable.fsync_path(tmp_path)
    with pytest.raises(OSError, match="Invalid"):
        durable.fsync_path(tmp_path / "a")


def test_a_folder_is_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "cat.png").write_bytes(b"x")
    durable.remove_tree(folder)
    assert not folder.exists()
    durable.remove_tree(folder)


def test_a_folder_that_others_write_into_is_removed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    late = iter(["a.part", "b.part"])
    rmdir = os.rmdir

    def put_and_remove(path: str, **keywords: int) -> None:
        for name in late:
            (folder / name).write_bytes(b"")
            break
        rmdir(path, **keywords)

    monkeypatch.setattr(os, "rmdir", put_and_remove)
    durable.remove_tree(folder)
    assert not folder.exists()


def test_a_folder_that_the_disk_does_not_let_go_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str, **_: int) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    (tmp_path / "job").mkdir()
    monkeypatch.setattr(os, "rmdir", fail)
    with pytest.raises(OSError, match="Read-only"):
        durable.remove_tree(tmp_path / "job")


def test_what_a_crash_left_half_written_is_gone_when_it_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "cat.png.reason.txt"

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", crash)
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            durable.write_file(target, b"half")
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    durable.write_file(target, b"whole")
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_under_the_half_written_name_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "cat.png.reason.txt"
    other = tmp_path / "other"
    other.write_bytes(b"mine")
    durable._half(target).symlink_to(other)
    durable.write_file(target, b"whole")
    assert (target.read_bytes(), other.read_bytes()) == (b"whole", b"mine")
