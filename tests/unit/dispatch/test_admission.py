"""Which frames go to the worker: the window has a place for newcomers, and nobody starves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from feeding import (
    LAG,
    WINDOW,
    Job,
    MayStart,
    NextJob,
    Worker,
    first_in_first_out,
    shortest_first,
    while_there_is_room,
)
from hypothesis import given
from hypothesis import strategies as st

from img2imgd.dispatch.admission import Standing, may_start, next_job

PASSES = 6
QUARTER = WINDOW // 4


def serve(
    jobs: Sequence[Job],
    cap: int,
    feed: NextJob = next_job,
    start: MayStart = may_start,
    until: int = 1_000_000,
) -> Worker:
    worker = Worker(cap, feed, start)
    worker.serve(jobs, until)
    return worker


@pytest.mark.parametrize("cap", [1, 4, 16, 24])
@pytest.mark.parametrize("frames", [31, 400])
def test_the_window_keeps_the_calls_of_a_lone_sweep_full(frames: int, cap: int) -> None:
    worker = serve([Job("sweep", 0, frames, passes=20)], cap)
    assert worker.calls <= 1.05 * math.ceil(frames * 20 / cap) + 2 * LAG


def check_single_is_soon_ready(
    feed: NextJob, start: MayStart, sweeps: int, frames: int, cap: int
) -> None:
    single = Job("single", 30, 1, PASSES)
    serve([*(Job(f"s{n}", 0, frames, PASSES) for n in range(sweeps)), single], cap, feed, start, 60)
    assert single.calls <= math.ceil(PASSES * 4 / 3) + 2 * LAG


@pytest.mark.parametrize("cap", [1, 4, 16, 32])
@pytest.mark.parametrize(("sweeps", "frames"), [(1, 400), (10, 31), (20, 400)])
def test_a_single_picture_is_soon_ready_whatever_runs(sweeps: int, frames: int, cap: int) -> None:
    """In as many calls as if it were alone, or four thirds where a call holds one frame."""
    check_single_is_soon_ready(next_job, may_start, sweeps, frames, cap)


def check_sweep_ends(feed: NextJob, start: MayStart, frames: int, cap: int) -> None:
    """Singles wait already, and come twice as fast as they can be painted."""
    alone = math.ceil(frames * PASSES / cap)
    ahead = [Job(f"a{n}", 0, 1, PASSES) for n in range(WINDOW)]
    sweep = Job("sweep", 1, frames, PASSES)
    most = 4 * (len(ahead) * PASSES // cap + alone) + 4 * LAG
    coming = (Job(f"b{n}", 2 + n * PASSES // (2 * cap), 1, PASSES) for n in range(most * cap))
    serve([*ahead, sweep, *coming], cap, feed, start, most)
    assert sweep.ended is not None


@pytest.mark.parametrize("cap", [8, 16])
def test_a_sweep_ends_though_singles_come_without_end(cap: int) -> None:
    check_sweep_ends(next_job, may_start, 31, cap)


@pytest.mark.parametrize("cap", [4, 8, 16])
def test_a_sweep_of_31_passes_those_of_400(cap: int) -> None:
    """It has three calls of four once the frames that were in the worker have left it."""
    short, long = Job("31", 20, 31, PASSES), [Job(f"{n}", 0, 400, PASSES) for n in range(3)]
    serve([*long, short], cap, until=500)
    in_worker = math.ceil((WINDOW - QUARTER) * PASSES / cap)
    assert short.calls <= in_worker + 4 / 3 * math.ceil(31 * PASSES / cap) + 2 * LAG


def test_other_ways_to_feed_do_not_hold_that() -> None:
    with pytest.raises(AssertionError):
        check_single_is_soon_ready(first_in_first_out, may_start, 1, 400, 16)
    with pytest.raises(AssertionError):
        check_single_is_soon_ready(next_job, while_there_is_room, 20, 400, 16)
    with pytest.raises(AssertionError):
        check_sweep_ends(shortest_first, may_start, 31, 16)


@pytest.mark.parametrize("frames", [1, 4, 31])
def test_the_jobs_that_run_are_few(frames: int) -> None:
    jobs = [Job(f"{n}", 0, frames, 2) for n in range(150)]
    worker = serve([*jobs, *(Job(f"long {n}", 0, 40, 2) for n in range(20))], 16)
    assert worker.most_running <= 4 + WINDOW // frames + 1
    assert all(job.ended for job in jobs)


def test_folders_of_singles_fill_the_calls() -> None:
    worker = serve([Job(f"{n}", 0, 1, PASSES) for n in range(400)], 16)
    assert worker.calls <= 1.05 * 400 * PASSES / 16 + 2 * LAG


# Single decisions

STANDING = st.builds(
    Standing,
    job=st.uuids().map(str),
    to_paint=st.integers(0, 400),
    in_engine=st.integers(0, 20),
    frames=st.integers(1, 400),
)


@given(running=st.lists(STANDING, max_size=8), window=st.sampled_from((1, 2, 4, 16, 64)))
def test_who_is_next_has_something_to_give_and_finds_room(
    running: list[Standing], window: int
) -> None:
    chosen = next_job(running, window)
    full = sum(one.in_engine for one in running) >= window
    giving = [one for one in running if one.to_paint]
    assert not full or chosen is None
    assert chosen is None or chosen in {one.job for one in giving}
    if giving and not full and giving[0].in_engine < max(window // 4, 1):
        assert chosen == giving[0].job


@given(running=st.lists(STANDING, max_size=8))
def test_a_job_may_always_start_where_nothing_runs(running: list[Standing]) -> None:
    painted = [Standing(one.job, 0, 0, one.frames) for one in running]
    assert may_start(1, painted, WINDOW)
    assert may_start(400, painted, WINDOW)


def test_nobody_is_next_where_nothing_runs_or_is_left_to_give() -> None:
    assert next_job([], WINDOW) is None
    assert next_job([Standing("a", 0, 3, 3)], WINDOW) is None


def test_long_jobs_leave_the_last_quarter_to_short_ones() -> None:
    running = [Standing(name, 400, QUARTER, 400) for name in "abc"]
    assert next_job(running, WINDOW) is None
    assert next_job([*running, Standing("short", 2, 0, 2)], WINDOW) == "short"


def test_one_long_job_leaves_a_place_for_another() -> None:
    running = [Standing("first", 400, 0, 400)]
    while next_job(running, WINDOW) is not None:
        running = [Standing("first", 400, running[0].in_engine + 1, 400)]
    assert WINDOW // 2 < running[0].in_engine < WINDOW - QUARTER
    assert next_job([*running, Standing("second", 400, 0, 400)], WINDOW) == "second"


def test_long_jobs_that_are_painted_keep_no_other_waiting() -> None:
    painted = [Standing(str(n), 0, 0, 400) for n in range(4)]
    assert may_start(400, [*painted, Standing("one", 400, 0, 400)], WINDOW)


def test_many_long_jobs_with_few_frames_left_leave_no_call_empty() -> None:
    """As after a restart, with most of their frames painted."""
    rests = [Standing(str(n), 2, 0, 400) for n in range(8)]
    assert may_start(400, rests, WINDOW)
