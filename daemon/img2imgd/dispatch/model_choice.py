"""Which model the worker should have, where jobs wait for several."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

SHORTEST_STAY = 30.0  # seconds that a model stays at least while it has work
STAY_PER_LOAD = 4  # and at least so many times what loading it took: loads are a fifth of the time


@dataclass(frozen=True)
class Demand:
    """A model that has jobs to paint, and the seconds that the oldest of them has waited."""

    model: str
    age: float


class ModelChoice:
    """Chooses the model to load or keep.

    The loaded model stays while it has work, until it has had its stay and another has waited as
    long as its own. The one that has waited longest comes next. A model waits from the moment its
    oldest job came, or it was replaced; so a model with many jobs keeps no other from its turn.
    One that cannot be loaded waits anew after each try, as if it had had its turn.
    """

    def __init__(self) -> None:
        self._model = ""
        self._since = -math.inf  # that one is loaded
        self._seconds: dict[str, float] = {}  # that the last load of a model took
        self._left: dict[str, float] = {}  # when a model was replaced

    def loaded(self, model: str, seconds: float, now: float) -> None:
        """Note that a load has ended, and the seconds it took."""
        if model != self._model:
            self._left[self._model] = now
        self._model, self._since, self._seconds[model] = model, now, seconds

    def failed(self, model: str, seconds: float, now: float) -> None:
        """Note that a load has failed, and the seconds it took; the former model is loaded anew."""
        self._left[model] = now
        self._seconds[model] = seconds + self._seconds.get(self._model, 0.0)

    def choose(self, demands: Iterable[Demand], loaded: str | None, now: float) -> str | None:
        """The model to have now: the loaded one, or another to load once its frames are painted.

        ``demands`` names each model with jobs that are queued or not painted to their end, the
        loaded one too; none that is held for a fault.
        """
        ages = {one.model: one.age for one in demands}
        busy = loaded is not None and ages.pop(loaded, None) is not None
        waits = {
            model: min(age, now - self._left.get(model, -math.inf)) for model, age in ages.items()
        }
        if busy:
            stays = now - self._since < self._stay(loaded)
            waits = {m: wait for m, wait in waits.items() if wait >= self._stay(m) and not stays}
        return max(waits, key=lambda model: waits[model], default=loaded)

    def _stay(self, model: str | None) -> float:
        return max(SHORTEST_STAY, STAY_PER_LOAD * self._seconds.get(model or "", 0.0))
