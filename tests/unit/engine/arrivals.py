"""Jobs that arrive at a simulated device, which is asked for one UNet call after the other."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from img2imgd.engine.policy import SHORT, Candidate, FrameId

Cap = Callable[[Hashable], int]


class Policy(Protocol):
    def choose(self, ready: Sequence[Candidate], cap: Cap, brisk: Cap) -> list[FrameId]: ...


@dataclass(frozen=True)
class Arrival:
    """A job that comes at a time; its frames as (key, rows, passes)."""

    job: str
    time: float
    frames: tuple[tuple[Hashable, int, int], ...]

    def candidates(self) -> list[Candidate]:
        return [
            Candidate((self.job, index), key, rows, passes, len(self.frames))
            for index, (key, rows, passes) in enumerate(self.frames)
        ]


@dataclass(frozen=True)
class Device:
    """Seconds of a call: a part that does not depend on its rows, and one that does from a knee."""

    fixed: float = 0.4
    per_row: float = 0.1
    knee: int = 4

    def seconds(self, rows: int) -> float:
        return self.fixed + self.per_row * max(rows, self.knee)


@dataclass
class Run:
    """What happened: seconds, calls, and by job the count of calls at its arrival and end."""

    seconds: float = 0.0
    calls: int = 0
    rows: int = 0
    under_way: int = 0  # frames at most that are begun and not done
    came: dict[str, int] = field(default_factory=dict[str, int])
    ended: dict[str, int] = field(default_factory=dict[str, int])
    latency: dict[str, float] = field(default_factory=dict[str, float])

    def calls_of(self, job: str) -> int:
        return self.ended[job] - self.came[job]


def simulate(
    policy: Policy,
    arrivals: Sequence[Arrival],
    cap: Cap,
    device: Device = Device(),
    until: Callable[[Run], bool] | None = None,
    brisk: Cap | None = None,
) -> Run:
    """Paint everything, call by call; whatever the policy chooses is checked.

    Without ``brisk``, no call is short for others' sake.
    """
    run = Run()
    waiting = sorted(arrivals, key=lambda one: one.time)[::-1]
    times = {one.job: one.time for one in arrivals}
    left = {one.job: len(one.frames) for one in arrivals}
    ready: dict[FrameId, Candidate] = {}
    begun = set[FrameId]()
    while (waiting or ready) and not (until and until(run)):
        if not ready:
            run.seconds = max(run.seconds, waiting[-1].time)
        while waiting and waiting[-1].time <= run.seconds:
            came = waiting.pop()
            run.came[came.job] = run.calls
            ready |= {one.frame: one for one in came.candidates()}
        chosen = policy.choose(list(ready.values()), cap, brisk or cap)
        rows = check_call(chosen, ready, cap, brisk)
        run.calls += 1
        run.rows += rows
        run.seconds += device.seconds(rows)
        begun.update(chosen)
        run.under_way = max(run.under_way, len(begun))
        for frame in chosen:
            one = ready[frame]
            if one.passes > 1:
                ready[frame] = replace(one, passes=one.passes - 1)
                continue
            del ready[frame]
            begun.remove(frame)
            left[one.job] -= 1
            if not left[one.job]:
                run.ended[one.job] = run.calls
                run.latency[one.job] = run.seconds - times[one.job]
    return run


def check_call(
    chosen: Sequence[FrameId],
    ready: dict[FrameId, Candidate],
    cap: Cap,
    brisk: Cap | None = None,
) -> int:
    """The rows of a call, which has one key, keeps to its cap and has no room for one more.

    A call with frames of short jobs may have as few as ``brisk``, or twice theirs, and has no more.
    """
    frames = [ready[frame] for frame in chosen]
    [key] = {one.key for one in frames}
    rows = sum(one.rows for one in frames)
    assert len(set(chosen)) == len(chosen)
    mates = [one for one in ready.values() if one.key == key]
    short = sum(one.rows for one in mates if one.job_frames <= SHORT)
    most = cap(key) if brisk is None or not short else min(cap(key), max(brisk(key), 2 * short))
    assert rows <= most or len(chosen) == 1
    assert all(rows + one.rows > most for one in mates if one.frame not in chosen)
    return rows


def fewest_calls(frames: Sequence[tuple[Hashable, int, int]], cap: Cap) -> int:
    """What no policy can better: by key, all rows in full calls, or the longest frame alone."""
    keys = defaultdict[Hashable, list[tuple[int, int]]](list)
    for key, rows, passes in frames:
        keys[key].append((rows, passes))
    return sum(
        max(math.ceil(sum(r * p for r, p in one) / _usable(cap(key), one)), max(p for _, p in one))
        for key, one in keys.items()
    )


def _usable(most: int, frames: Sequence[tuple[int, int]]) -> int:
    """The rows of a call that can be filled: a row is left over where all frames take two."""
    step = min(rows for rows, _ in frames)
    return max(most // step * step, step)


def sweep(
    frames: int, passes: Sequence[int] = (12,), time: float = 0, key: Hashable = "A"
) -> Arrival:
    """A job of guided frames, which need so many UNet calls in turn."""
    needed = itertools.islice(itertools.cycle(passes), frames)
    return Arrival("sweep", time, tuple((key, 2, each) for each in needed))


def single(passes: int, time: float, key: Hashable = "A", job: str = "single") -> Arrival:
    """A picture with one guided frame."""
    return Arrival(job, time, ((key, 2, passes),))


class FirstInFirstOut:
    """Fills calls in order of admission."""

    def choose(
        self,
        ready: Sequence[Candidate],
        cap: Cap,
        brisk: Cap,  # noqa: ARG002 - all calls are alike here
    ) -> list[FrameId]:
        call: list[Candidate] = []
        for one in ready:
            rows = sum(other.rows for other in call)
            if one.key == ready[0].key and (not call or rows + one.rows <= cap(one.key)):
                call.append(one)
        return [one.frame for one in call]


class ShortestFirst(FirstInFirstOut):
    """Gives short jobs strict priority."""

    def choose(self, ready: Sequence[Candidate], cap: Cap, brisk: Cap) -> list[FrameId]:
        return super().choose(sorted(ready, key=lambda one: one.job_frames), cap, brisk)
