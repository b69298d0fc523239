"""Downloads one file of the hub so that an interrupted download goes on where it stopped.

The hub's library (2.4) writes to a file of a random name and removes it when a download is cut, so
here the bytes are asked for directly: into ``blobs/DIGEST.incomplete``, the name that the library
once used and that ``hf cache prune`` knows. A whole file gets the name that the library looks for.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import time
from collections.abc import Callable, Generator
from pathlib import Path

from img2imgd.hub.client import RepoFile, timeout
from img2imgd.hub.faults import HubFault

PAUSES = (1.0, 3.0, 10.0)
"""Seconds to wait before each new try, when a connection was cut or the hub has a fault."""

_BLOCK = 1 << 20
_TRY_AGAIN = (408, 429, 500, 502, 503, 504)

Advance = Callable[[int], None]
"""Told how many bytes have come; a negative number takes some back."""


def part_of(blob: Path) -> Path:
    """Where the content of a blob is gathered while it is not whole."""
    return blob.with_name(f"{blob.name}.incomplete")


def bytes_here(blob: Path, size: int) -> int:
    """Bytes of a blob of ``size`` that an interrupted download has left."""
    with contextlib.suppress(OSError):
        here = part_of(blob).stat().st_size
        return here if here <= size else 0  # else it is of something else, and begins anew
    return 0


def download_blob(
    url: str, file: RepoFile, blob: Path, advance: Advance, pauses: tuple[float, ...] = PAUSES
) -> None:
    """Bring a file to ``blob``, whole, verified by its digest, and on disk.

    Bytes that are here already are not asked for again. A cut connection is taken up again after
    each of ``pauses``, afresh whenever bytes have come.

    Raises:
        HubFault: another process downloads it, or the content is not what the hub announced.
        OSError, httpx2.HTTPError: disk or network; what has come stays.
    """
    blob.parent.mkdir(parents=True, exist_ok=True)
    with _locked(part_of(blob)) as part:
        _gather(url, file, part, advance, pauses)
        if _digest(part, file) != file.digest:
            part_of(blob).unlink()
            advance(-file.size)
            raise HubFault(
                f"{file.name} came damaged: its content is not what the hub announced.",
                "Try again. If it stays so, a proxy in between changes it.",
            )
        os.fsync(part.fileno())
        part_of(blob).replace(blob)


def _gather(
    url: str, file: RepoFile, part: io.FileIO, advance: Advance, pauses: tuple[float, ...]
) -> None:
    """Append to ``part`` until it has the file's size."""
    if part.seek(0, os.SEEK_END) > file.size:
        part.truncate(0)
    tries = list(pauses)
    while (begin := part.seek(0, os.SEEK_END)) < file.size:
        cut = _try(url, file, part, advance)
        end = part.seek(0, os.SEEK_END)
        if end > begin:
            tries = list(pauses)
        if end < file.size:
            if not tries:
                raise cut or HubFault(f"{file.name} ended early.", "Try again; it goes on there.")
            time.sleep(tries.pop(0))


def _try(url: str, file: RepoFile, part: io.FileIO, advance: Advance) -> Exception | None:
    """Bring what comes; what ended it early if that may pass, other errors are raised."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    try:
        _stream(url, file, part, advance)
    except httpx2.TransportError as error:
        return error
    except HfHubHTTPError as error:
        if error.response.status_code not in _TRY_AGAIN:
            raise
        return error
    return None


def _stream(url: str, file: RepoFile, part: io.FileIO, advance: Advance) -> None:
    """Ask for what is missing and write it as it comes."""
    from huggingface_hub.utils import get_session, hf_raise_for_status

    begin = part.tell()
    with get_session().stream("GET", url, headers=_headers(begin), timeout=timeout()) as answer:
        hf_raise_for_status(answer)
        if answer.status_code != 206 and begin:
            part.truncate(0)
            part.seek(0)
            advance(-begin)
        for data in answer.iter_bytes():
            if part.tell() + len(data) > file.size:
                part.truncate(0)
                raise HubFault(
                    f"{file.name} is longer than the {file.size} bytes that the hub announced.",
                    "Try again. If it stays so, a proxy in between changes it.",
                )
            _write(part, data)
            advance(len(data))


def _headers(begin: int) -> dict[str, str]:
    from huggingface_hub import utils

    # Compressed content could not be taken up in the middle.
    asked = {"Accept-Encoding": "identity", "Range": f"bytes={begin}-"}
    return utils.build_hf_headers(headers=asked)  # pyright: ignore[reportUnknownMemberType]


def _write(part: io.FileIO, data: bytes) -> None:
    """All of it: on a disk that becomes full, a write may take less than it is given."""
    rest = memoryview(data)
    while rest:
        rest = rest[part.write(rest) :]


@contextlib.contextmanager
def _locked(path: Path) -> Generator[io.FileIO]:
    """The file, open for appending, while no other process writes it."""
    with path.open("a+b", buffering=0) as part:
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HubFault(
                f"another process is downloading {path.name}.",
                "Wait until it is done; then it is here for both.",
            ) from None
        yield part


def _digest(part: io.FileIO, file: RepoFile) -> str:
    """The content's name on the hub: SHA-256, or git's SHA-1 of a blob where that is short."""
    if len(file.digest) == 64:
        digest = hashlib.sha256()
    else:
        digest = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
    part.seek(0)
    while block := part.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()
