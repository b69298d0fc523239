"""Jobs and their frames."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imgd.job import (
    ENDED,
    JobState,
    effective_steps,
    equal_strengths_note,
    new_job_id,
    plan_frames,
)
from img2imgd.request import Request, drawing


def request(**changes: object) -> Request:
    values: dict[str, object] = {
        "prompt": "a lake", "negative_prompt": "", "strength": 0.5, "guidance_scale": 7.5,
        "steps": 10, "seed": 7, "model": "demo",
    }  # fmt: skip
    return Request(**(values | changes))  # type: ignore[arg-type]


def test_ids_sort_by_time_and_are_unique() -> None:
    first = new_job_id(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    later = new_job_id(datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC))
    assert first.startswith("20260102T030405-")
    assert first < later
    assert len({new_job_id() for _ in range(1000)}) == 1000


def test_which_states_are_ends() -> None:
    assert {state for state in JobState if state.ended} == ENDED
    assert not JobState.PUBLISHING.ended


@pytest.mark.parametrize(
    ("steps", "strength", "runs"),
    [(50, 0.8, 40), (50, 1.0, 50), (4, 0.1, 1), (1, 0.01, 1), (49, 1 / 49, 1), (10, 0.29, 2)],
)
def test_steps_that_really_run(steps: int, strength: float, runs: int) -> None:
    assert effective_steps(steps, strength) == runs


def test_frames_come_by_style_then_variation_then_the_sweep() -> None:
    frames = plan_frames(
        request(
            styles=("ink", "oil"), n=2, sweep={"strength": (0.2, 0.4), "guidance_scale": (3, 9)}
        )
    )
    order = [(f.style, f.variation, f.strength, f.guidance_scale) for f in frames]
    assert order == [
        (style, variation, strength, scale)
        for style in ("ink", "oil")
        for variation in (0, 1)
        for strength in (0.2, 0.4)
        for scale in (3, 9)
    ]
    assert [frame.index for frame in frames] == list(range(16))
    assert {(f.variation, f.seed) for f in frames} == {(0, 7), (1, 8)}
    assert {f.prompt for f in frames} == {"a lake by ink", "a lake by oil"}


def test_seeds_wrap_around() -> None:
    assert [f.seed for f in plan_frames(request(n=2, seed=2**32 - 1))] == [2**32 - 1, 0]


def test_a_swept_seed_and_swept_steps() -> None:
    frames = plan_frames(request(sweep={"seed": (3, 5), "steps": (4, 20)}))
    assert [(f.seed, f.steps, f.effective_steps) for f in frames] == [
        (3, 4, 2), (3, 20, 10), (5, 4, 2), (5, 20, 10),
    ]  # fmt: skip


def test_equal_effective_steps_are_painted_by_the_first() -> None:
    frames = plan_frames(request(sweep={"strength": (0.5, 0.55, 0.6, 0.65)}))
    assert [frame.painted_by for frame in frames] == [0, 0, 2, 2]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"sweep": {"strength": tuple(n / 100 for n in range(5, 96))}, "steps": 50},
            "The 91 frames show 46 different pictures: with 50 steps, a strength is rounded down "
            "to a multiple of 0.02.",
        ),
        (
            {"sweep": {"strength": (0.5, 0.55, 0.6)}, "styles": ("ink", "oil")},
            "The 6 frames show 4 different pictures: with 10 steps, ",
        ),
        ({"sweep": {"strength": (0.5, 0.51)}}, "The 2 frames show the same picture: "),
        (
            {"sweep": {"steps": (10, 20), "strength": (0.5, 0.55, 0.6)}},
            "The 6 frames show 5 different pictures: with 10 steps, ",
        ),
        (
            {"sweep": {"steps": (4, 5), "strength": (0.4, 0.5)}},
            "The 4 frames show 3 different pictures: with 5 steps, ",
        ),
    ],
)
def test_strengths_that_are_too_near_to_each_other_are_told(
    changes: dict[str, object], words: str
) -> None:
    assert equal_strengths_note(request(**changes)).startswith(words)


@pytest.mark.parametrize(
    "changes",
    [
        {"sweep": {"strength": tuple(n / 100 for n in range(5, 96, 3))}, "steps": 50},
        {"sweep": {"strength": (0.5, 0.5)}},
        {"sweep": {"seed": (1, 2)}, "n": 2},
        {"sweep": {"steps": (4, 5)}},
        {"styles": ("ink", "ink"), "n": 3},
    ],
)
def test_frames_that_were_asked_for_twice_are_not(changes: dict[str, object]) -> None:
    assert equal_strengths_note(request(**changes)) == ""


@given(
    st.integers(1, 60), st.floats(0.001, 1), st.lists(st.floats(0.001, 1), max_size=6),
    st.integers(1, 4),
)  # fmt: skip
def test_painting_frames_paint_themselves_and_equal_ones_are_equal(
    steps: int, strength: float, swept: list[float], n: int
) -> None:
    sweep = {"strength": tuple(swept)} if swept else {}
    asked = request(steps=steps, strength=strength, sweep=sweep, n=n)
    frames = plan_frames(asked)
    assert len(frames) == asked.frame_count
    for frame in frames:
        painter = frames[frame.painted_by]
        assert painter.painted_by == painter.index <= frame.index
        assert (painter.seed, painter.effective_steps, painter.steps) == (
            frame.seed, frame.effective_steps, frame.steps,
        )  # fmt: skip
        assert 1 <= frame.effective_steps <= frame.steps


def test_a_template_is_read_once_for_all_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    result = drawing._Parser.result  # pyright: ignore[reportPrivateUsage]

    def counted(parser: drawing._Parser) -> object:  # pyright: ignore[reportPrivateUsage]
        read.append(parser.template)
        return result(parser)

    monkeypatch.setattr(drawing._Parser, "result", counted)  # pyright: ignore[reportPrivateUsage]
    asked = request(prompt="a {misty|clear} lake, read once", styles=("{ink|oil}, once", ""), n=50)
    assert len(plan_frames(asked)) == 100
    assert sorted(read) == ["a {misty|clear} lake, read once", "{prompt} by {ink|oil}, once"]
