"""The supervisor hears of steps some times a second, and of each frame's last one at once."""

from __future__ import annotations

from img2imgd.engine.protocol import StepDone
from img2imgd.pool.steps import Steps


class Clock:
    """Time that stands still until it is told to go on."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def told() -> tuple[Steps, list[StepDone], Clock]:
    said: list[StepDone] = []
    clock = Clock()
    return Steps(said.append, clock), said, clock


def step(number: int, index: int = 0, job: str = "j1") -> StepDone:
    return StepDone(job, index, number, 9)


def test_quick_steps_are_told_of_together() -> None:
    steps, said, clock = told()
    steps.done(step(1))
    assert said == [step(1)], "the first at once"
    clock.now += 0.03
    for number in (2, 3, 4):
        steps.done(step(number))
        steps.done(step(number + 1, index=1))
    assert said == [step(1)]
    clock.now += 0.11
    steps.done(step(5))
    assert said == [step(1), step(5), step(5, index=1)], "the newest of each"
    clock.now += 0.05
    steps.done(step(6))
    assert len(said) == 3
    clock.now += 0.06
    steps.done(step(6, index=1))
    assert said[3:] == [step(6), step(6, index=1)], "and none twice"


def test_slow_steps_are_all_told_of_at_once() -> None:
    """Those of all frames of a call, which take them one after the other."""
    steps, said, clock = told()
    for number in range(1, 9):
        for index in range(5):
            clock.now += 0.003
            steps.done(step(number, index))
            assert said[-1] == step(number, index)
        clock.now += 0.2
    assert len(said) == 8 * 5


def test_the_last_step_of_a_frame_is_told_of_at_once() -> None:
    steps, said, clock = told()
    steps.done(step(1))
    clock.now += 0.03
    steps.done(step(2, index=1))
    steps.done(step(9))
    assert said == [step(1), step(9)]
    clock.now += 0.1
    steps.done(step(3, index=1))
    assert said[2:] == [step(3, index=1)]


def test_a_frame_that_is_over_is_not_told_of() -> None:
    steps, said, clock = told()
    steps.done(step(1))
    clock.now += 0.03
    steps.done(step(2, index=1))
    steps.done(step(3, index=2))
    steps.done(step(4, index=1, job="j2"))
    steps.done(step(5, index=2, job="j2"))
    steps.forget("j1")
    steps.forget("j2", 1)
    clock.now += 0.2
    steps.done(step(6, index=3, job="j3"))
    assert said[1:] == [step(5, index=2, job="j2"), step(6, index=3, job="j3")]
