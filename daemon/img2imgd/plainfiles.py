"""Files that somebody else put there: opened only if they are plain, never waited for."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
from pathlib import Path


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
