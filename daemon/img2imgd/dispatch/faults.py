"""Faults of the environment: work pauses, says what it waits for, and resumes by itself."""

from __future__ import annotations

import contextlib
import logging

from img2imgd.errors import EnvironmentFault
from img2imgd.ledger import Ledger
from img2imgd.log import Lasting

log = logging.getLogger(__name__)

_FIRST_PAUSE = 2.0  # seconds; doubled with every failure in a row
_LONGEST_PAUSE = 60.0


class Faults:
    """What the dispatcher waits for: the disk or device as a whole, single models or inboxes."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._until = 0.0
        self._pause = 0.0
        self._parts: dict[tuple[str, str], tuple[float, float]] = {}  # until when, and the pause
        self._lasting = Lasting(log)
        self.since: float | None = None

    def report(self, what: str, now: float) -> None:
        """Everything pauses: a full disk, a lost device."""
        if not self.holding(now):  # the frames under way all meet the same fault: that is one
            self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
            self._until = now + self._pause
        self._say(what, self._pause, now)

    @property
    def general(self) -> bool:
        """True while nothing has succeeded since everything paused."""
        return self._pause > 0

    def report_model(self, name: str, what: str, now: float) -> None:
        """Jobs of one model pause; those of others go on."""
        prefix = f"Model {name}: "
        self._report_part(("model", name), prefix + what.removeprefix(prefix), now)

    def report_inbox(self, inbox: str, what: str, now: float) -> None:
        """Jobs of one inbox pause; those of others go on."""
        self._report_part(("inbox", inbox), what, now)

    def clear_model(self, name: str) -> None:
        """A model was loaded: what was wrong with it, and in general, is over."""
        self._parts.pop(("model", name), None)
        if not self._parts:
            self._clear()

    def clear_inbox(self, inbox: str) -> None:
        """The inbox's jobs can be started: what was wrong with it is over."""
        if self._parts.pop(("inbox", inbox), None) is not None and not self._parts:
            self._clear()

    def holding(self, now: float) -> bool:
        """True while everything pauses."""
        if self._until and now >= self._until:
            self._until = 0.0  # try again; what fails again pauses longer
        return bool(self._until)

    def held_models(self, now: float) -> list[str]:
        """Models that are not to be tried again yet."""
        return self._held("model", now)

    def held_inboxes(self, now: float) -> list[str]:
        """Inboxes whose jobs are not to be tried again yet."""
        return self._held("inbox", now)

    def succeeded(self) -> None:
        """Something was written: a general fault is over."""
        self._pause = 0.0
        if not self._parts:
            self._clear()

    def _report_part(self, part: tuple[str, str], what: str, now: float) -> None:
        _, pause = self._parts.get(part, (0.0, 0.0))
        pause = min(max(pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        self._parts[part] = (now + pause, pause)
        self._say(what, pause, now)

    def _held(self, kind: str, now: float) -> list[str]:
        return [name for (k, name), (until, _) in self._parts.items() if k == kind and now < until]

    def _clear(self) -> None:
        if self.since is not None:
            self._lasting.over("fault", "what was waited for is there; work goes on")
            self._ledger.set_facts(waits_for="")
            self.since = None

    def _say(self, what: str, pause: float, now: float) -> None:
        self._lasting.say("fault", f"{what} Trying again in {pause:.0f} s.")
        if self.since is None:
            self.since = now
        with contextlib.suppress(EnvironmentFault):  # the ledger's own disk may be what is full
            self._ledger.set_facts(waits_for=what)
