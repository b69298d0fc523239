"""What an examination says: of each thing, whether it is fine, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["fine", "warning", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and the command or config line that mends it.

    A ``warning`` keeps nothing from working; what is ``wrong`` does.
    """

    check: str
    level: Level
    what: str
    mend: str = ""


def fine(check: str, what: str) -> Finding:
    """Nothing is to be done."""
    return Finding(check, "fine", what)


def warning(check: str, what: str, mend: str = "") -> Finding:
    """It works, and could be better."""
    return Finding(check, "warning", what, mend)


def wrong(check: str, what: str, mend: str = "") -> Finding:
    """Something will not work."""
    return Finding(check, "wrong", what, mend)
