"""A config that is read again while the daemon runs: what has changed, and what may not."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from msgspec import Struct

from img2imgd.config import Config
from img2imgd.errors import UsageError

_FOLDERS = ("root", "outbox", "done", "failed", "state")
_APART = frozenset({*_FOLDERS, "inboxes", "notes", "path", "root_named"})


class Handover:
    """Where a loop finds the config to go by from its next step on; for any two threads."""

    def __init__(self) -> None:
        self._config: Config | None = None
        self._lock = threading.Lock()

    def put(self, config: Config) -> None:
        """Hand a config over; one that was not taken yet is forgotten."""
        with self._lock:
            self._config = config

    def take(self) -> Config | None:
        """The config that was handed over since the last time, if one was."""
        with self._lock:
            config, self._config = self._config, None
            return config


def check_folders(before: Config, after: Config) -> None:
    """Refuse a config with other folders: their locks, ledger and jobs are those of a start.

    Raises:
        UsageError: with every key that would need a restart.
    """
    moved = [key for key in _FOLDERS if getattr(before, key) != getattr(after, key)]
    if {inbox.path for inbox in before.inboxes} != {inbox.path for inbox in after.inboxes}:
        moved.append("inboxes (their paths)")
    if moved:
        raise UsageError(
            f"Another {', '.join(moved)} needs a restart.",
            "Nothing of the config was taken over; restart img2imgd, or take that change back.",
        )


def changes(before: Config, after: Config) -> list[str]:
    """The dotted keys whose values differ, in the order of the config; folders are the same."""
    found: list[str] = []
    known = {inbox.path: inbox for inbox in before.inboxes}
    for inbox in after.inboxes:
        key = f"inboxes.{inbox.path.name}"
        found += [f"{key}.{name}" for name in _differing(known[inbox.path], inbox)]
    return found + list(_differing(before, after))


def _differing(before: Any, after: Any) -> Iterator[str]:
    for name, old, new in _pairs(before, after):
        if old == new:
            continue
        if name == "models":
            yield from (f"{name}.{key}" for key in _rows(old, new))
        elif isinstance(old, Struct) and type(old) is type(new):
            yield from (f"{name}.{key}" for key in _differing(old, new))
        else:
            yield name


def _pairs(before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, Struct):
        names = list(before.__struct_fields__)
    else:
        names = [field.name for field in fields(before) if field.name not in _APART]
    for name in names:
        yield name, getattr(before, name), getattr(after, name)


def _rows(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Rows of the models table, each as a whole."""
    for name in {**before, **after}:
        if name not in after:
            yield f"{name} (gone)"
        elif name not in before:
            yield f"{name} (new)"
        elif before[name] != after[name]:
            yield name
