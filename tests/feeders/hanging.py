"""A share whose server does not answer: a FUSE filesystem that nobody serves."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def hanging(folder: Path) -> Iterator[None]:
    """While this is open, whoever looks into the folder waits; then it is as it was before."""
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    if libc.mount(b"hangs", os.fsencode(folder), b"fuse", 0, options.encode()):
        number = ctypes.get_errno()
        os.close(device)
        raise OSError(number, os.strerror(number), str(folder))
    try:
        yield
    finally:
        os.close(device)  # those who wait get an error
        subprocess.run(["umount", "--lazy", folder], check=True)


def can_hang() -> bool:
    """True where such a filesystem can be mounted."""
    return os.geteuid() == 0 and os.access("/dev/fuse", os.R_OK | os.W_OK)
