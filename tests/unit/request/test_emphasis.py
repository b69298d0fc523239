"""Weights in A1111's syntax: what is heard of a prompt, and how much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imgd.request import Weighted, read_emphasis


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("a lake", [("a lake", 1)]),
        ("", []),
        ("a (red barn:1.3) by a lake", [("a ", 1), ("red barn", 1.3), (" by a lake", 1)]),
        ("(lake)", [("lake", 1.1)]),
        ("((lake))", [("lake", 1.21)]),
        ("[fog]", [("fog", 1 / 1.1)]),
        ("[[fog]]", [("fog", 1 / 1.21)]),
        ("[(fog:1.5)]", [("fog", 1.5 / 1.1)]),
        ("(a (b:2) c:0.5)", [("a ", 0.5), ("b", 1), (" c", 0.5)]),
        ("((a:2) b)", [("a", 2.2), (" b", 1.1)]),
        (r"a \(b\) \[c\] \\", [("a (b) [c] \\", 1)]),
        (r"(a \(b\):2)", [("a (b)", 2)]),
        ("(a: 1.5 )", [("a", 1.5)]),
        ("(a:.5)", [("a", 0.5)]),
        ("(a:2.)", [("a", 2)]),
        ("(a:-1)", [("a", -1)]),
        ("(a:b)", [("a:b", 1.1)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("at 16:9", [("at 16:9", 1)]),
        ("(a:1)", [("a", 1)]),
        ("(a:1) (b:1)", [("a b", 1)]),
        ("(a", [("(a", 1)]),
        ("a)", [("a)", 1)]),
        ("a:2)", [("a:2)", 1)]),
        ("((a)", [("(", 1), ("a", 1.1)]),
        ("[a", [("[a", 1)]),
        ("(a]", [("(a]", 1)]),
        ("()", []),
        ("BREAKFAST", [("BREAKFAST", 1)]),
        ("a break", [("a break", 1)]),
    ],
)
def test_brackets_weigh_what_is_in_them(prompt: str, texts: list[Weighted]) -> None:
    (read,) = read_emphasis(prompt)
    assert [text for text, _ in read] == [text for text, _ in texts]
    assert [weight for _, weight in read] == pytest.approx([weight for _, weight in texts])


def test_break_begins_a_new_chunk_within_brackets_too() -> None:
    assert read_emphasis("a lake BREAK oil") == [[("a lake", 1)], [("oil", 1)]]
    assert read_emphasis("(a BREAK b:2) c") == [[("a", 2)], [("b", 2), (" c", 1)]]


signs = st.lists(st.sampled_from([*"()[]\\:.1 abé", "BREAK", " BREAK "]), max_size=60).map("".join)


@given(st.one_of(st.text(), signs))
def test_any_text_is_read_and_no_word_of_it_is_lost(prompt: str) -> None:
    read = [part for chunk in read_emphasis(prompt) for part in chunk]
    assert all(text and isinstance(weight, float) for text, weight in read)
    letters = [sign for sign in prompt.replace("BREAK", "") if sign in "abé"]
    assert [sign for text, _ in read for sign in text if sign in "abé"] == letters


@given(st.text(st.sampled_from("ab ,.:"), min_size=1).filter(lambda text: "BREAK" not in text))
def test_a_text_without_brackets_is_itself_and_escaping_makes_one_of_any(text: str) -> None:
    assert read_emphasis(text) == [[(text, 1)]]
    escaped = "".join(f"\\{sign}" if sign in "()[]\\" else sign for sign in f"({text})[{text}]\\")
    assert read_emphasis(escaped) == [[(f"({text})[{text}]\\", 1)]]


@pytest.mark.parametrize(
    "prompt", ["(" * 10_000, "(" * 5000 + ")" * 5000, "()" * 5000, "[(" * 5000]
)
def test_many_brackets_take_no_time(prompt: str) -> None:
    assert len(read_emphasis(prompt)) == 1
