"""Crashes at the n-th durable step: file operations and ledger writes, counted together."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest
from rig import Crash, Rig

from img2imgd import durable
from img2imgd.ledger import Ledger

FILE_STEPS = ("rename_new", "move_new", "fsync_path", "write_file", "copy_new", "make_folders")
LEDGER_STEPS = (
    "add_job", "add_bundle", "set_state", "set_archive", "set_archived", "set_published",
    "set_served", "note_seen", "note_place", "reserve", "drop_job", "place_bundle", "end_bundle",
    "set_frame", "replace_plan", "restate", "end_order", "end_orders",
)  # fmt: skip

CALLS = ("replace", "rename", "link", "symlink", "mkdir", "unlink", "rmdir")  # of the module os


class Countdown:
    """Raises a fault before the ``at``-th step; without one it only counts.

    ``fault`` makes it from the step's name; ``lasting`` steps from there on meet it.
    """

    def __init__(
        self, at: int | None, fault: Callable[[str], BaseException] = Crash, lasting: int = 1
    ) -> None:
        self.at = at
        self.steps = 0
        self.last = ""
        self._fault = fault
        self._lasting = lasting

    def step(self, name: str) -> None:
        self.steps += 1
        self.last = name
        if self.at is not None and self.at <= self.steps < self.at + self._lasting:
            raise self._fault(name)


@contextmanager
def crash_at(at: int | None) -> Generator[Countdown]:
    """While this is open, every durable step counts, and the ``at``-th is never carried out."""
    with counted(Countdown(at)) as countdown:
        yield countdown


@contextmanager
def counted(countdown: Countdown, *, calls: bool = False) -> Generator[Countdown]:
    """Count every durable step; with ``calls`` the single calls within them, and removals too."""

    def wrapped(name: str, original: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(original)
        def call(*arguments: object, **keywords: object) -> object:
            countdown.step(name)
            return original(*arguments, **keywords)

        return call

    with pytest.MonkeyPatch.context() as patch:
        owners = [(durable, FILE_STEPS), (Ledger, LEDGER_STEPS), (os, CALLS if calls else ())]
        for owner, names in owners:
            for name in names:
                patch.setattr(owner, name, wrapped(name, getattr(owner, name)))
        yield countdown


def crashes_at(rig: Rig, at: int) -> bool:
    """Serve, and crash before the ``at``-th durable call of this process; True if it came."""
    try:
        with counted(Countdown(at), calls=True):
            rig.serve()
    except Crash:
        rig.crash()
        return True
    return False
