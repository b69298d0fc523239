"""Which frames share a UNet call: nothing starves, calls are full, small jobs are soon ready."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random

import pytest
from arrivals import (
    Arrival,
    Cap,
    Device,
    FirstInFirstOut,
    Policy,
    ShortestFirst,
    check_call,
    fewest_calls,
    simulate,
    single,
    sweep,
)
from hypothesis import given
from hypothesis import strategies as st

from img2imgd.engine.policy import BatchPolicy, Candidate

PASSES = 12  # of each frame of a sweep over seeds, and of a single picture
STRENGTHS = [max(1, 16 * (n + 1) // 31) for n in range(31)]  # passes, at 16 steps
CAPS = (1, 2, 3, 4, 6, 8, 9, 16, 32)  # rows
FRAME = st.tuples(st.sampled_from("AAAB"), st.integers(1, 2), st.integers(1, 12))
JOBS = st.lists(st.lists(FRAME, min_size=1, max_size=12), min_size=1, max_size=6)


def always(rows: int) -> Cap:
    return lambda _: rows


def lone(jobs: Sequence[Sequence[tuple[str, int, int]]]) -> list[Arrival]:
    return [Arrival(f"j{number}", 0, tuple(frames)) for number, frames in enumerate(jobs)]


# Full calls


@given(jobs=JOBS, rows=st.sampled_from(CAPS), each=st.sampled_from((1, 2)))
def test_what_is_there_is_painted_in_the_fewest_calls_there_can_be(
    jobs: list[list[tuple[str, int, int]]], rows: int, each: int
) -> None:
    arrivals = lone([[(key, each, passes) for key, _, passes in frames] for frames in jobs])
    run = simulate(BatchPolicy(), arrivals, always(rows))
    assert run.calls == fewest_calls(
        [one for came in arrivals for one in came.frames], always(rows)
    )


@given(jobs=JOBS, rows=st.sampled_from((8, 9, 16, 32)))
def test_guided_and_unguided_frames_fill_calls_together(
    jobs: list[list[tuple[str, int, int]]], rows: int
) -> None:
    run = simulate(BatchPolicy(), lone(jobs), always(rows))
    fewest = fewest_calls([one for frames in jobs for one in frames], always(rows))
    assert run.calls <= fewest + 2 * 2  # two for each key


@pytest.mark.parametrize("rows", [2, 4, 8, 16, 32, 64])
@pytest.mark.parametrize("frames", [31, 400])
def test_a_lone_sweep_needs_no_call_more_than_it_must(frames: int, rows: int) -> None:
    alone = sweep(frames, STRENGTHS)
    run = simulate(BatchPolicy(), [alone], always(rows))
    assert run.calls == fewest_calls(alone.frames, always(rows))


@pytest.mark.parametrize("rows", [4, 8, 16, 32])
@pytest.mark.parametrize("passes", [[PASSES], STRENGTHS, STRENGTHS[::-1]])
def test_frames_become_ready_one_after_the_other(passes: list[int], rows: int) -> None:
    """Two calls' worth at most are begun at a time: the autoencoder is not idle till the end."""
    run = simulate(BatchPolicy(), [sweep(120, passes)], always(rows))
    assert run.under_way <= 2 * (rows // 2)


@pytest.mark.parametrize("rows", [2, 8, 32])
@pytest.mark.parametrize("keys", ["A", "AB", "ABCDE"])
def test_a_device_with_enough_to_do_makes_full_calls(keys: str, rows: int) -> None:
    """At least 95 % of what calls that are always full would paint, whatever comes and when."""
    device, draw = Device(), Random(5)  # noqa: S311
    full, horizon = rows / device.seconds(rows), 600 * device.seconds(rows)
    jobs, time = [Arrival(f"first {key}", 0, ((key, 2, 10),) * 31) for key in keys], 0.0
    while time < horizon:
        frames, passes = draw.choice((1, 1, 1, 1, 4, 31)), draw.randint(5, 20)
        name, key = f"j{len(jobs)}", draw.choice(keys)
        jobs.append(Arrival(name, time, ((key, 2, passes),) * frames))
        time += draw.expovariate(1) * 2 * frames * passes / (1.2 * full)
    run = simulate(BatchPolicy(), jobs, always(rows), device, lambda run: run.seconds >= horizon)
    assert run.rows / run.seconds >= 0.95 * full


# Small jobs are soon ready


@pytest.mark.parametrize("rows", [4, 8, 16, 32])
@pytest.mark.parametrize("frames", [31, 400])
def test_a_single_picture_is_in_every_call_from_the_next_one_on(frames: int, rows: int) -> None:
    run = simulate(BatchPolicy(), single_into_sweep(frames, rows), always(rows))
    assert run.calls_of("single") == PASSES
    assert run.calls <= 1.05 * fewest_calls([("A", 2, PASSES)] * (frames + 1), always(rows))


@pytest.mark.parametrize("frames", [31, 400])
def test_where_a_call_holds_one_frame_a_single_picture_has_three_calls_of_four(frames: int) -> None:
    run = simulate(BatchPolicy(), single_into_sweep(frames, 2), always(2))
    assert run.calls_of("single") <= math.ceil(PASSES * 4 / 3)


def check_single_is_soon_ready(policy: Policy, frames: int, rows: int, passes: int) -> None:
    jobs = single_into_sweep(frames, rows, passes)
    ours, fifo = (simulate(one, jobs, always(rows)) for one in (policy, FirstInFirstOut()))
    assert ours.latency["single"] <= 0.25 * fifo.latency["single"]


@pytest.mark.parametrize(
    ("frames", "rows", "passes"),
    [(31, 2, 12), (31, 4, 12), (31, 8, 6), (31, 16, 2), (400, 4, 12), (400, 8, 12), (400, 32, 12)],
)
def test_a_single_picture_takes_a_quarter_of_the_time_of_first_in_first_out(
    frames: int, rows: int, passes: int
) -> None:
    """Wherever the calls that the sweep still needs are several times those of the picture."""
    check_single_is_soon_ready(BatchPolicy(), frames, rows, passes)


@pytest.mark.parametrize("rows", [4, 8, 32])
def test_a_picture_of_another_size_neither_blocks_nor_is_blocked(rows: int) -> None:
    long, odd = sweep(400, STRENGTHS), single(PASSES, 30, "B")
    run = simulate(BatchPolicy(), [long, odd], always(rows))
    assert run.calls_of("single") <= math.ceil(PASSES * 4 / 3)
    assert run.calls == run.ended["sweep"] == fewest_calls(long.frames, always(rows)) + PASSES


def single_into_sweep(frames: int, rows: int, passes: int = PASSES) -> list[Arrival]:
    """A single picture that comes when half of a sweep is done."""
    half = fewest_calls(sweep(frames).frames, always(rows)) / 2
    return [sweep(frames), single(passes, half * Device().seconds(rows))]


# Nothing starves


def check_nothing_starves(policy: Callable[[], Policy], seeds: range) -> None:
    """A job ends within four times the calls that it and those before it need by themselves."""
    for seed in seeds:
        draw = Random(seed)  # noqa: S311
        cap = always(draw.choice(CAPS))
        jobs = pattern(draw)
        run = simulate(policy(), jobs, cap)
        alone = {one.job: fewest_calls(one.frames, cap) for one in jobs}
        for place, one in enumerate(jobs):
            ahead = [j.job for j in jobs[:place] if run.ended[j.job] > run.came[one.job]]
            needed = sum(alone[job] for job in [*ahead, one.job])
            assert run.calls_of(one.job) <= 4 * needed + 4, (seed, one.job)


def pattern(draw: Random) -> list[Arrival]:
    """Singles and sweeps at random times, some of them all at once."""
    rows, keys = draw.choice((1, 2)), "ABC"[: draw.choice((1, 1, 2, 3))]
    jobs, time = list[Arrival](), 0.0
    for number in range(draw.randint(3, 15)):
        frames = [
            (draw.choice(keys), rows, draw.randint(1, 10))
            for _ in range(draw.choice((1, 1, 1, 1, 2, 5, 31)))
        ]
        jobs.append(Arrival(f"j{number}", time, tuple(frames)))
        time += draw.choice((0, 0, 1, 3)) * draw.expovariate(1)
    return jobs


def test_nothing_starves_whatever_comes() -> None:
    check_nothing_starves(BatchPolicy, range(600))


def check_sweep_ends_under_singles(policy: Policy, rows: int, key: str) -> None:
    """Singles come without end, twice as fast as they can be painted."""
    long, gap = sweep(31, STRENGTHS, 0, key), 10 * Device().seconds(rows) / (rows // 2)
    singles = [single(20, number * gap, job=f"s{number}") for number in range(100 * rows)]
    most = 4 * fewest_calls(long.frames, always(rows)) + 4
    run = simulate(policy, [long, *singles], always(rows), until=lambda run: run.calls >= most)
    assert "sweep" in run.ended
    assert len(run.ended) > 1


@pytest.mark.parametrize("rows", [2, 4, 8, 32])
@pytest.mark.parametrize("key", ["A", "B"])
def test_a_sweep_ends_though_singles_come_without_end(rows: int, key: str) -> None:
    check_sweep_ends_under_singles(BatchPolicy(), rows, key)


def test_other_policies_do_not_hold_that() -> None:
    """First-in-first-out makes singles wait, strict priority lets sweeps starve."""
    with pytest.raises(AssertionError):
        check_single_is_soon_ready(FirstInFirstOut(), 400, 32, 38)
    with pytest.raises(AssertionError):
        check_nothing_starves(ShortestFirst, range(100))
    for key in "AB":
        with pytest.raises(AssertionError):
            check_sweep_ends_under_singles(ShortestFirst(), 8, key)


# Edges


def test_nothing_ready_makes_no_call() -> None:
    assert BatchPolicy().choose([], always(8), always(8)) == []


def test_one_frame_may_always_be_alone() -> None:
    frames = [Candidate(("a", 0), "A", 2, 5, 1), Candidate(("b", 0), "A", 2, 5, 1)]
    assert BatchPolicy().choose(frames, always(1), always(1)) == [("a", 0)]


@given(calls=st.lists(st.tuples(st.sets(st.integers(0, 30)), st.sampled_from(CAPS)), max_size=20))
def test_frames_may_come_and_go_and_caps_change_between_calls(
    calls: list[tuple[set[int], int]],
) -> None:
    policy = BatchPolicy()
    frames = [Candidate((f"j{n % 7}", n), "AB"[n % 2], 1 + n % 3 % 2, 1 + n, 5) for n in range(31)]
    for numbers, rows in calls:
        ready = {frames[number].frame: frames[number] for number in sorted(numbers)}
        chosen = policy.choose(list(ready.values()), always(rows), always(rows))
        assert not ready or check_call(chosen, ready, always(rows))


def test_jobs_that_left_are_forgotten() -> None:
    policy = BatchPolicy()
    for number in range(50):
        policy.choose([Candidate((f"j{number}", 0), "A", 2, 1, 1)], always(8), always(8))
    assert policy._jobs == ["j49"]


def test_the_first_of_two_equal_sweeps_ends_first() -> None:
    """Also when all frames of the second are in the engine before the last of the first."""
    policy = BatchPolicy()
    first = [Candidate(("first", index), "A", 2, 5, 9) for index in range(3)]
    second = [Candidate(("second", index), "A", 2, 5, 9) for index in range(9)]
    policy.choose([first[0], *second], always(4), always(4))
    policy.choose([first[0], *second, first[1]], always(4), always(4))
    assert policy.choose([*second, *first[1:]], always(4), always(4)) == [
        ("first", 1),
        ("first", 2),
    ]


def test_a_guided_picture_joins_where_long_unguided_frames_leave_one_row() -> None:
    long = [Candidate(("long", index), "A", 1, 20, 7) for index in range(7)]
    single = Candidate(("single", 0), "A", 2, 5, 1)
    assert ("single", 0) in BatchPolicy().choose([*long, single], always(8), always(8))
