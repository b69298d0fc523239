"""Faults of the environment: work pauses, says what it waits for, and resumes by itself."""

from __future__ import annotations

import contextlib
import logging
from collections import defaultdict
from dataclasses import dataclass

from img2imgd.errors import EnvironmentFault
from img2imgd.ledger import Ledger
from img2imgd.log import Lasting

log = logging.getLogger(__name__)

_FIRST_PAUSE = 2.0  # seconds; doubled with every failure in a row
_LONGEST_PAUSE = 60.0


@dataclass
class _Pause:
    """A wait of ``length`` seconds, which is over at ``until``."""

    until: float = 0.0
    length: float = 0.0

    def lengthen(self, now: float) -> None:
        self.length = min(max(self.length * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        self.until = now + self.length

    def holds(self, now: float) -> bool:
        return now < self.until


class Faults:
    """What the dispatcher waits for: disk or device as a whole, the worker, models, inboxes."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._general = _Pause()
        self._deaths = _Pause()
        self._models: defaultdict[str, _Pause] = defaultdict(_Pause)
        self._inboxes: defaultdict[str, _Pause] = defaultdict(_Pause)
        self._lasting = Lasting(log)
        self.since: float | None = None

    def report(self, what: str, now: float) -> None:
        """Everything pauses: a full disk, a lost device."""
        if not self.holding(now):  # the frames under way all meet the same fault: that is one
            self._general.lengthen(now)
        self._say(what, self._general.length, now)

    def report_death(self, what: str, now: float) -> None:
        """The worker died with work in it: everything pauses, ever longer until it paints again."""
        self._deaths.lengthen(now)
        self._say(what, self._deaths.length, now)

    def report_model(self, name: str, what: str, now: float) -> None:
        """Jobs of one model pause; those of others go on."""
        self._models[name].lengthen(now)
        prefix = f"Model {name}: "
        self._say(prefix + what.removeprefix(prefix), self._models[name].length, now)

    def report_inbox(self, inbox: str, what: str, now: float) -> None:
        """Jobs of one inbox pause; those of others go on."""
        self._inboxes[inbox].lengthen(now)
        self._say(what, self._inboxes[inbox].length, now)

    @property
    def general(self) -> bool:
        """True while nothing has succeeded since everything paused."""
        return self._general.length > 0

    def holding(self, now: float) -> bool:
        """True while everything pauses; what fails again after that pauses longer."""
        return self._general.holds(now) or self._deaths.holds(now)

    def held_models(self, now: float) -> list[str]:
        """Models that are not to be tried again yet."""
        return [name for name, pause in self._models.items() if pause.holds(now)]

    def held_inboxes(self, now: float) -> list[str]:
        """Inboxes whose jobs are not to be tried again yet."""
        return [inbox for inbox, pause in self._inboxes.items() if pause.holds(now)]

    def clear_model(self, name: str, now: float) -> None:
        """A model was loaded: what was wrong with it, and in general, is over.

        The others' pauses begin again, or a model that fails would come before one that takes
        longer to load than the pause lasts, and never let its jobs be painted.
        """
        self._models.pop(name, None)
        for pause in self._models.values():
            pause.until = now + pause.length
        self._clear()

    def clear_inbox(self, inbox: str) -> None:
        """A job of the inbox could be started: it is back."""
        if self._inboxes.pop(inbox, None) is not None:
            self._clear()

    def succeeded(self) -> None:
        """Something was written: a general fault is over."""
        self._general.length = 0.0
        self._clear()

    def painted(self) -> None:
        """The worker has staged something: so it works, and the disk as well."""
        self._deaths.length = 0.0
        self.succeeded()

    def _clear(self) -> None:
        if self.since is not None and not self._models and not self._inboxes:
            self._lasting.over("fault", "what was waited for is there; work goes on")
            self._ledger.set_facts(waits_for="")
            self.since = None

    def _say(self, what: str, pause: float, now: float) -> None:
        self._lasting.say("fault", f"{what} Trying again in {pause:.0f} s.")
        if self.since is None:
            self.since = now
        with contextlib.suppress(EnvironmentFault):  # the ledger's own disk may be what is full
            self._ledger.set_facts(waits_for=what)
