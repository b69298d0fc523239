"""Which model is loaded: few loads, and every model's turn comes."""

from __future__ import annotations

from random import Random

import pytest
from loading import (
    Choice,
    Drop,
    FirstInFirstOut,
    WhileThereIsWork,
    serve,
    share_beside_a_broken_model,
)

from img2imgd.dispatch.model_choice import SHORTEST_STAY, STAY_PER_LOAD, Demand, ModelChoice

LONGEST = 10.0  # seconds of a job


def drops(draw: Random, models: int, load: float, seconds: float = 2000) -> list[Drop]:
    """Jobs of 3 seconds on average, that keep the worker busy for that share of the time."""
    made, time = list[Drop](), 0.0
    while time < seconds:
        work = draw.choice((1.0, 1.0, 1.0, 2.0, LONGEST))
        made.append(Drop(time, "ABCDE"[draw.randrange(models)], work))
        time += draw.expovariate(1) * 3 / load
    return made


def stay(load: float) -> float:
    return max(SHORTEST_STAY, STAY_PER_LOAD * load)


# With many jobs


def check_turns_come(choice: type[Choice], seeds: range) -> None:
    """A model is loaded once the others have had a turn each, and it has waited as long itself."""
    for seed in seeds:
        draw = Random(seed)  # noqa: S311
        models = draw.randint(2, 5)
        load = {model: draw.choice((0.5, 5.0, 20.0, 60.0)) for model in "ABCDE"[:models]}
        jobs = drops(draw, models, draw.choice((0.3, 0.7, 0.9, 1.3)))
        served = serve(choice(), jobs, load)
        longest_turn = max(load.values()) + stay(max(load.values())) + LONGEST
        assert max(served.turns) <= models * longest_turn, seed
        assert len(served.waits) == len(jobs)


def test_every_model_has_its_turn() -> None:
    check_turns_come(ModelChoice, range(200))


def test_a_choice_that_stays_while_there_is_work_does_not_hold_that() -> None:
    with pytest.raises(AssertionError):
        check_turns_come(WhileThereIsWork, range(200))


@pytest.mark.parametrize("load", [5.0, 20.0, 60.0])
@pytest.mark.parametrize("models", [2, 3, 5])
def test_loads_take_a_fifth_of_the_time_at_most(models: int, load: float) -> None:
    """Where there is more to do than can be done; first-in-first-out loads for nearly each job."""
    jobs, loads = drops(Random(1), models, 1.2), dict.fromkeys("ABCDE", load)  # noqa: S311
    served = serve(ModelChoice(), jobs, loads, until=2000)
    assert served.loads <= served.now / (stay(load) + load) + models
    assert served.loading <= 0.2 * served.now + models * load
    assert served.loads <= 0.25 * serve(FirstInFirstOut(), jobs, loads).loads


@pytest.mark.parametrize("load", [5.0, 20.0])
def test_two_models_that_alternate_drop_by_drop_are_not_loaded_for_each(load: float) -> None:
    jobs = [Drop(2.0 * number, "AB"[number % 2], 1.5) for number in range(500)]
    ours, fifo = (
        serve(choice, jobs, {"A": load, "B": load}) for choice in (ModelChoice(), FirstInFirstOut())
    )
    assert ours.loads <= 0.12 * fifo.loads
    assert max(ours.waits) <= 0.2 * max(fifo.waits)


def test_one_drop_does_not_wait_for_the_many_of_another_model() -> None:
    many = [Drop(0, "A", 1.0) for _ in range(1000)]
    served = serve(ModelChoice(), [*many, Drop(10, "B", 1.0)], {"A": 5.0, "B": 5.0})
    assert served.turns[1] <= SHORTEST_STAY + 1
    assert served.loads == 3


@pytest.mark.parametrize("failing", [0.5, 10.0, 120.0, 1000.0])
@pytest.mark.parametrize("load", [0.5, 10.0, 60.0])
@pytest.mark.parametrize("pause", [2.0, 60.0])
def test_a_model_that_cannot_be_loaded_leaves_most_of_the_time_to_the_one_that_can(
    load: float, failing: float, pause: float
) -> None:
    assert share_beside_a_broken_model(ModelChoice(), load, failing, pause) >= 0.75


# Single decisions


def having(model: str, seconds: float = 5, now: float = 0) -> ModelChoice:
    choice = ModelChoice()
    choice.loaded(model, seconds, now)
    return choice


def test_without_demand_the_loaded_model_is_kept() -> None:
    assert having("A").choose([], "A", 1000) == "A"
    assert ModelChoice().choose([], None, 1000) is None


def test_a_worker_without_a_model_gets_the_one_that_waits_longest() -> None:
    assert ModelChoice().choose([Demand("A", 1), Demand("B", 2)], None, 0) == "B"


def test_a_model_without_work_makes_way_at_once() -> None:
    assert having("A").choose([Demand("B", 0)], "A", 1) == "B"


@pytest.mark.parametrize(("load", "stays"), [(0.1, 30), (5, 30), (10, 40), (60, 240)])
def test_a_model_with_work_stays_a_while(load: float, stays: float) -> None:
    choice = having("A", load)
    demands = [Demand("A", 0), Demand("B", 1000)]
    assert choice.choose(demands, "A", stays - 1) == "A"
    assert choice.choose(demands, "A", stays) == "B"


def test_a_model_with_work_stays_till_another_has_waited_as_long_as_it_stays_itself() -> None:
    choice = having("B", 20)
    choice.loaded("A", 5, 100)
    assert choice.choose([Demand("A", 0), Demand("B", 79)], "A", 1000) == "A"
    assert choice.choose([Demand("A", 0), Demand("B", 80)], "A", 1000) == "B"


def test_a_model_that_was_replaced_waits_from_then_on_however_old_its_jobs_are() -> None:
    choice = having("A")
    choice.loaded("B", 5, 100)
    demands = [Demand("A", 1000), Demand("B", 1000), Demand("C", 40)]
    assert choice.choose(demands, "B", 131) == "C"


def test_a_model_that_is_loaded_again_after_its_worker_died_has_replaced_none() -> None:
    choice = having("A")
    choice.loaded("A", 5, 100)
    assert choice.choose([Demand("A", 1000), Demand("B", 50)], None, 101) == "A"
