"""Calls are short while somebody waits for a picture, where that costs little work."""

from __future__ import annotations

from random import Random

import pytest
from arrivals import Arrival, Cap, Device, Run, fewest_calls, simulate, single, sweep
from hypothesis import given
from hypothesis import strategies as st
from timed_calls import Seconds, knee, paint, quiet, rising, rows_painted

from img2imgd.engine.caps import BRISK, CALLS, BatchCaps
from img2imgd.engine.policy import SHORT, BatchPolicy, Candidate

PROCESSOR = Device(fixed=0.02, per_row=0.006, knee=1)  # the embedded model's at 256 pixels


def always(rows: int) -> Cap:
    return lambda _: rows


def frames(job: str, number: int, rows: int = 2) -> list[Candidate]:
    return [Candidate((job, index), "A", rows, 10, number) for index in range(number)]


def rows_of(ready: list[Candidate]) -> dict[str, int]:
    """Rows of each job in the next call; 8 are brisk, 32 are full."""
    chosen = BatchPolicy().choose(ready, always(32), always(8))
    return {job: 2 * sum(one[0] == job for one in chosen) for job in {one[0] for one in chosen}}


# Which calls


def test_a_call_of_a_picture_and_a_sweep_is_short() -> None:
    assert rows_of([*frames("long", 31), *frames("single", 1)]) == {"single": 2, "long": 6}


def test_a_call_of_several_pictures_and_a_sweep_is_half_the_sweeps() -> None:
    singles = [one for number in range(5) for one in frames(f"j{number}", 1)]
    rows = rows_of([*frames("long", 31), *singles])
    assert (rows.pop("long"), sum(rows.values())) == (10, 10)


def test_calls_are_full_where_nobody_waits_and_where_all_do() -> None:
    assert rows_of(frames("long", SHORT + 1)) == {"long": 32}
    assert rows_of([*frames("short", SHORT)]) == {"short": 32}
    assert sum(rows_of([*frames("a", 9), *frames("b", 9)]).values()) == 32


def test_a_picture_of_another_size_makes_no_call_of_the_sweep_short() -> None:
    """It has calls of its own; these are the oldest's, which is every fourth."""
    odd = Candidate(("single", 0), "B", 2, 10, 1)
    policy, calls = BatchPolicy(), list[int]()
    for _ in range(8):
        chosen = policy.choose([*frames("long", 31), odd], always(32), always(8))
        calls.append(len(chosen))
    assert calls == [1, 1, 1, 16] * 2


# What comes of it


def painted(brisk: int, passes: int = 30) -> Run:
    half = fewest_calls(sweep(31, [25]).frames, always(32)) * PROCESSOR.seconds(32) / 2
    jobs = [sweep(31, [25]), single(passes, half)]
    return simulate(BatchPolicy(), jobs, always(32), PROCESSOR, brisk=always(brisk))


def test_a_picture_is_ready_in_two_fifths_of_the_time_for_little_of_the_sweeps() -> None:
    full, brisk = painted(32), painted(8)
    assert brisk.latency["single"] < 0.4 * full.latency["single"]
    assert brisk.latency["sweep"] < 1.2 * full.latency["sweep"]


@pytest.mark.parametrize("gap", [0.1, 0.5, 2.0])
def test_a_sweep_ends_though_pictures_come_without_end(gap: float) -> None:
    """It has half of the short calls, or a quarter of the full ones."""
    long = sweep(31, [20])
    singles = [single(10, number * gap, job=f"s{number}") for number in range(400)]
    most = 4 * fewest_calls(long.frames, always(8)) + 4
    run = simulate(
        BatchPolicy(), [long, *singles], always(32), PROCESSOR,
        until=lambda run: run.calls >= most, brisk=always(8),
    )  # fmt: skip
    assert "sweep" in run.ended


def test_pictures_that_come_near_the_end_of_a_sweep_are_painted_together() -> None:
    """Though its last frames have no slack."""
    jobs = [sweep(SHORT + 1, [1] * 14 + [12] * 3), *(single(10, 0.15, job=j) for j in "ab")]
    run = simulate(BatchPolicy(), jobs, always(32), PROCESSOR, brisk=always(8))
    assert run.calls_of("a") == 10
    assert run.calls_of("b") <= 11


@given(
    sizes=st.lists(st.sampled_from((1, 1, 2, 16, 17, 31)), min_size=1, max_size=7),
    passes=st.integers(1, 12),
    rows=st.sampled_from((1, 2)),
    brisk=st.sampled_from((1, 4, 8, 16)),
    gap=st.sampled_from((0.0, 0.1, 1.0)),
)
def test_every_job_ends_in_time_whatever_comes(
    sizes: list[int], passes: int, rows: int, brisk: int, gap: float
) -> None:
    """Within the calls that it and those before it need at most, four times; calls are checked."""
    jobs = [
        Arrival(f"j{number}", number * gap, (("A", rows, passes),) * frames)
        for number, frames in enumerate(sizes)
    ]
    run = simulate(BatchPolicy(), jobs, always(32), PROCESSOR, brisk=always(brisk))
    small = always(max(brisk, 2))
    alone = [fewest_calls(job.frames, small) for job in jobs]
    for number, job in enumerate(jobs):
        assert run.calls_of(job.job) <= 4 * sum(alone[: number + 1]) + 4


# How short


def found(seconds: Seconds) -> BatchCaps:
    caps = BatchCaps(chance=Random(3).random)  # noqa: S311
    paint(caps, seconds)
    assert caps.settled("k")
    return caps


@pytest.mark.parametrize(
    ("seconds", "rows"),
    [(knee(16), 16), (knee(4), 4), (lambda call: 0.02 + 0.006 * call, 16), (rising(32), 16)],
)
def test_a_brisk_call_does_most_of_the_work_per_second(seconds: Seconds, rows: int) -> None:
    caps = found(seconds)
    assert caps.brisk("k") == rows <= caps.cap("k")
    best = seconds(caps.cap("k")) / caps.cap("k")
    assert seconds(rows) / rows <= best / BRISK
    assert rows == 4 or seconds(rows // 2) / (rows // 2) > best / BRISK


def test_what_is_known_counts_while_larger_calls_are_yet_to_be_tried() -> None:
    """A sweep may never fill them."""
    caps = BatchCaps()
    paint(caps, lambda call: 0.02 + 0.006 * call, most=62)
    assert (caps.brisk("k"), caps.cap("k"), caps.settled("k")) == (16, 64, False)


def test_no_call_is_brisk_before_anything_is_known() -> None:
    caps = BatchCaps()
    assert caps.brisk("k") == caps.cap("k")
    caps.out_of_memory("k", 16)
    assert caps.brisk("k") == caps.cap("k") == 4


def test_brisk_calls_fit_into_memory_too() -> None:
    tight = BatchCaps(fits=lambda needed: needed <= 12)
    tight.from_json(found(knee(16)).to_json())
    assert tight.brisk("k") == tight.cap("k") == 8


def steep(call: int) -> float:
    """A GPU's: small calls take nearly as long as large ones."""
    return 0.042 + 0.0006 * call


def test_pictures_without_end_do_not_keep_larger_calls_from_being_tried() -> None:
    """With a sweep beside them, from which calls that are short would learn nothing."""
    caps = BatchCaps()
    for _ in range(40 * CALLS):
        rows = caps.brisk("k")
        caps.observe("k", rows, steep(rows))
    assert caps.brisk("k") >= 64
    assert caps.cap("k") == 128


def scaled(slower: float) -> Seconds:
    """Up to 16 rows pay, and 4 are brisk."""
    return lambda call: slower * (0.007 + 0.006 * call)


def test_what_was_found_of_small_calls_outlives_looks_at_large_ones() -> None:
    """However fast the machine is by then."""
    caps = found(scaled(1))
    for slower in (3, 1, 0.2):
        while caps.settled("k"):
            rows_painted(caps, scaled(slower), quiet, 1)
        while not caps.settled("k"):
            assert caps.brisk("k") == 4
            rows_painted(caps, scaled(slower), quiet, 1)
        assert caps.cap("k") == 16
        four, eight = (caps._profile("k").per_row[rows] for rows in (4, 8))
        assert (four, eight) == pytest.approx((scaled(slower)(4) / 4, scaled(slower)(8) / 8))


def test_a_start_amid_a_look_at_large_calls_forgets_no_small_ones() -> None:
    caps = found(scaled(1))
    while caps.settled("k"):
        rows_painted(caps, scaled(1), quiet, 1)
    for _ in range(2):
        rows_painted(caps, scaled(1), quiet, CALLS // 2)
        again = BatchCaps(chance=lambda: 1.0)
        again.from_json(caps.to_json())
        assert (again.brisk("k"), again.settled("k")) == (4, False)
        rows_painted(again, scaled(1), quiet, 3 * CALLS)
        assert (again.brisk("k"), again.cap("k"), again.settled("k")) == (4, 16, True)
