"""Devices that scan to a folder, as they write: slowly, with placeholders, opening files again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from served_root import pause

from waiting import wait_until


@dataclass(frozen=True)
class SlowDevice:
    """Writes a scan to its final name in ``chunks`` parts, ``gap`` seconds apart.

    ``placeholder``: an empty file lies there before the lamp is warm. ``reopens``: the file is
    closed after each part, so that it looks ready in between.
    """

    chunks: int
    gap: float
    placeholder: bool = False
    reopens: bool = False

    def scan(self, target: Path, content: bytes) -> None:
        """Write one scan."""
        size = -(-len(content) // self.chunks)
        parts = [content[at : at + size] for at in range(0, len(content), size)]
        if self.placeholder:
            target.touch()
            pause(self.gap)
        file = target.open("wb", buffering=0)
        for at, part in enumerate(parts):
            if at > 0:
                pause(self.gap)
            if at > 0 and self.reopens:
                file.close()
                file = target.open("ab", buffering=0)
            file.write(part)
        file.close()

    def scan_all(self, target: Path, contents: Sequence[bytes]) -> None:
        """Call every scan the same, and begin the next as soon as that name is free."""
        for content in contents:
            wait_until(lambda: not target.exists(), f"{target.name} has been taken")
            self.scan(target, content)
