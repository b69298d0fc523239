"""Numbers that come from outside."""

from __future__ import annotations

import pytest

from img2imgd.page.answers import number_of


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("123456789", 123_456_789)])
def test_a_number(text: str, number: int) -> None:
    assert number_of(text) == number


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.0", "1e3", " 1", "1_0", "²", "١", "0" * 10, "9" * 5_000, "True"]
)
def test_no_number(text: str) -> None:
    assert number_of(text) is None
