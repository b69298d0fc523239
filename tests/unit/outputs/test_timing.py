"""How long each frame is shown: a duration or a total, holds, the clock's ticks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imgd.outputs.timing import shown_order, shown_times, timing_note
from img2imgd.request import GifSettings


def times(count: int, tick: int = 10, **asked: Any) -> list[int]:
    return shown_times(count, GifSettings(**asked), tick)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"duration": 100}, [100, 100, 100, 100]),
        ({"duration": 100, "hold": (500, 0)}, [500, 100, 100, 100]),
        ({"duration": 100, "hold": (0, 500)}, [100, 100, 100, 500]),
        ({"duration": 100, "hold": (30, 40)}, [100, 100, 100, 100]),
        ({"total": 1000}, [250, 250, 250, 250]),
        ({"total": 1000, "hold": (400, 300)}, [400, 150, 150, 300]),
        ({"total": 1000, "hold": (240, 640)}, [240, 60, 60, 640]),
        ({"total": 1000, "hold": (100, 100)}, [250, 250, 250, 250]),
        ({"total": 1000, "hold": (100, 0), "pingpong": True}, [170, 160, 170, 170, 160, 170]),
        ({"total": 1000, "hold": (2000, 2000)}, [2000, 20, 20, 2000]),
        ({"total": 40}, [20, 20, 20, 20]),
    ],
)
def test_four_frames(asked: dict[str, Any], expected: list[int]) -> None:
    assert times(4, **asked) == expected


def test_one_frame_is_held_for_the_longer_of_its_two_ends() -> None:
    assert times(1, duration=100, hold=(300, 700)) == [700]
    assert times(1, total=5000, hold=(300, 700)) == [5000]


def test_two_held_frames_leave_nothing_to_divide() -> None:
    assert times(2, total=1000, hold=(800, 900)) == [800, 900]


def test_a_total_is_met_to_the_tick_however_it_divides() -> None:
    assert sum(times(31, tick=10, total=8000)) == 8000
    assert set(times(31, tick=10, total=8000)) == {250, 260}
    assert sum(times(31, tick=1, total=8000, hold=(1000, 1500), pingpong=True)) == 8000


@given(
    count=st.integers(1, 400),
    total=st.integers(20, 600_000),
    hold=st.tuples(st.integers(0, 60_000), st.integers(0, 60_000)),
    pingpong=st.booleans(),
    tick=st.sampled_from([1, 10]),
)
def test_whatever_is_asked_no_frame_is_too_short_and_the_total_is_met_or_said(
    count: int, total: int, hold: tuple[int, int], pingpong: bool, tick: int
) -> None:
    settings = GifSettings(duration=None, total=total, hold=hold, pingpong=pingpong)
    found = shown_times(count, settings, tick)
    assert len(found) == len(shown_order(count, pingpong=pingpong))
    assert min(found) >= 20
    assert all(time % tick == 0 for time in found)
    assert found[0] >= hold[0] - tick
    assert found[count - 1] >= hold[1] - tick
    assert bool(timing_note(found, settings)) == (abs(sum(found) - total) >= 20)


def test_a_total_that_is_too_short_is_explained() -> None:
    settings = GifSettings(duration=None, total=100)
    note = timing_note(shown_times(31, settings, 10), settings)
    assert note.startswith("One play of its 31 frames takes 0.62 s, not 0.1 s: ")
    assert timing_note([20] * 31, GifSettings(duration=20)) == ""
