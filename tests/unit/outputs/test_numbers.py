"""Numbers on sheets and in names are written as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from img2imgd.outputs.numbers import print_numbers


@pytest.mark.parametrize(
    ("values", "printed"),
    [
        ([9.0], ["9"]),
        ([3.0, 6.0, 12.0], ["3", "6", "12"]),
        ([7, 7.5], ["7.0", "7.5"]),
        ([0.05, 0.1], ["0.05", "0.10"]),
        ([100, 4294967295], ["100", "4294967295"]),
        ([0.1, 0.366667, 0.633333, 0.9], ["0.100", "0.367", "0.633", "0.900"]),
        ([0.1234, 0.1236, 0.1], ["0.123", "0.124", "0.100"]),
        ([0.12341, 0.12342], ["0.12341", "0.12342"]),
        ([0.00012, 0.5], ["0.0001", "0.5000"]),
        ([1e-20, 0.5], ["0.000000", "0.500000"]),
    ],
)
def test_numbers_of_an_axis_are_printed_alike(values: list[float], printed: list[str]) -> None:
    assert print_numbers(values) == tuple(printed)


@settings(deadline=None)
@given(
    st.lists(
        st.integers(0, 50_000_000).map(lambda value: value / 1_000_000),
        min_size=1, max_size=20, unique=True,
    )
)  # fmt: skip
def test_values_that_six_decimals_tell_apart_never_print_the_same(values: list[float]) -> None:
    assert len(set(print_numbers(values))) == len(values)
