"""Jobs for several models that come to a simulated worker, which has one at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from img2imgd.dispatch.model_choice import Demand, ModelChoice


class Choice(Protocol):
    def loaded(self, model: str, seconds: float, now: float) -> None: ...

    def choose(self, demands: Iterable[Demand], loaded: str | None, now: float) -> str | None: ...


@dataclass(frozen=True)
class Drop:
    """A job that comes at a time and takes so many seconds of its model."""

    time: float
    model: str
    seconds: float


@dataclass
class Served:
    """What came of it: seconds, loads, and how long each job and each model had to wait."""

    now: float = 0.0
    loads: int = 0
    loading: float = 0.0
    waits: list[float] = field(default_factory=list[float])  # from a job's coming to its start
    turns: list[float] = field(default_factory=list[float])  # from a model's need to its load


def serve(
    choice: Choice, drops: Sequence[Drop], load: Mapping[str, float], until: float = float("inf")
) -> Served:
    """Serve jobs one by one, those of a model in order, with loads as the choice wants them."""
    served, coming = Served(), deque(sorted(drops, key=lambda drop: drop.time))
    waiting = dict[str, deque[Drop]]()
    left, loaded = dict[str, float](), None
    while (coming or any(waiting.values())) and served.now < until:
        if not any(waiting.values()):
            served.now = max(served.now, coming[0].time)
        while coming and coming[0].time <= served.now:
            drop = coming.popleft()
            waiting.setdefault(drop.model, deque()).append(drop)
        demands = [Demand(m, served.now - jobs[0].time) for m, jobs in waiting.items() if jobs]
        wanted = choice.choose(demands, loaded, served.now)
        assert wanted is not None
        if wanted != loaded:
            served.turns.append(served.now - max(waiting[wanted][0].time, left.get(wanted, 0)))
            if loaded is not None:
                left[loaded] = served.now
            served.now += load[wanted]
            served.loads += 1
            served.loading += load[wanted]
            choice.loaded(wanted, load[wanted], served.now)
            loaded = wanted
        else:
            drop = waiting[wanted].popleft()
            served.waits.append(served.now - drop.time)
            served.now += drop.seconds
    return served


def share_beside_a_broken_model(
    choice: ModelChoice, load: float, failing: float, pause: float
) -> float:
    """The share of the time that A paints, which has always work, while B has one job.

    Each load of B fails; it is tried again ``pause`` seconds after A was loaded, at the soonest.
    """
    now, painting, held_until, loaded = 0.0, 0.0, 0.0, None
    for _ in range(50_000):
        demands = [Demand("A", now)] + [Demand("B", now)] * (now >= held_until)
        wanted = choice.choose(demands, loaded, now)
        if wanted == loaded:
            painting, now = painting + 1, now + 1
        elif wanted == "A":
            now += load
            choice.loaded("A", load, now)
            loaded, held_until = "A", now + pause
        else:
            now += failing
            choice.failed("B", failing, now)
            loaded, held_until = None, now + pause
    return painting / now


class FirstInFirstOut:
    """Has the model of the oldest job."""

    def loaded(self, model: str, seconds: float, now: float) -> None:
        pass

    def choose(self, demands: Iterable[Demand], *_: object) -> str | None:
        return max(demands, key=lambda one: one.age).model


class WhileThereIsWork(FirstInFirstOut):
    """Keeps the loaded model as long as it has jobs."""

    def choose(self, demands: Iterable[Demand], loaded: str | None, *_: object) -> str | None:
        asked = list(demands)
        has_work = any(one.model == loaded for one in asked)
        return loaded if has_work else super().choose(asked)
