"""Sweeps: decimal-exact values, ends included, and counting without making them."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imgd.errors import DocumentError
from img2imgd.request import read_sidecar
from img2imgd.request.sweep import Axis, count_values, expand


def sweep_of(text: str) -> dict[str, tuple[int | float, ...]]:
    sweep = read_sidecar("cat.yaml", f"sweep: {text}".encode()).sweep
    assert sweep is not None
    return {name: expand(name, axis) for name, axis in sweep.axes().items()}


def message_of(text: str) -> str:
    with pytest.raises(DocumentError) as caught:
        sweep_of(text)
    (problem,) = caught.value.problems
    assert problem.line == 1
    return problem.message


def test_the_articles_sweep_has_31_values_and_ends_on_the_end() -> None:
    values = sweep_of("{strength: {from: 0.05, to: 0.95, step: 0.03}}")["strength"]
    assert len(values) == 31
    assert values[:3] == (0.05, 0.08, 0.11)
    assert values[-1] == 0.95


@pytest.mark.parametrize(
    ("axis", "values"),
    [
        ("{from: 0.1, to: 0.3, step: 0.1}", (0.1, 0.2, 0.3)),
        ("{from: 0.3, to: 0.1, step: 0.1}", (0.3, 0.2, 0.1)),
        ("{from: 0.3, to: 0.1, step: -0.1}", (0.3, 0.2, 0.1)),
        ("{from: 0.1, to: 0.3, step: -0.1}", (0.1, 0.2, 0.3)),
        ("{from: 0.1, to: 0.35, step: 0.1}", (0.1, 0.2, 0.3)),
        ("{from: 0.5, to: 0.5, step: 0.1}", (0.5,)),
        ("{from: 0.1, to: 0.2, step: 0.5}", (0.1,)),
        ("{from: 0.1, to: 1, step: 90}", (0.1,)),
        ("{from: 0.1, to: 1, step: 1e308}", (0.1,)),
        ("{from: 0.1, to: 0.9, count: 5}", (0.1, 0.3, 0.5, 0.7, 0.9)),
        ("{from: 0.9, to: 0.1, count: 3}", (0.9, 0.5, 0.1)),
        ("{from: 0.1, to: 0.2, count: 4}", (0.1, 0.133333, 0.166667, 0.2)),
        ("{from: 0.5, to: 0.5, count: 1}", (0.5,)),
        ("[0.2, 0.9, 0.2]", (0.2, 0.9, 0.2)),
        ("[1]", (1.0,)),
    ],
)
def test_strengths_are_exact_in_decimals(axis: str, values: tuple[float, ...]) -> None:
    assert sweep_of(f"{{strength: {axis}}}") == {"strength": values}


@pytest.mark.parametrize("step", ["0.1667", "0.16667", "0.1666", "0.1666666666"])
def test_a_rounded_step_still_ends_on_the_end(step: str) -> None:
    values = sweep_of(f"{{guidance_scale: {{from: 1, to: 2, step: {step}}}}}")["guidance_scale"]
    assert len(values) == 7
    assert values[-1] == 2.0


def test_whole_axes_give_integers() -> None:
    sweep = sweep_of("{steps: {from: 10, to: 50, step: 20}, seed: [3, 4294967295]}")
    assert sweep == {"steps": (10, 30, 50), "seed": (3, 4294967295)}
    assert all(type(value) is int for values in sweep.values() for value in values)


def test_a_whole_axis_never_moves_its_last_value_to_the_end() -> None:
    values = sweep_of("{seed: {from: 0, to: 3001, step: 300}}")["seed"]
    assert values == tuple(range(0, 3001, 300))


def test_axes_keep_the_order_they_are_written_in() -> None:
    sweep = sweep_of("{seed: [1], steps: [2], strength: [0.3], guidance_scale: [4]}")
    assert list(sweep) == ["seed", "steps", "strength", "guidance_scale"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{strength: {from: 0, to: 1, step: 0.1}}", "more than 0"),
        ("{strength: {from: 0.1, to: 1.5, count: 3}}", "at most 1"),
        ("{strength: [0.5, 2]}", "at most 1"),
        ("{guidance_scale: [51]}", "at most 50"),
        ("{steps: [0]}", "at least 1"),
        ("{steps: [2.5]}", "whole"),
        ("{steps: {from: 1, to: 2, step: 0.5}}", "whole"),
        ("{steps: {from: 1, to: 3, count: 9}}", "whole"),
        ("{seed: [-1]}", "at least 0"),
        ("{seed: [4294967296]}", "at most 4294967295"),
        ("{strength: []}", "no values"),
        ("{strength: {from: 0.1, to: 0.9}}", "step or count"),
        ("{strength: {from: 0.1, to: 0.9, step: 0.1, count: 3}}", "step or count"),
        ("{strength: {from: 0.1, to: 0.9, step: 0}}", "never arrives"),
        ("{strength: {from: 0.1, to: 0.9, count: 1}}", "count of 1"),
        ("{strength: {from: 0.1, to: 0.9, count: 0}}", "at least 1"),
        ("{strength: {to: 0.9, step: 0.1}}", "missing"),
        ("{strength: 0.5}", "a list of values"),
        ("{strength: [x]}", "must be a number"),
        ("{strength: [true]}", "must be a number"),
        ("{size: [1, 2]}", "no such key"),
        ("{strength: {start: 0.1, from: 0.1, to: 0.9, step: 0.1}}", "no such key"),
    ],
)
def test_axes_that_cannot_be_are_refused(text: str, word: str) -> None:
    assert word in message_of(text)


def test_a_huge_range_is_counted_without_being_made() -> None:
    before = time.monotonic()
    axis = Axis(start=0, to=4294967295, step=1)
    assert count_values("seed", axis) == 2**32
    tiny = Axis(start=0.1, to=1.0, step=1e-300)
    assert count_values("strength", tiny) > 10**299
    assert time.monotonic() - before < 5


decimals = st.decimals(min_value="0.01", max_value=1, places=2).map(float)


@given(start=decimals, to=decimals, step=st.decimals("0.01", "0.5", places=2).map(float))
def test_any_range_of_two_decimals_is_exact_counted_right_and_within_its_ends(
    start: float, to: float, step: float
) -> None:
    axis = Axis(start=start, to=to, step=step)
    values = expand("strength", axis)
    hundredths = [round(value * 100) for value in values]
    assert len(values) == count_values("strength", axis)
    assert values == tuple(hundredth / 100 for hundredth in hundredths)
    assert {abs(b - a) for a, b in pairwise(hundredths)} <= {round(step * 100)}
    assert abs(round(to * 100) - hundredths[-1]) < round(step * 100)
    assert all(min(start, to) <= value <= max(start, to) for value in values)
