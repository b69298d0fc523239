"""The reader's child process: takes requests from a socket, answers each, ends with its parent.

Messages are JSON, so that a picture which takes this process over still gives its parent nothing
but text. Behind each request come descriptors: the picture's, and the file to write, if one is
wanted; nothing else can be opened here. ``img2imgd.pool.reading`` starts it as ``python -m
img2imgd.reader.process SOCKET LIMITS`` and holds the other end.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from img2imgd.errors import EnvironmentFault, PictureError
from img2imgd.reader import sandbox
from img2imgd.reader.paging import count_pages, extract_page
from img2imgd.reader.preparing import inspect, prepare
from img2imgd.reader.protocol import (
    Fit,
    Paged,
    PictureInfo,
    Prepared,
    ReaderLimits,
    SizeRule,
    Viewed,
)
from img2imgd.reader.viewing import glance, view

_OPEN_FILES = 64
# The descriptors that come with a request, as modes of open().
_FILES: Mapping[str, Sequence[Literal["rb", "wb"]]] = {
    "inspect": ("rb",),
    "prepare": ("rb", "wb"),
    "view": ("rb", "wb"),
    "glance": ("rb",),
    "count pages": ("rb",),
    "extract page": ("rb", "wb"),
}


def main(arguments: list[str]) -> None:
    """Serve requests until the parent's end of the socket closes."""
    connection = Connection(int(arguments[0]))
    limits = ReaderLimits(**json.loads(arguments[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets Ctrl-C too, and decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _limit(limits)
    _mute_libraries()
    # numpy comes with the first sketch; each of its threads would want some memory set aside.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    missing = sandbox.enter()
    try:
        connection.send_bytes(json.dumps({"missing": missing}).encode())
        while True:
            request = json.loads(connection.recv_bytes())
            with ExitStack() as stack:
                files: list[BinaryIO] = []
                for mode in _FILES[request["do"]]:
                    files.append(open(recv_handle(connection), mode))  # noqa: PTH123, SIM115
                    stack.callback(_close, files[-1])
                _grant_time(limits.cpu_seconds)
                answer = _answer(request, files, limits)
            connection.send_bytes(json.dumps(answer).encode())
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _close(file: BinaryIO) -> None:
    """Close a file. What a full disk did not take is in its buffer still, and fails once more."""
    with suppress(OSError):
        file.close()


def _limit(limits: ReaderLimits) -> None:
    # A prepared PNG never has more bytes than this; whatever else is written is an accident.
    largest = 4 * limits.max_pixels + 1_000_000
    for kind, most in (
        (resource.RLIMIT_AS, limits.memory * 1_000_000),
        (resource.RLIMIT_FSIZE, largest),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def _grant_time(seconds: int) -> None:
    """Allow so much more computing from now on; then SIGXCPU ends the process."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + 1 + seconds
    until = until if hard == resource.RLIM_INFINITY else min(until, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (until, hard))


def _mute_libraries() -> None:
    """C libraries print what they think of a damaged picture; the answer says it already."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stderr.fileno())
    os.close(nowhere)


def _answer(
    request: Mapping[str, Any], files: Sequence[BinaryIO], limits: ReaderLimits
) -> Mapping[str, object]:
    try:
        served = _serve(request, files, limits)
        return {"ok": served if isinstance(served, dict) else asdict(served)}
    except PictureError as fault:
        return {"error": "picture", "message": fault.message, "advice": fault.advice}
    except EnvironmentFault as fault:
        return {"error": "environment", "message": fault.message, "advice": fault.advice}
    except MemoryError:
        return {"error": "memory"}
    except Exception as fault:  # noqa: BLE001 - the edge of one file: the next is served all the same
        return {"error": "internal", "message": f"{type(fault).__name__}: {fault}"}


def _serve(
    request: Mapping[str, Any], files: Sequence[BinaryIO], limits: ReaderLimits
) -> PictureInfo | Prepared | Viewed | Paged | dict[str, object]:
    path = Path(request["path"])
    if request["do"] == "inspect":
        return inspect(path, files[0], limits)
    if request["do"] == "glance":
        seen = glance(path, files[0], limits)
        return {"width": seen.width, "height": seen.height, "colours": seen.colours.hex()}
    if request["do"] == "view":
        return view(path, files[0], files[1], int(request["side"]), limits)
    if request["do"] == "count pages":
        return count_pages(path, files[0], limits)
    if request["do"] == "extract page":
        return extract_page(path, files[0], files[1], int(request["page"]), limits)
    sizes: list[int] | int | Literal["keep"] = request["size"]
    rule = SizeRule(
        size=(sizes[0], sizes[1]) if isinstance(sizes, list) else sizes,
        fit=cast("Fit", request["fit"]),
        multiple=request["multiple"],
        whole=request["whole"],
        prepare=request["prepare"],
    )
    return prepare(path, files[0], files[1], rule, limits)


if __name__ == "__main__":
    main(sys.argv[1:])
