"""kill -9 at every durable system call of every thread, from the start to the archive."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pytest
from injecting import DURABLE, SCENARIOS, Attempt, Point, Scenario, Trial, Trials
from tracing import needs_strace

if TYPE_CHECKING:
    from conftest import Points
    from fault_table import Tally

pytestmark = needs_strace

KILLED = "+++ killed by SIGKILL +++"


def killing(call: str, n: int) -> tuple[str, str]:
    return f"trace={call}", f"inject={call}:signal=SIGKILL:when={n}"


def ended(trial: Trial, point: Point, *at_once: str) -> Attempt:
    """Start again, until everything is served; a kill in between changed nothing of that."""
    crashed = trial.check(ended=False)
    code = trial.run().code
    after = trial.check()
    right = code in (0, 3) and crashed.fine and after.fine
    wrong = "" if right else f"{point}, {at_once}: exit {code}, {crashed}, {after}\n{trial.log}"
    return Attempt(point, (crashed, after), wrong)


def killed(trial: Trial, point: Point) -> Attempt | None:
    trial.renew()
    ran = trial.run(point.role, *killing(point.call, point.n))
    if KILLED not in ran.trace:
        return None
    if ran.hung:  # one of its children was killed, and it did not go on
        return Attempt(point, (), f"{point}: hung\n{trial.log}")
    return ended(trial, point)


def killed_again(trial: Trial, point: Point) -> Attempt | None:
    """What comes after the kill is killed too, somewhere: the repair must be repairable."""
    trial.renew()
    if KILLED not in trial.run(point.role, *killing(point.call, point.n)).trace:
        return None
    chance = zlib.crc32(repr(point).encode())
    role = ("inbox", "inbox", "dispatch")[chance % 3]
    at = killing(",".join(DURABLE), 1 + chance // 3 % 5)
    if KILLED not in trial.run(role, *at).trace:
        return None
    return ended(trial, point, role, *at)


def judge(attempts: list[Attempt], fault: str, tally: Tally) -> None:
    for attempt in attempts:
        tally.count(f"{fault} {attempt.point.call}", *attempt.verdicts)
    wrong = [attempt.wrong for attempt in attempts if attempt.wrong]
    assert not wrong, f"{len(wrong)} of {len(attempts)}:\n" + "\n".join(wrong[:5])


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_kill_at_any_durable_call_loses_doubles_and_halves_nothing(
    scenario: Scenario, trials: Trials, points: Points, tally: Tally
) -> None:
    every = trials.points()
    assert {point.role for point in every} >= {"inbox", "dispatch"}
    some = points.of(every, 4)
    attempts = trials.each(some, killed)
    assert len(attempts) > len(some) / 2  # threads meet otherwise, and make a call less
    if points.in_full:
        attempts += trials.beyond(every, killed)
    judge(attempts, "kill -9 at", tally)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_second_kill_while_the_first_is_repaired_changes_nothing(
    scenario: Scenario, trials: Trials, points: Points, tally: Tally
) -> None:
    attempts = trials.each(points.of(trials.points(), 2), killed_again)
    assert attempts or not points.in_full
    judge(attempts, "two kills, the first at", tally)
