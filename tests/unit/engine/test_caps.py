"""The batch cap is found where a simulated device is fastest, whatever noise it makes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import pytest
from timed_calls import (
    MEMORY_ENDS,
    SIZES,
    Noise,
    Seconds,
    disturbed,
    knee,
    noisy,
    paint,
    quiet,
    rising,
)

from img2imgd.engine.caps import CALLS, FEW, FIRST, BatchCaps


def found(seconds: Seconds, noise: Noise = quiet) -> int:
    caps = BatchCaps()
    paint(caps, seconds, noise)
    assert caps.settled("k")
    return caps.cap("k")


@pytest.mark.parametrize("rows", [2, 8, 16, 64])
def test_a_quiet_device_has_the_cap_at_its_knee(rows: int) -> None:
    assert found(knee(rows)) == max(rows, FIRST)


@pytest.mark.parametrize("rows", [4, 8, 16])
def test_a_device_that_large_calls_slow_down_has_a_small_cap(rows: int) -> None:
    assert found(rising(rows)) == rows


@pytest.mark.parametrize("rows", [2, 8, 16, 64])
def test_a_machine_that_does_other_things_now_and_then_is_measured_all_the_same(rows: int) -> None:
    for seed in range(100):
        assert found(knee(rows), disturbed(seed)) == max(rows, FIRST)


@pytest.mark.parametrize("rows", [2, 8, 16, 64])
def test_noise_moves_the_cap_by_one_doubling_at_most(rows: int) -> None:
    """With calls that are a fifth longer or shorter, few devices of a hundred are unlucky."""
    caps = [found(knee(rows), noisy(seed)) for seed in range(100)]
    assert sum(max(rows, FIRST) <= cap <= 2 * max(rows, FIRST) for cap in caps) >= 95


@pytest.mark.parametrize("seconds", [*map(knee, (2, 8, 16, 64)), *map(rising, (4, 8, 16))])
@pytest.mark.parametrize("noise", [disturbed, noisy])
def test_calls_of_the_found_size_are_nearly_as_fast_as_the_fastest(
    seconds: Seconds, noise: Callable[[int], Noise]
) -> None:
    best = min(seconds(rows) / rows for rows in SIZES)
    caps = [found(seconds, noise(seed)) for seed in range(100)]
    assert sum(best >= 0.95 * seconds(cap) / cap for cap in caps) >= 95


@pytest.mark.parametrize("rows", [4, 64])
def test_a_few_calls_of_each_size_are_enough(rows: int) -> None:
    caps, calls = BatchCaps(), 0
    while not caps.settled("k"):
        caps.observe("k", caps.cap("k"), knee(rows)(caps.cap("k")))
        calls += 1
    sizes = 2 + SIZES.index(rows)  # with one more, which is no faster
    assert calls <= 12 * sizes


# What counts


def test_the_first_call_of_each_size_does_not_count() -> None:
    """Nor do a few that follow."""
    caps, calls = BatchCaps(), Counter[int]()
    while not caps.settled("k"):
        rows = caps.cap("k")
        calls[rows] += 1
        caps.observe("k", rows, 60.0 if calls[rows] <= FEW // 2 else knee(16)(rows))
    assert caps.cap("k") == 16


def test_few_frames_teach_nothing_and_more_can_come() -> None:
    caps = BatchCaps()
    paint(caps, knee(16), most=6)
    assert caps.cap("k") == 8
    assert not caps.wants("k", 6)
    assert caps.wants("k", 8)
    paint(caps, knee(16))
    assert caps.cap("k") == 16
    assert not caps.wants("k", 16)


def test_keys_are_learned_apart() -> None:
    caps = BatchCaps()
    paint(caps, knee(16))
    assert caps.cap("other") == FIRST
    assert not caps.settled("other")


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_seconds_that_cannot_be_teach_nothing(seconds: float) -> None:
    caps = BatchCaps()
    for _ in range(CALLS):
        caps.observe("k", FIRST, seconds)
    paint(caps, knee(16))
    assert caps.cap("k") == 16


# Limits


def test_memory_that_runs_out_halves_the_cap() -> None:
    assert found(MEMORY_ENDS) == 16
    assert found(MEMORY_ENDS, disturbed(2)) == 16


@pytest.mark.parametrize(
    ("rows", "cap"), [(64, 32), (24, 12), (14, 6), (6, 2), (4, 2), (3, 1), (2, 1), (1, 1)]
)
def test_half_of_what_was_too_much_is_even_or_one(rows: int, cap: int) -> None:
    caps = BatchCaps()
    paint(caps, knee(64))
    caps.out_of_memory("k", rows)
    assert caps.cap("k") == cap
    caps.out_of_memory("k", 64)
    assert caps.cap("k") == cap


def test_memory_that_runs_out_at_once_leaves_no_size_to_try() -> None:
    caps = BatchCaps()
    caps.out_of_memory("k", FIRST)
    paint(caps, knee(64))
    assert caps.cap("k") == FIRST // 2


def test_the_ceiling_of_the_config_holds() -> None:
    caps = BatchCaps(ceiling=10)
    paint(caps, knee(64))
    assert (caps.cap("k"), caps.settled("k")) == (10, True)
    assert BatchCaps(ceiling=2).cap("k") == 2


def test_a_size_that_does_not_fit_now_is_tried_when_it_does() -> None:
    free = 8
    caps = BatchCaps(fits=lambda needed: needed <= free)
    paint(caps, knee(64))
    assert (caps.cap("k"), caps.settled("k")) == (8, False)
    free = 200
    paint(caps, knee(64))
    assert (caps.cap("k"), caps.settled("k")) == (64, True)
    free = 1
    assert caps.cap("k") == 1
