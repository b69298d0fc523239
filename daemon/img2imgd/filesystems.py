"""What kind of filesystem a folder lies on: whether events and SQLite's WAL work there."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

# f_type of statfs(2), from linux/magic.h and the filesystems' own headers.
_REMOTE = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB2",
    0x65735546: "FUSE",
    0x01021997: "9p",
    0x00C36400: "Ceph",
    0x5346414F: "AFS",
    0x73757245: "Coda",
    0x47504653: "GPFS",
    0x0BD00BD0: "Lustre",
    0x786F4256: "VirtualBox shared folder",
    0xBACBACBC: "VMware shared folder",
}


class _Statfs(ctypes.Structure):
    """struct statfs of Linux; only the type is read, the rest is room."""

    _fields_ = [("f_type", ctypes.c_long), ("rest", ctypes.c_char * 512)]


_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class FilesystemKind:
    """A filesystem's name, and whether writes from elsewhere can reach it unseen."""

    name: str
    local: bool


def kind_of(path: Path) -> FilesystemKind:
    """The filesystem of ``path``, or of its nearest parent that exists.

    Raises:
        OSError: as statfs(2).
    """
    while not path.exists() and path != path.parent:
        path = path.parent
    answer = _Statfs()
    if _libc.statfs(os.fsencode(path), ctypes.byref(answer)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    remote = _REMOTE.get(answer.f_type & 0xFFFFFFFF)
    return FilesystemKind(remote or "local", local=remote is None)


def mount_of(path: Path) -> Path:
    """Where the disk of a path, or of its nearest parent that exists, is mounted."""
    path = path.absolute()
    while not path.is_mount() and path != path.parent:
        path = path.parent
    return path


UNTOLD = 1 << 60
"""Free bytes where the filesystem does not tell: some of FUSE's say that their size is zero."""


def free_bytes(path: Path) -> int:
    """Bytes that this process may still write on the filesystem of an existing path."""
    answer = os.statvfs(path)
    return answer.f_bavail * answer.f_frsize if answer.f_blocks else UNTOLD
