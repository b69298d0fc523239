"""The commented config that ``img2imgd init`` writes; ``config.example.yaml`` is the same text."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

EXAMPLE = Path(__file__).with_name("example.yaml")

_PLAIN = re.compile(r"[/\w.-]+")


def default_config_text(root: Path) -> str:
    """The example with its root replaced; every key of it stands there with its default."""

    def fill(written: re.Match[str]) -> str:
        path = str(root.absolute()) + written[1]
        return path if _PLAIN.fullmatch(path) else msgspec.json.encode(path).decode()

    return re.sub(r"~/img2imgd((?:/\w+)?)\b", fill, EXAMPLE.read_text(encoding="utf-8"))
