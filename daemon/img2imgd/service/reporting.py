"""What the service manager is told while the daemon starts, runs, reloads and stops."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence

from img2imgd.log import Lasting
from img2imgd.service.freshness import ALLOWED, Freshness, Part
from img2imgd.service.notify import Notifier

log = logging.getLogger(__name__)

_STATUS_EVERY = 1.0  # seconds
_EXTEND_EVERY = 10.0
_EXTENDED_BY = 60.0
_OPENING = 600.0  # seconds, for locks of other hosts, and to check a ledger of a long history


class Reporting:
    """Reports once a step, to the log and to the manager.

    ``line()`` says how it all stands. ``silent`` are the parts that have shown no sign of life for
    too long, in words: while there are any, the watchdog hears nothing either, and the manager
    starts the daemon anew.
    """

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self.line: Callable[[], str] = lambda: "opening the ledger"
        self._freshness = Freshness(notifier.watchdog or ALLOWED)
        self._lasting = Lasting(log)
        self._ready = False
        self._extend_at = self._status_at = self._alive_at = -math.inf
        self._told = ""
        self.silent: tuple[str, ...] = ()
        self.note = ""  # what else the status is to say: that the config could not be read again

    @property
    def every(self) -> float:
        """How often, in seconds, to take a step."""
        return min(_STATUS_EVERY, (self._notifier.watchdog or math.inf) / 4)

    def opening(self) -> None:
        """The start begins: the folders' locks and the ledger, which may be large."""
        self._notifier.extend(_OPENING)
        self._tell_status()

    def step(self, parts: Sequence[Part], now: float, *, ready: bool) -> None:
        """Look at the parts; ``ready`` once everything was recovered and looked at.

        ``now`` is monotonic time.
        """
        self.silent = tuple(self._freshness.silent(parts, now))
        if self.silent:
            self._lasting.say("silent", "; ".join(self.silent), logging.ERROR)
        else:
            self._lasting.over("silent", "every part shows signs of life again")
        if not self._notifier.is_heard:
            return
        if ready and not self._ready:
            status = self._status(ready=True)
            self._ready = self._notifier.ready(status)
            self._told = status
        elif not self._ready and not self.silent and now >= self._extend_at:
            self._notifier.extend(_EXTENDED_BY)
            self._extend_at = now + _EXTEND_EVERY
        if now >= self._status_at:
            self._tell_status()
            self._status_at = now + _STATUS_EVERY
        if not self.silent:
            self._be_alive(now)

    def reloading(self) -> None:
        """The config is read again; :meth:`reloaded` ends that."""
        if self._ready:
            self._notifier.reloading("reading the config again")

    def reloaded(self, note: str) -> None:
        """It was read; ``note`` is what kept it from being used, empty for nothing."""
        self.note = note
        if self._ready:
            self._told = self._status()
            self._notifier.ready(self._told)

    def stopping(self, within: float) -> None:
        """The stop begins and takes so many seconds at most."""
        self._notifier.stopping("stopping", within)

    def still_stopping(self, now: float) -> None:
        """The stop goes on, within its time."""
        self._be_alive(now)

    def _be_alive(self, now: float) -> None:
        watchdog = self._notifier.watchdog
        if watchdog is not None and now >= self._alive_at:
            self._notifier.alive()
            self._alive_at = now + watchdog / 2

    def _tell_status(self) -> None:
        status = self._status()
        if status != self._told and self._notifier.status(status):
            self._told = status

    def _status(self, *, ready: bool = False) -> str:
        starting = [] if self._ready or ready else ["starting"]
        hangs = [f"hangs: {reason}" for reason in self.silent]
        note = [self.note] if self.note else []
        return "; ".join([*hangs, *note, *starting, self.line()])
