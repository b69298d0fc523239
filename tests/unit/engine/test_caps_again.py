"""What noise, or memory that others had, has misled is looked at again, at little cost."""

from __future__ import annotations

from random import Random

import pytest
from timed_calls import (
    SIZES,
    Seconds,
    disturbed,
    knee,
    paint,
    quiet,
    rising,
    rows_painted,
)

from img2imgd.engine.caps import CALLS, FEW, FIRST, LATE, SOON, BatchCaps


@pytest.mark.parametrize("misled", [4, 8, 64, 128])
def test_a_size_that_was_found_while_the_machine_was_busy_is_mended(misled: int) -> None:
    for seed in range(20):
        caps = BatchCaps(chance=Random(seed).random)  # noqa: S311
        paint(caps, knee(misled))
        rows_painted(caps, rising(16), disturbed(seed), 20 * SOON)
        while not caps.settled("k"):
            rows_painted(caps, rising(16), disturbed(seed), 1)
        assert caps.cap("k") == 16


@pytest.mark.parametrize("seconds", [*map(knee, (4, 16, 64)), *map(rising, (4, 16))])
def test_looking_again_costs_little(seconds: Seconds) -> None:
    caps = BatchCaps(chance=Random(3).random)  # noqa: S311
    paint(caps, seconds)
    painted, took = rows_painted(caps, seconds, quiet, 20 * LATE)
    best = min(seconds(rows) / rows for rows in SIZES)
    assert painted * best > 0.98 * took


def test_what_holds_is_looked_at_ever_less_often_also_after_starts() -> None:
    def chance() -> float:
        return 1 / (3 * SOON)  # enough for SOON and twice SOON, and not for more

    caps, looks = BatchCaps(chance=chance), 0
    paint(caps, knee(16))
    for _ in range(20 * SOON):
        if caps.settled("k"):
            text, caps = caps.to_json(), BatchCaps(chance=chance)
            caps.from_json(text)
        before = caps.settled("k")
        rows_painted(caps, knee(16), quiet, 1)
        looks += before and not caps.settled("k")
    assert looks == 2


def test_calls_that_could_be_fuller_are_no_reason_to_look_again() -> None:
    caps = BatchCaps(chance=lambda: 0.0)
    paint(caps, knee(16))
    caps.used("k", 8)
    assert caps.settled("k")
    caps.used("k", 16)
    assert (caps.cap("k"), caps.settled("k")) == (8, False)


@pytest.mark.parametrize("few", [1, 2, 4])
def test_memory_that_others_have_given_back_is_used_again(few: int) -> None:
    caps = BatchCaps(chance=Random(5).random)  # noqa: S311
    caps.out_of_memory("k", 2 * few)
    assert caps.cap("k") == few
    rows_painted(caps, knee(16), quiet, 20 * SOON)
    assert caps.cap("k") == 16


def test_frames_of_two_rows_that_go_alone_teach_too() -> None:
    """As when there was memory for one row only: else no larger size would be tried again."""
    caps = BatchCaps(chance=Random(5).random)  # noqa: S311
    caps.out_of_memory("k", 2)
    assert caps.cap("k") == 1
    for _ in range(20 * SOON):
        rows = max(2, caps.cap("k"))
        if caps.wants("k", rows):
            caps.observe("k", rows, knee(16)(rows))
        else:
            caps.used("k", rows)
    assert caps.cap("k") == 16


def test_memory_that_stays_short_is_met_again_seldom() -> None:
    caps, met, calls = BatchCaps(chance=Random(6).random), 0, 20 * LATE  # noqa: S311
    for _ in range(calls):
        rows = caps.cap("k")
        if rows > 8:
            caps.out_of_memory("k", rows)
            met += 1
        elif caps.wants("k", rows):
            caps.observe("k", rows, knee(16)(rows))
        else:
            caps.used("k", rows)
    assert caps.cap("k") == 8
    assert 2 < met < 40


def test_memory_that_others_took_during_a_call_is_not_counted_for_long() -> None:
    caps = BatchCaps(fits=lambda needed: needed <= 6400)
    caps.observe("k", FIRST, 0.08, 50_000)
    assert caps.cap("k") == 1
    for _ in range(CALLS):
        caps.observe("k", FIRST, 0.08, 400)
    assert caps.cap("k") == 2 * FIRST


def test_a_wrong_reading_of_memory_is_mended_in_time_also_after_a_start() -> None:
    chance = Random(7).random  # noqa: S311
    before = BatchCaps(fits=lambda needed: needed <= 2000, chance=chance)
    before.observe("k", FIRST, 0.08, 1000 * FIRST)
    assert before.cap("k") < FIRST
    caps = BatchCaps(fits=lambda needed: needed <= 2000, chance=chance)
    caps.from_json(before.to_json())
    for _ in range(20 * SOON):
        rows = caps.cap("k")
        if caps.wants("k", rows):
            caps.observe("k", rows, knee(16)(rows), 10 * rows)
        if caps.settled("k"):
            break
    assert caps.cap("k") == 16


def test_a_size_that_memory_did_not_hold_leaves_no_times_behind() -> None:
    caps = BatchCaps(chance=lambda: 0.0)
    while caps.cap("k") < 16:
        caps.observe("k", caps.cap("k"), knee(64)(caps.cap("k")))
    for _ in range(FEW - 1):
        caps.observe("k", 16, knee(64)(16))
    caps.out_of_memory("k", 16)
    assert caps.cap("k") == 8
    caps.used("k", 8)
    while not caps.settled("k"):
        caps.observe("k", caps.cap("k"), knee(64)(caps.cap("k")))
    assert caps.cap("k") == 16
