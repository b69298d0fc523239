"""Crashes at the n-th durable step: file operations and ledger writes, counted together."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest
from rig import Crash

from img2imgd import durable
from img2imgd.ledger import Ledger

FILE_STEPS = ("rename_new", "move_new", "fsync_path", "write_file", "copy_new", "make_folders")
LEDGER_STEPS = (
    "add_job", "add_bundle", "set_state", "set_archive", "set_archived", "set_published",
    "set_served", "reserve", "drop_job", "end_bundle", "set_frame", "replace_spec",
)  # fmt: skip


class Countdown:
    """Raises :class:`Crash` before the ``at``-th step; without one it only counts."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.steps = 0
        self.last = ""

    def step(self, name: str) -> None:
        self.steps += 1
        self.last = name
        if self.steps == self.at:
            raise Crash(name)


@contextmanager
def crash_at(at: int | None) -> Generator[Countdown]:
    """While this is open, every durable step counts, and the ``at``-th is never carried out."""
    countdown = Countdown(at)

    def counted(name: str, original: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(original)
        def call(*arguments: object, **keywords: object) -> object:
            countdown.step(name)
            return original(*arguments, **keywords)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for owner, names in ((durable, FILE_STEPS), (Ledger, LEDGER_STEPS)):
            for name in names:
                patch.setattr(owner, name, counted(name, getattr(owner, name)))
        yield countdown
