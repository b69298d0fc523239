"""File operations that hold through a crash or a power loss, and never replace what is there.

The rule, measured on ext4 by simulated power loss: file fsync, rename, folder fsync leaves a whole
file under its name; leave one out and an empty file or no file may be found after the crash.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import filecmp
import hashlib
import os
import shutil
import stat
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO, TypeGuard

from img2imgd import plainfiles

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_libc = ctypes.CDLL(None, use_errno=True)

# What renameat2(RENAME_NOREPLACE) answers where the filesystem does not know the flag.
_FLAG_UNKNOWN = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
_LINK_UNKNOWN = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})

MTIME_GRAIN_NS = 2_000_000_000  # of FAT, the coarsest
# What rmdir(2) and unlink(2) answer while others make or remove files there; on NFS, a file that
# is open comes back under another name until it is closed.
_USED_BY_OTHERS = frozenset({errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST})
_TRIES = 3
# As lstat(2) says it; a name that is too long for the filesystem is of no file.
_NOTHING_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})

# Faults that blame the machine, not the file: work pauses and resumes by itself.
ENVIRONMENT_ERRNOS = frozenset(
    {
        errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENODEV, errno.ENXIO,
        errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EPERM,
        errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT,
    }
)  # fmt: skip


def is_environment(error: BaseException) -> TypeGuard[OSError]:
    """True of an error that blames the machine, not the file."""
    return isinstance(error, OSError) and error.errno in ENVIRONMENT_ERRNOS


def fsync_path(path: Path) -> None:
    """Flush a file's or a folder's content to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network filesystems cannot fsync a folder; there the rename itself is the promise.
        if error.errno != errno.EINVAL or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def make_folders(path: Path) -> None:
    """Make a folder and its parents, each made durable in its parent."""
    if path.is_dir():
        return
    make_folders(path.parent)
    try:
        path.mkdir()
    except FileExistsError:
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "is no folder", str(path)) from None
        return  # somebody else was quicker
    fsync_path(path.parent)


def rename_new(source: Path, target: Path) -> None:
    """Rename a file or folder within a filesystem, refusing to replace anything.

    Raises:
        FileExistsError: something has the target's name already.
        OSError: as rename(2); EXDEV when the two are on different filesystems.
    """
    failed = _libc.renameat2(
        _AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE
    )
    if not failed:
        return
    number = ctypes.get_errno()
    if number == errno.EEXIST and same_file(source, target):
        source.unlink()  # a crash came between link and unlink
        return
    if number not in _FLAG_UNKNOWN:
        raise OSError(number, os.strerror(number), str(source), None, str(target))
    _rename_new_without_flag(source, target)


def _rename_new_without_flag(source: Path, target: Path) -> None:
    """``rename_new`` for filesystems such as NFS and some of FUSE's, which know no flags."""
    if stat.S_ISREG(source.lstat().st_mode):
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            if not same_file(source, target):
                raise
            source.unlink()  # a crash came between link and unlink
            return
        except OSError as error:
            if error.errno not in _LINK_UNKNOWN:
                raise
        else:
            source.unlink()
            return
    # No flags and no links (or a folder): look first. The gap is the best such a filesystem gives.
    if is_there(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    source.rename(target)


def move_new(source: Path, target: Path) -> None:
    """Move a file durably, replacing nothing; across filesystems by copy, fsync, compare, unlink.

    The folder of the target must exist. At every instant one whole copy stands, and a move that was
    cut short is finished by repeating it.
    """
    try:
        rename_new(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_across(source, target)
    fsync_path(target.parent)
    fsync_path(source.parent)


def _move_across(source: Path, target: Path) -> None:
    """The copy has a second name until the source is gone: so a repetition knows it for its own.

    The content alone would not tell: somebody may have put an equal file there.
    """
    part = target.with_name(_part_of(source))
    if not (same_file(part, target) or (not part.exists() and _is_old_copy(source, target))):
        part.unlink(missing_ok=True)
        copy_across(source, part)
        try:
            os.link(part, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _LINK_UNKNOWN:
                part.unlink()
                raise
            rename_new(part, target)
        fsync_path(target.parent)
    source.unlink()
    fsync_path(source.parent)
    part.unlink(missing_ok=True)


def end_move(source: Path, folder: Path) -> None:
    """Remove the second name that a move across filesystems leaves if it is cut at its very end."""
    (folder / _part_of(source)).unlink(missing_ok=True)


def _part_of(source: Path) -> str:
    """The hidden name of a file's copy, the same whenever the move is repeated."""
    return f".{hashlib.blake2b(os.fsencode(source), digest_size=8).hexdigest()}.part"


def _is_old_copy(source: Path, target: Path) -> bool:
    """Where links are not known, whether a crash came between copying and unlinking.

    Told by content and time, which FAT and some network filesystems keep to two seconds.
    """
    try:
        seen, made = source.lstat(), target.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(made.st_mode) or made.st_nlink > 1 or _knows_links(target.parent):
        return False
    same_time = abs(seen.st_mtime_ns - made.st_mtime_ns) <= MTIME_GRAIN_NS
    return same_time and filecmp.cmp(source, target, shallow=False)


def _knows_links(folder: Path) -> bool:
    """Whether the folder's filesystem has hard links; tried with two names of an empty file."""
    one, other = (folder / f".{os.urandom(8).hex()}.part" for _ in range(2))
    try:
        one.touch()
        os.link(one, other)
    except OSError:
        return False
    finally:
        one.unlink(missing_ok=True)
        other.unlink(missing_ok=True)
    return True


def copy_across(source: Path, target: Path) -> None:
    """Copy a file of any kind to another filesystem, durably, and compare what arrived.

    Raises:
        FileExistsError: something has the target's name already.
        OSError: as the copy; EIO when the copy is not like its source.
    """
    status = source.lstat()
    if stat.S_ISLNK(status.st_mode):
        target.symlink_to(source.readlink())
    elif stat.S_ISREG(status.st_mode):
        copy_new(source, target)
        if not filecmp.cmp(source, target, shallow=False):
            target.unlink()
            raise OSError(errno.EIO, "the copy is not like its source", str(source))
    else:
        os.mknod(target, status.st_mode, status.st_rdev)


def is_there(path: Path) -> bool:
    """True when something has this name, be it a link that leads nowhere.

    Raises:
        OSError: as :func:`look_at`.
    """
    return look_at(path) is not None


def look_at(path: Path) -> os.stat_result | None:
    """What lstat(2) says of a name; None where nothing has it, or what is above is no folder.

    Raises:
        OSError: the disk does not answer; ``os.path.lexists`` would take that for a no.
    """
    try:
        return path.lstat()
    except OSError as error:
        if error.errno not in _NOTHING_THERE:
            raise
        return None


def same_file(one: Path, other: Path) -> bool:
    """True when both names are there and are links to one file."""
    a, b = look_at(one), look_at(other)
    return a is not None and b is not None and (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)


def copy_new(source: Path, target: Path) -> None:
    """Copy a regular file durably to a name that must be free."""
    half = _half(target)
    descriptor = plainfiles.open_regular(source)
    try:
        with os.fdopen(descriptor, "rb") as reading, _open_new(half) as writing:
            shutil.copyfileobj(reading, writing, 1 << 20)
            writing.flush()
            plainfiles.copy_status(reading.fileno(), writing.fileno())
            os.fsync(writing.fileno())
        rename_new(half, target)
    finally:
        half.unlink(missing_ok=True)
    fsync_path(target.parent)


def write_file(target: Path, data: bytes) -> None:
    """Write a small file whole and durably, replacing an older one of the same name."""
    with writing(target) as file:
        file.write(data)


@contextlib.contextmanager
def writing(target: Path) -> Generator[BinaryIO]:
    """A file to write, which appears whole and durable at the end, or not at all.

    An older file of the same name is replaced.
    """
    half = _half(target)
    try:
        with _open_new(half) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)
    fsync_path(target.parent)


def remove_tree(path: Path) -> None:
    """Remove a folder and all that is in it, if it is there.

    Raises:
        OSError: the disk, as from unlink(2) and rmdir(2); not where others still use the folder.
    """
    for _ in range(_TRIES):
        try:
            shutil.rmtree(path)
        except OSError as error:
            if error.errno not in _USED_BY_OTHERS:
                raise
        if not is_there(path):
            return


def _half(target: Path) -> Path:
    """A hidden name beside the target, which itself may have all the 255 bytes a name can.

    The same for the same target: what a crash left there goes when it is written again.
    """
    digest = hashlib.blake2b(os.fsencode(target.name), digest_size=8).hexdigest()
    return target.with_name(f".{digest}.part")


def _open_new(half: Path) -> BinaryIO:
    """Open a file that is new, whatever a crash, or somebody who guessed the name, put there."""
    half.unlink(missing_ok=True)
    return half.open("xb")
