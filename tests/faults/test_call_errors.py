"""Durable system calls that fail, once or until it is mended: nothing is lost or blamed for it."""

from __future__ import annotations

from functools import partial

import pytest
from injecting import SCENARIOS, Attempt, Point, Scenario, Trial, Trials

from conftest import Points, Tally
from img2imgd.errors import Exit

ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES")
INJECTED = "(INJECTED)"
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


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("forever", ["", "+"], ids=["once", "until it is mended"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_call_that_fails_loses_nothing_and_burns_no_attempt(
    scenario: Scenario, error: str, forever: str, trials: Trials, points: Points, tally: Tally
) -> None:
    every = trials.points()
    if len(every) > 150:  # each of the errors tries another share of the many
        every = every[ERRORS.index(error) :: len(ERRORS)]
    attempts = trials.each(points.of(every, 1), partial(failed, error=error, forever=forever))
    for attempt in attempts:
        tally.count(f"{error}{' until it is mended' if forever else ' once'}", *attempt.verdicts)
    wrong = [attempt.wrong for attempt in attempts if attempt.wrong]
    assert not wrong, f"{len(wrong)} of {len(attempts)}:\n" + "\n".join(wrong[:5])
