"""Faults of the environment: work pauses, says what it waits for, and resumes by itself."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from img2imgd.ledger import Ledger

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
    """What the dispatcher waits for: the disk or device as a whole, the worker, single models."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._general = _Pause()
        self._deaths = _Pause()
        self._models: dict[str, _Pause] = {}
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
        pause = self._models.setdefault(name, _Pause())
        pause.lengthen(now)
        prefix = f"Model {name}: "
        self._say(prefix + what.removeprefix(prefix), pause.length, now)

    def clear_model(self, name: str, now: float) -> None:
        """A model was loaded: what was wrong with it, and in general, is over.

        The others' pauses begin again, or a model that fails would come before one that takes
        longer to load than the pause lasts, and never let its jobs be painted.
        """
        self._models.pop(name, None)
        for pause in self._models.values():
            pause.until = now + pause.length
        self._clear()

    def holding(self, now: float) -> bool:
        """True while everything pauses; what fails again after that pauses longer."""
        return self._general.holds(now) or self._deaths.holds(now)

    def holding_model(self, name: str, now: float) -> bool:
        """True while one model is not to be tried again."""
        return name in self._models and self._models[name].holds(now)

    def succeeded(self) -> None:
        """Something was written: a general fault is over."""
        self._general.length = 0.0
        self._clear()

    def painted(self) -> None:
        """The worker has staged something: so it works, and the disk as well."""
        self._deaths.length = 0.0
        self.succeeded()

    def _clear(self) -> None:
        if self.since is not None and not self._models:
            self.since = None
            self._ledger.set_facts(waits_for="")

    def _say(self, what: str, pause: float, now: float) -> None:
        log.warning("%s Trying again in %.0f s.", what, pause)
        if self.since is None:
            self.since = now
        self._ledger.set_facts(waits_for=what)
