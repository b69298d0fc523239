"""Reason files: why an input was not served, for the person who finds it in ``failed/``."""

from __future__ import annotations

import textwrap
from datetime import datetime
from pathlib import Path

from img2imgd import durable
from img2imgd.outputs.names import cut_bytes

REASON_SUFFIX = ".reason.txt"
_KEEP = 255 - len(REASON_SUFFIX) - 12  # room for the suffix and for a half-written name around it


def reason_name(picture: str) -> str:
    """``cat.png`` → ``cat.png.reason.txt``, within the length a file name may have."""
    return f"{cut_bytes(picture, _KEEP)}{REASON_SUFFIX}"


def write_reason(
    target: Path, what: str, reason: str, job: str = "", outcome: str = "was not served"
) -> None:
    """Write a reason file: the file it is about, when, why, and what to do."""
    when = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    head = f"{what} {outcome} ({when}{f', job {job}' if job else ''})."
    text = f"{wrap(head)}\n\n{wrap(reason)}\n"
    durable.write_file(target, text.encode("utf-8", "backslashreplace"))


def wrap(text: str, width: int = 96) -> str:
    """Wrap paragraphs for reading; indented lines (examples) stay as they are."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("    ") or len(line) <= width:
            lines.append(line)
        else:
            lines.extend(textwrap.wrap(line, width, break_long_words=False))
    return "\n".join(lines)
