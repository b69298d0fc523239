"""The file of a picture that somebody dropped: opened without following or waiting for anything.

The supervisor opens it and hands the descriptor to the reader, which may open no file itself.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from img2imgd.errors import EnvironmentFault, PictureError
from img2imgd.reader.kinds import COPY_AGAIN
from img2imgd.reader.protocol import ReaderLimits, shown


def open_picture(path: Path, limits: ReaderLimits) -> BinaryIO:
    """Open a regular file that is neither empty nor too large.

    Raises:
        PictureError: it is none; the message says what it is.
        EnvironmentFault: the storage under it fails.
    """
    # O_NONBLOCK: a FIFO without a writer must not hold the caller.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as fault:
        raise _cannot_open(path, fault) from fault
    try:
        _check_file(path, os.fstat(descriptor), limits)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def too_large(path: Path, size: int, max_file_mb: int) -> PictureError | None:
    """Why a file of so many bytes is not read, if it is not."""
    if size <= max_file_mb * 1_000_000:
        return None
    return PictureError(
        f"{shown(path)} has {size / 1e6:,.0f} MB; at most {max_file_mb:,} MB are read here.",
        "Make it smaller, or raise `limits: max_file_mb` in the config.",
    )


def storage_fault(path: Path, fault: OSError) -> EnvironmentFault:
    """Said when the disk, not the picture, is to blame."""
    return EnvironmentFault(
        f"{path} cannot be read: {fault.strerror}.", "Look at the disk or share it lies on."
    )


def _check_file(path: Path, found: os.stat_result, limits: ReaderLimits) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise PictureError(
            f"{shown(path)} is {_file_type(found.st_mode)}, not a file.",
            "Put the picture itself into the inbox.",
        )
    if found.st_size == 0:
        raise PictureError(f"{shown(path)} is empty (0 bytes).", COPY_AGAIN)
    if error := too_large(path, found.st_size, limits.max_file_mb):
        raise error


def _file_type(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(mode) else "a device"


def _cannot_open(path: Path, fault: OSError) -> PictureError | EnvironmentFault:
    name = shown(path)
    if fault.errno == errno.ELOOP:
        return PictureError(
            f"{name} is a symbolic link, and links are not followed.",
            "Put the picture itself into the inbox.",
        )
    if fault.errno in (errno.ENOENT, errno.ENOTDIR):
        return PictureError(f"{name} is not there any more.", "Put it into the inbox again.")
    if fault.errno in (errno.EACCES, errno.EPERM):
        return PictureError(
            f"{name} may not be read: permission denied.",
            "Let the daemon's user read it (chmod a+r), and put it into the inbox again.",
        )
    if fault.errno == errno.ENXIO:
        return PictureError(
            f"{name} is a socket or device, not a file.", "Put the picture itself into the inbox."
        )
    return storage_fault(path, fault)
