"""The config that a command was given."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from img2imgd.config import CONFIG_NAME, Config, default_root, load_config
from img2imgd.errors import UsageError, shown
from img2imgd.owners import denied


def config_of(arguments: argparse.Namespace) -> Config:
    """Load the config named by ``-c``, else the one in the root, if there is one.

    Raises:
        DocumentError, UsageError: it cannot be used.
        EnvironmentFault: it belongs to another user.
    """
    path: Path | None = arguments.config
    if path is None:
        found: Path = (arguments.root or default_root(os.environ)) / CONFIG_NAME
        try:
            path = found if found.is_file() else None
        except PermissionError as error:
            raise denied(found, "The config", "read") or UsageError(
                f"The config {shown(str(found))} cannot be read: {error.strerror}."
            ) from error
    return load_config(path, arguments.root, env=os.environ)


def config_again(arguments: argparse.Namespace) -> Config:
    """The config once more, while the daemon runs, which must not wait for what a pipe may bring.

    Raises:
        DocumentError, UsageError: it cannot be used.
    """
    path: Path | None = arguments.config
    if path is not None and path.exists() and not (path.is_file() or path.is_dir()):
        raise UsageError(
            f"The config {shown(str(path))} is no plain file, so it cannot be read again.",
            "Put a file there, or restart img2imgd.",
        )
    return config_of(arguments)
