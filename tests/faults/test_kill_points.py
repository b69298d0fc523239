"""kill -9 at every durable system call of every thread, from the start to the archive."""

from __future__ import annotations

import pytest
from injecting import SCENARIOS, Point, Scenario, Trial, swept

from conftest import Points, Tally

KILLED = "+++ killed by SIGKILL +++"


def killing(call: str, n: int) -> tuple[str, str]:
    return f"trace={call}", f"inject={call}:signal=SIGKILL:when={n}"


def chosen(trial: Trial, points: Points, sample: int) -> list[Point]:
    """The start is the same whatever was dropped: only one scenario a mode tries it."""
    every = trial.points()
    assert {point.role for point in every} >= {"start", "inbox", "dispatch"}
    return points.of(every, sample)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_kill_at_any_durable_call_loses_doubles_and_halves_nothing(
    scenario: Scenario, trial: Trial, points: Points, tally: Tally
) -> None:
    wrong: list[str] = []

    def attempt(point: Point) -> bool:
        trial.renew()
        if KILLED not in trial.run(point.role, *killing(point.call, point.n)).trace:
            return False
        at_once = trial.check(ended=False)
        code = trial.run().code
        after = trial.check()
        tally.count(f"kill -9 at {point.call}", at_once, after)
        if code not in (0, 3) or not (at_once.fine and after.fine):
            wrong.append(f"{point}: exit {code}, at once {at_once}, after {after}")
        return True

    if points.in_full:
        every = chosen(trial, points, 0)
        assert swept(every, attempt) > 0.9 * len(every)
    else:
        assert sum(map(attempt, chosen(trial, points, 8))) >= 7
    assert not wrong, "\n".join(wrong)
