"""A disk that comes and goes: a tmpfs, shown at a folder while it is plugged in."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Stick:
    """A disk that is plugged in at a folder, taken out, and plugged in again as it was."""

    device: Path
    at: Path

    def plug(self) -> None:
        self.at.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--bind", self.device, self.at], check=True)

    def unplug(self) -> None:
        subprocess.run(["umount", "--lazy", self.at], check=True)


StickMaker = Callable[[Path], Stick]
