"""Files that somebody else put there: opened only if they are plain, never waited for."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import stat
from pathlib import Path

_RIGHTS = 0o777


def open_regular(path: Path) -> int:
    """Open a plain file for reading: no symlink is followed, no FIFO or device is waited for.

    Raises:
        OSError: as open(2); ELOOP for a symlink, EINVAL for anything that is no plain file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    return descriptor


def read_regular(path: Path, max_bytes: int) -> bytes:
    """Read a plain file, at most ``max_bytes + 1`` bytes of it, so that a cap can be told."""
    with os.fdopen(open_regular(path), "rb") as file:
        return file.read(max_bytes + 1)


def has_writer(path: Path) -> bool:
    """True while a local process holds the file open for writing.

    Asked by a read lease, which the kernel grants only without writers (fcntl(2), "Leases"). Where
    leases cannot be had (foreign owner, network filesystem) the answer is False.
    """
    try:
        descriptor = open_regular(path)
    except OSError:
        return False
    try:
        # A writer that comes while the lease is held makes the kernel send a signal: SIGIO, which
        # would end this process, unless another is chosen. SIGURG is ignored by default.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(descriptor)
    return False


def copy_status(source: int, target: int) -> None:
    """Mode, times, and extended attributes as far as the target's filesystem takes them.

    Never setuid and setgid: they would let others run somebody's drop as the daemon's user.
    ext4 has 4 kB for those of a file, and calls one that is larger a full disk.
    """
    with contextlib.suppress(OSError):
        for name in os.listxattr(source):
            with contextlib.suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))
    status = os.fstat(source)
    os.fchmod(target, stat.S_IMODE(status.st_mode) & _RIGHTS)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
