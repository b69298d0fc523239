"""The batch cap is found where a simulated device is fastest, whatever noise it makes."""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from img2imgd.engine.caps import CALLS, FEW, FIRST, LARGEST, LATE, SOON, BatchCaps

Seconds = Callable[[int], float]  # of a call with so many rows
Noise = Callable[[], float]  # what the next call's seconds are multiplied by
SIZES = [FIRST * 2**n for n in range(6)]


def knee(rows: int) -> Seconds:
    """Rows cost nothing up to the knee, and all the same from there on."""
    return lambda call: 0.01 * max(call, rows)


def rising(rows: int) -> Seconds:
    """Larger calls help up to there, and then take more than their rows do by themselves."""
    return lambda call: 0.05 + 0.01 * call * max(1, call / rows)


def quiet() -> float:
    return 1


def noisy(seed: int) -> Noise:
    """Makes calls longer or shorter by a fifth at most."""
    draw = Random(seed)  # noqa: S311
    return lambda: draw.uniform(0.8, 1.2)


def disturbed(seed: int) -> Noise:
    """Makes calls a little longer, and one in ten twice as long."""
    draw = Random(seed)  # noqa: S311
    return lambda: 1 + abs(draw.gauss(0, 0.02)) + (draw.random() < 0.1)


def paint(caps: BatchCaps, seconds: Seconds, noise: Noise = quiet, most: int = 999) -> None:
    """Make more calls than it takes to find the cap, full ones where ``most`` allows.

    Each row needs a byte.
    """
    for _ in range(CALLS * 20):
        rows = min(caps.cap("k"), most)
        if rows >= 24 and seconds is MEMORY_ENDS:
            caps.out_of_memory("k", rows)
        else:
            caps.observe("k", rows, seconds(rows) * noise(), rows)


MEMORY_ENDS = knee(64)  # this device has no room for 24 rows


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


# Looking again


def rows_painted(caps: BatchCaps, seconds: Seconds, noise: Noise, calls: int) -> tuple[int, float]:
    """Rows of so many calls, and the seconds that they took."""
    painted, took = 0, 0.0
    for _ in range(calls):
        rows = caps.cap("k")
        call = seconds(rows) * noise()
        if caps.wants("k", rows):
            caps.observe("k", rows, call)
        else:
            caps.used("k", rows)
        painted, took = painted + rows, took + call
    return painted, took


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


# Between starts


def test_what_was_found_is_remembered_with_its_limit() -> None:
    caps = BatchCaps()
    paint(caps, knee(16))
    caps.observe("unsettled", FIRST, 1)
    again = BatchCaps()
    again.from_json(caps.to_json())
    assert (again.cap("k"), again.settled("k")) == (16, True)
    assert (again.cap("unsettled"), again.settled("unsettled")) == (FIRST, False)
    again.out_of_memory("k", 8)
    third = BatchCaps()
    third.from_json(again.to_json())
    assert third.cap("k") == 4
    third.out_of_memory("k", 64)
    assert third.cap("k") == 4


def test_the_memory_that_a_row_needs_is_remembered() -> None:
    caps = BatchCaps()
    while not caps.settled("k"):
        caps.observe("k", caps.cap("k"), knee(32)(caps.cap("k")), 100 * caps.cap("k"))
    again = BatchCaps(fits=lambda needed: needed <= 900)
    again.from_json(caps.to_json())
    assert (caps.cap("k"), again.cap("k")) == (32, 8)


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


def test_what_the_ceiling_decided_is_found_anew_under_another() -> None:
    low = BatchCaps(ceiling=8)
    paint(low, knee(64))
    high = BatchCaps()
    high.from_json(low.to_json())
    paint(high, knee(64))
    assert high.cap("k") == 64


def test_a_lower_ceiling_holds_for_what_is_remembered() -> None:
    caps = BatchCaps()
    paint(caps, knee(64))
    low = BatchCaps(ceiling=8)
    low.from_json(caps.to_json())
    assert low.cap("k") == 8


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '"x"', "null", "[" * 100_000, b"\xff\xfe\x00"]
)
def test_a_damaged_memory_is_ignored_in_words(
    text: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caps = BatchCaps()
    caps.from_json(text)
    assert caps.cap("k") == FIRST
    assert "cannot be read" in caplog.text


GOOD: dict[str, object] = {
    "rows": 16, "limit": LARGEST, "settled": True, "again": 200, "seconds_per_row": {"16": 0.1},
    "bytes_per_row": 1000,
}  # fmt: skip
ODD = [
    None, 8, "8", [], {}, {"rows": 8},
    *(GOOD | {"rows": odd} for odd in (-2, 0, "8", 1.5, None, True, [], math.nan, 10**9, 5)),
    *(GOOD | {"limit": odd} for odd in (-2, 0, "8", None, 8, 10**30, 17)),
    *(GOOD | {"bytes_per_row": odd} for odd in (-2, "8", None)),
    *(GOOD | {"settled": odd} for odd in (1, "yes", None)),
    *(GOOD | {"again": odd} for odd in (-2, 0, "8", None, 10**30)),
    *(GOOD | {"seconds_per_row": odd} for odd in (None, [], 3)),
]  # fmt: skip


@pytest.mark.parametrize("entry", ODD, ids=repr)
def test_an_odd_entry_is_ignored_in_words_and_others_are_used(
    entry: object, caplog: pytest.LogCaptureFixture
) -> None:
    caps = BatchCaps()
    with caplog.at_level(logging.WARNING):
        caps.from_json(json.dumps({"k": entry, "good": GOOD}))
    assert (caps.cap("k"), caps.settled("k")) == (FIRST, False)
    assert caps.cap("good") == 16
    assert "'k'" in caplog.text


@pytest.mark.parametrize("odd", [{"x": 1}, {"16": "fast"}, {"16": -1}, {"0": 1}, {"16": math.inf}])
def test_odd_seconds_are_found_again(odd: dict[str, object]) -> None:
    caps = BatchCaps()
    caps.from_json(json.dumps({"k": GOOD | {"settled": False, "seconds_per_row": odd}}))
    assert caps.cap("k") == 16
    paint(caps, knee(32))
    assert caps.cap("k") == 32


def test_a_search_that_was_cut_short_goes_on_after_a_start() -> None:
    first = BatchCaps()
    while first.cap("k") < 32:
        first.observe("k", first.cap("k"), knee(16)(first.cap("k")))
    second = BatchCaps()
    second.from_json(first.to_json())
    assert (second.cap("k"), second.settled("k")) == (32, False)
    paint(second, knee(16))
    assert second.cap("k") == 16, "what was found before is compared with"


def test_the_memory_does_not_grow_without_end() -> None:
    caps = BatchCaps()
    for number in range(2000):
        caps.out_of_memory(f"k{number}", 8)
    kept = json.loads(caps.to_json())
    assert 100 <= len(kept) <= 1000
    assert "k1999" in kept
