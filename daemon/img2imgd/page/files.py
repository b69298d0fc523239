"""Files of the outbox, opened so that nobody is led out of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
}
"""What is served, by the ending of its name."""


@dataclass
class OpenFile:
    """An open plain file; whoever has it closes it."""

    file: BinaryIO
    status: os.stat_result

    @property
    def tag(self) -> str:
        """What tells this content from an earlier one under the same name."""
        status = self.status
        return f'"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"'


def parts_of(raw: bytes) -> list[bytes] | None:
    """The parts of a percent-encoded path; None for one that cannot be a picture of the outbox.

    Hidden names are none, nor is what leads up or anywhere else.
    """
    parts = unquote_to_bytes(raw).split(b"/")
    if any(not part or part.startswith(b".") or b"\0" in part for part in parts):
        return None
    return parts if content_type(os.fsdecode(parts[-1])) else None


def content_type(name: str) -> str | None:
    """The type of a picture by its name; None for what is not served."""
    return TYPES.get(os.path.splitext(name)[1].lower())  # noqa: PTH122 - of bytes that are no path


def open_below(root: Path, parts: Sequence[bytes]) -> OpenFile:
    """Open a plain file below ``root``, following no link on the way.

    Raises:
        FileNotFoundError: there is none: nothing, a link, a folder, a device.
        OSError: as open(2).
    """
    with _opened_folder(root, parts[:-1]) as folder, _nothing_there():
        descriptor = os.open(parts[-1], _PLAIN, dir_fd=folder)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "not a plain file")
    return OpenFile(os.fdopen(descriptor, "rb"), status)


@contextmanager
def _opened_folder(root: Path, parts: Sequence[bytes]) -> Generator[int]:
    with _nothing_there():
        descriptor = os.open(root, _FOLDER)  # this one may be a link: the config names it
    try:
        for part in parts:
            with _nothing_there():
                below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _nothing_there() -> Generator[None]:
    """A link, a socket and a name that cannot be are all the same to who asks: no file."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.ENAMETOOLONG):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
        raise


def range_of(header: str, size: int) -> tuple[int, int] | None:
    """(first, last + 1) of ``bytes=…``, as RFC 9110 has it; None where the whole is sent.

    Raises:
        ValueError: it asks for what is not there.
    """
    unit, _, wanted = header.partition("=")
    first, dash, last = wanted.strip().partition("-")
    if unit.strip().lower() != "bytes" or not dash or "," in wanted or not _digits(first, last):
        return None
    if not first:
        if not last:
            return None
        if int(last) == 0 or size == 0:
            raise ValueError(header)
        return max(size - int(last), 0), size
    start, end = int(first), min(int(last) + 1, size) if last else size
    if last and int(last) < int(first):
        return None
    if start >= size:
        raise ValueError(header)
    return start, end


def _digits(*texts: str) -> bool:
    return all(
        len(text) < 19 and ((text.isascii() and text.isdecimal()) or not text) for text in texts
    )
