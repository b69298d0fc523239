"""Reason files: why an input was not served, for the person who finds it in ``failed/``."""

from __future__ import annotations

import re
import stat
import textwrap
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from img2imgd import durable, plainfiles
from img2imgd.outputs.names import cut_bytes, numbered
from img2imgd.outputs.stamps import Stamp, is_as

REASON_SUFFIX = ".reason.txt"
_LONGEST_HEAD = 8000  # bytes
_KEEP = 255 - len(REASON_SUFFIX) - 12  # room for the suffix and for a half-written name around it


def reason_name(picture: str) -> str:
    """``cat.png`` → ``cat.png.reason.txt``, within the length a file name may have."""
    return f"{cut_bytes(picture, _KEEP)}{REASON_SUFFIX}"


def free_reason(name: str, is_taken: Callable[[str], bool]) -> str:
    """A reason's name, or ``cat~2.png.reason.txt`` and so on where it is taken."""
    about, number = name.removesuffix(REASON_SUFFIX), 1
    while is_taken(free := numbered([about, name], number)[1]):
        number += 1
    return free


def write_reason(
    target: Path, what: str, reason: str, job: str = "", outcome: str = "was not served"
) -> None:
    """Write a reason file: the file it is about, when, why, and what to do."""
    when = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    head = f"{what} {outcome} ({when}{f', job {job}' if job else ''})."
    text = f"{wrap(head)}\n\n{wrap(reason)}\n"
    durable.write_file(target, text.encode("utf-8", "backslashreplace"))


def remove_reason(path: Path, job: str, left: Stamp | None) -> None:
    """Remove the reason file of a job, unless somebody has changed it, or it is another's by now.

    ``left`` is the stamp it was left with, None where that is not known.
    """
    status = durable.look_at(path)
    if status is None or not stat.S_ISREG(status.st_mode):
        return
    if (left is None or is_as(status, *left)) and job_of_reason(path) == job:
        path.unlink(missing_ok=True)
        durable.fsync_path(path.parent)


def job_of_reason(path: Path) -> str:
    """The id of the job that a reason file is about; empty where it names none."""
    found = re.search(r",job([^,()]+)\)\.$", _head(path))
    return found[1] if found else ""


def is_reason(path: Path, what: str, outcome: str) -> bool:
    """True for a reason file that :func:`write_reason` wrote with these words."""
    return _head(path).startswith("".join(f"{what} {outcome} (".split()))


def _head(path: Path) -> str:
    """The first paragraph without the spaces, at which lines may be broken; empty without one."""
    try:
        start = plainfiles.read_regular(path, _LONGEST_HEAD)
    except OSError:
        return ""
    return "".join(start.decode("utf-8", "replace").partition("\n\n")[0].split())


def wrap(text: str, width: int = 96) -> str:
    """Wrap paragraphs for reading; indented lines (examples) stay as they are."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("    ") or len(line) <= width:
            lines.append(line)
        else:
            lines.extend(textwrap.wrap(line, width, break_long_words=False))
    return "\n".join(lines)
