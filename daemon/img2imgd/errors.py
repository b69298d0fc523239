"""Every error a person can meet: what is wrong, where, what to do, and its exit code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the commands; the README lists them."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    SOME_FAILED = 3
    HELD_BY_ANOTHER = 4
    ENVIRONMENT = 5


class Img2imgdError(Exception):
    """Base of all errors with a message for a person; ``advice`` says what to do about it."""

    exit_code: Exit = Exit.INTERNAL

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message}\n{self.advice}" if self.advice else self.message


def shown(name: str) -> str:
    """A name or text from outside on one line that every terminal and JSON reader takes.

    Bytes that are no UTF-8, newlines and control characters (terminals obey those) are escaped.
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a document: where it stands, what was found, what to do.

    ``line`` counts from 1; 0 means the document as a whole. ``key`` is the dotted path
    (``sweep.strength.from``), empty for the document as a whole.
    """

    message: str
    line: int = 0
    key: str = ""
    advice: str = ""

    def __str__(self) -> str:
        where = ", ".join(
            part for part in (f"line {self.line}" if self.line else "", self.key) if part
        )
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} {self.advice}".rstrip()


class DocumentError(Img2imgdError):
    """A sidecar, defaults file or config that cannot be used; carries all its problems at once."""

    exit_code = Exit.USAGE

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{name}: {problem}" for problem in problems))
        self.name = name
        self.problems = tuple(problems)


class PictureError(Img2imgdError):
    """A picture that cannot be read: not an image, damaged, too large, a format not served."""


class EnvironmentFault(Img2imgdError):
    """Disk, device, model files or network do not allow work just now; nothing is blamed for it."""

    exit_code = Exit.ENVIRONMENT


class LedgerDamaged(Img2imgdError):
    """The ledger's file is not what SQLite wrote; the daemon ends, its next start mends that."""


class HeldByAnother(Img2imgdError):
    """Another daemon holds one of the folders."""

    exit_code = Exit.HELD_BY_ANOTHER


class UsageError(Img2imgdError):
    """Wrong arguments or a config that cannot be used."""

    exit_code = Exit.USAGE
