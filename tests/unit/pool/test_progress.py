"""When a silent worker counts as hanging: by our own clock, by what it computes and moves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from img2imgd.pool.progress import ProgressClock, Work


def silent_for(clock: ProgressClock, *, most: int, work: Work | None = None) -> int:
    """Look every second at a worker that says nothing; after how many it counts as hanging."""
    clock.restart(0)
    return next(second for second in range(1, most) if clock.overdue(second, work))


def test_silence_is_a_hang_after_the_limit_and_not_before() -> None:
    assert silent_for(ProgressClock(60), most=100) == 60
    assert silent_for(ProgressClock(60), most=100, work=Work(5.0, 10_000_000)) == 60


def test_without_a_limit_nothing_is_a_hang() -> None:
    clock = ProgressClock(None)
    clock.restart(0)
    assert not any(clock.overdue(hour * 3600, None) for hour in range(100))


@pytest.mark.parametrize("step", [Work(0.1, 0), Work(0.0, 65_536)], ids=["computes", "reads"])
def test_a_worker_that_computes_or_moves_bytes_gets_on(step: Work) -> None:
    clock = ProgressClock(60)
    clock.restart(0)
    for second in range(1, 1000):
        done = second // 10  # ten seconds each
        assert not clock.overdue(second, Work(step.cpu * done, step.bytes * done))


def test_idle_threads_of_a_driver_are_no_progress() -> None:
    clock = ProgressClock(60)
    clock.restart(0)
    assert any(clock.overdue(second, Work(0.001 * second, 10 * second)) for second in range(1, 100))


def test_little_work_does_not_add_up_to_progress() -> None:
    """Half of what counts in a minute, for hours."""
    clock = ProgressClock(600)
    clock.restart(0)
    looks = range(1, 7200)
    ticking = [Work(0.001 * second, 600 * second) for second in looks]
    hung = [s for s, work in zip(looks, ticking, strict=True) if clock.overdue(s, work)]
    assert hung[:1] == [600]


def test_work_that_comes_once_a_minute_is_progress() -> None:
    clock = ProgressClock(600)
    clock.restart(0)
    assert not any(clock.overdue(s, Work(0.3 * (s // 59), 0)) for s in range(1, 7200))


def test_after_a_gap_in_our_own_looks_the_clock_starts_anew() -> None:
    """A suspended machine, or a stopped supervisor, says nothing about the worker."""
    clock = ProgressClock(60)
    clock.restart(0)
    assert not any(clock.overdue(second, None) for second in range(1, 59))
    assert not clock.overdue(3600, None)
    assert not any(clock.overdue(3600 + second, None) for second in range(1, 60))
    assert clock.overdue(3660, None)


def test_its_own_looks_are_never_a_gap() -> None:
    for limit in (0.5, 2, 60, 3600):
        clock = ProgressClock(limit)
        clock.restart(0)
        looks = [clock.look_every * number for number in range(1, 6000)]
        overdue = next(look for look in looks if clock.overdue(look, None))
        assert overdue == pytest.approx(limit, abs=clock.look_every)


def test_the_work_of_a_process_grows_with_what_it_computes_and_moves(tmp_path: Path) -> None:
    before = Work.of(os.getpid())
    assert before is not None
    (tmp_path / "file").write_bytes(bytes(100_000))
    moved = Work.of(os.getpid())
    assert moved is not None
    assert moved.bytes - before.bytes >= 100_000
    while (computed := Work.of(os.getpid())) is not None and computed.cpu - before.cpu < 0.1:
        sum(range(100_000))
    assert computed is not None
    assert computed.since(before)


def test_of_a_process_that_is_gone_nothing_is_known() -> None:
    assert Work.of(2**22 + 1) is None  # beyond the largest pid
