"""The command line that means a config again, for messages that say what to do."""

from __future__ import annotations

import os
import shlex

from img2imgd.config.loading import default_root
from img2imgd.config.settled import Config
from img2imgd.errors import shown

CONFIG_NAME = "config.yaml"
"""What ``init`` writes into a root, and what is read there where no config is named."""


def command(config: Config, verb: str, *words: str) -> str:
    """``img2imgd VERB -c PATH WORD…``, to be typed in any folder."""
    return " ".join(filter(None, ["img2imgd", verb, options(config), shlex.join(words)]))


def options(config: Config) -> str:
    """The ``-c`` and ``--root`` that a command needs to find a config; empty by default."""
    base = default_root(os.environ)
    found = (config.root if config.root_named else base) / CONFIG_NAME
    parts: list[str] = []
    if config.path is not None and config.path != found:
        parts += ["-c", str(config.path)]
    by_default = config.root == base and config.path is None
    if (config.root_named or config.path is None) and not by_default:
        parts += ["--root", str(config.root)]
    return shown(shlex.join(parts))
