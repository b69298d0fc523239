"""The config that a command was given."""

from __future__ import annotations

import argparse
import os

from img2imgd.config import Config, load_config


def config_of(arguments: argparse.Namespace) -> Config:
    """Load the config named by ``-c`` and ``--root``.

    Raises:
        DocumentError, UsageError: it cannot be used.
    """
    return load_config(arguments.config, arguments.root, env=os.environ)
