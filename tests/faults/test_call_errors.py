"""Durable system calls that fail, once or until it is mended: nothing is lost or blamed for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from injecting import SCENARIOS, Attempt, Point, Scenario, Trial, Trials
from tracing import needs_strace

from img2imgd.errors import Exit

if TYPE_CHECKING:
    from conftest import Points
    from fault_table import Tally

pytestmark = needs_strace

ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES")
INJECTED = "(INJECTED)"
FAULTS = tuple((error, forever) for error in ERRORS for forever in ("", "+"))
MANY = 150  # points
PATIENCE = {"": 10.0, "+": 0.5}  # seconds until ``once`` gives up; a single fault is soon over


def failed(trial: Trial, point: Point, error: str, forever: str) -> Attempt | None:
    """One thread's call fails; then the program is started again without faults."""
    trial.renew()
    fault = f"inject={point.call}:error={error}:when={point.n}{forever}"
    ran = trial.run(point.role, f"trace={point.call}", fault, timeout=PATIENCE[forever])
    if INJECTED not in ran.trace:
        return None
    midway = trial.check(ended=False)
    burnt = sum(row.attempts for row in trial.rows())
    code = trial.run().code
    after = trial.check()
    right = (
        ran.code in (Exit.OK, Exit.SOME_FAILED, Exit.ENVIRONMENT)
        and code in (Exit.OK, Exit.SOME_FAILED)
        and not burnt
        and "Traceback" not in trial.log
        and midway.fine
        and after.fine
    )
    what = (
        f"{point} {error}{forever}: exits {ran.code}, {code}, attempts {burnt}, {midway}, {after}"
    )
    return Attempt(point, (midway, after), "" if right else f"{what}\n{trial.log}")


def judge(attempts: list[Attempt], error: str, forever: str, tally: Tally) -> None:
    for attempt in attempts:
        tally.count(f"{error}{' until it is mended' if forever else ' once'}", *attempt.verdicts)
    wrong = [attempt.wrong for attempt in attempts if attempt.wrong]
    assert not wrong, f"{len(wrong)} of {len(attempts)}:\n" + "\n".join(wrong[:5])


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_call_that_fails_loses_nothing_and_burns_no_attempt(
    scenario: Scenario, trials: Trials, points: Points, tally: Tally
) -> None:
    every = trials.points()
    for nth, (error, forever) in enumerate(FAULTS):
        if points.in_full:  # each of the errors another share, where there are many
            some = every if len(every) <= MANY else every[nth // 2 :: len(ERRORS)]
        elif (nth - SCENARIOS.index(scenario)) % len(FAULTS) < 2:  # each fault in several scenarios
            some = [every[round(nth * (len(every) - 1) / (len(FAULTS) - 1))]]
        else:
            continue
        attempts = trials.each(some, partial(failed, error=error, forever=forever))
        judge(attempts, error, forever, tally)


@pytest.mark.parametrize("scenario", SCENARIOS[1:2], ids=lambda scenario: scenario.name)
@pytest.mark.parametrize(
    ("point", "forever"),
    [
        (Point("inbox", "renameat2", 1), "+"),  # once never gave up
        (Point("staging", "fsync", 1), "+"),  # nor here
        (Point("dispatch", "pwrite64", 20), "+"),  # the log was full of tracebacks
        (Point("assembling", "rename", 1), ""),  # and here
        (Point("dispatch", "unlinkat", 1), ""),  # the spool's folder was left over
        (Point("dispatch", "rmdir", 2), ""),  # that of staging was
    ],
)
def test_a_call_whose_failure_was_not_borne_before(
    scenario: Scenario, point: Point, forever: str, trials: Trials, tally: Tally
) -> None:
    attempts = trials.each([point], partial(failed, error="ENOSPC", forever=forever))
    assert attempts
    judge(attempts, "ENOSPC", forever, tally)
