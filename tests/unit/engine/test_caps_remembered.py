"""What was found of batch caps holds for the next process; what is no memory is ignored."""

from __future__ import annotations

import json
import logging
import math

import pytest
from timed_calls import (
    knee,
    paint,
)

from img2imgd.engine.caps import FIRST, LARGEST, BatchCaps


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
