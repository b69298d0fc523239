"""Choices in prompts: what is drawn, that it never changes, and that no text is too much."""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imgd.request.drawing import MAX_SEPARATOR, choose, draw, has_choices, literal

SEEDS = range(3000)
TEXTS = st.lists(
    st.sampled_from(["{", "}", "|", "\\", "\\{", "$$", "2$$", "2::", "::", "a", "b c", "{prompt}"])
    | st.text(max_size=5),
    max_size=20,
).map("".join)


def shares(template: str) -> dict[str, float]:
    """How often each text is drawn, in percent."""
    counted = Counter(draw(template, seed) for seed in SEEDS)
    return {text: round(100 * count / len(SEEDS)) for text, count in counted.items()}


@pytest.mark.parametrize(
    ("template", "drawn"),
    [
        ("an {oil|ink|gouache} study", "gouache oil gouache gouache gouache ink ink gouache"),
        ("{3::oil|ink}", "ink ink oil oil oil oil oil oil"),
        ("{a|{b|c}}", "a b c c b b b c"),
        ("{2$$+$$a|b|c}", "a+b c+b a+c c+a a+b b+a a+b b+a"),
    ],
)
def test_what_is_drawn_is_the_same_in_every_version(template: str, drawn: str) -> None:
    words = [re.sub("an | study", "", draw(template, seed)) for seed in range(8)]
    assert words == drawn.split()


def test_a_draw_can_be_made_again_from_its_description() -> None:
    template = "a {misty|clear} lake, {oil|ink|gouache}"
    for seed in (0, 187, 2**32 - 1):
        said = f"{seed}\0{template}\0{template.index('{oil')} pick 0"
        number = int.from_bytes(hashlib.sha256(said.encode()).digest(), "big")
        look = ("oil", "ink", "gouache")[number % 3_000_000 // 1_000_000]
        assert draw(template, seed).endswith(f"lake, {look}")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{oil|ink}", {"oil": 50, "ink": 50}),
        ("{|misty }lake", {"lake": 50, "misty lake": 50}),
        ("{oil||}", {"oil": 33, "": 67}),
        ("{3::oil|ink}", {"oil": 75, "ink": 25}),
        ("{0.5::a|0.25::b|0.25::c}", {"a": 50, "b": 25, "c": 25}),
        ("{ 2::a| 2::b}", {"a": 50, "b": 50}),
        ("{0::a|b}", {"b": 100}),
        ("{0::a|0::b}", {"a": 50, "b": 50}),
        ("{a|{b|c}}", {"a": 50, "b": 25, "c": 25}),
        ("{a|b} {a|b}", {"a a": 25, "a b": 25, "b a": 25, "b b": 25}),
        ("{2$$a|b|c}", {"a, b": 17, "a, c": 17, "b, a": 17, "b, c": 17, "c, a": 17, "c, b": 17}),
        ("{2$$ and $$a|b}", {"a and b": 50, "b and a": 50}),
        ("{2$$$$a|b}", {"ab": 50, "ba": 50}),
        ("{9$$a|b}", {"a, b": 50, "b, a": 50}),
        ("{0-1$$a|b}", {"": 50, "a": 25, "b": 25}),
        ("{-1$$a|b}", {"a": 50, "b": 50}),
        ("{2-$$a|b}", {"a, b": 50, "b, a": 50}),
        ("{2-1$$9::a|0::b}", {"a": 100}),
    ],
)
def test_options_come_as_often_as_their_weights_say(
    template: str, expected: dict[str, int]
) -> None:
    found = shares(template)
    assert found.keys() == expected.keys()
    assert all(abs(found[text] - expected[text]) <= 4 for text in expected), found


@pytest.mark.parametrize(
    "text",
    ["", "a cat", "{cat}", "{prompt}", "{}", "a | b", "{a", "a}", "{a|b", "a|b}", "{2$$a}",
     "{2::a}", "(a:1.2)", "[a|b]", r"a \(b\) \\ c", "$$", "{2$$", "{1-$$a", "{٢$$a}"],
)  # fmt: skip
def test_what_is_no_choice_is_itself(text: str) -> None:
    assert {draw(text, seed) for seed in range(20)} == {text}
    assert not has_choices(text)
    assert literal(text) == text


def test_bars_and_braces_that_make_no_choice_are_themselves() -> None:
    assert draw("}|{", 1) == "}|{"
    assert draw(literal("}|{"), 1) == "}|{"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (r"\{oil\|ink\}", "{oil|ink}"),
        (r"\{oil|ink\}", "{oil|ink}"),
        (r"{a\|b}", "{a|b}"),
        (r"{\{|\{}", "{"),
        (r"\\{oil", r"\{oil"),
        (r"\a\\", r"\a\\"),
    ],
)
def test_a_backslash_takes_a_sign_its_meaning(template: str, text: str) -> None:
    assert draw(template, 1) == text


@pytest.mark.parametrize(
    ("template", "texts"),
    [
        ("{a|{b|c}", {"{a|b", "{a|c"}),
        ("{a {b|c}}", {"{a b}", "{a c}"}),
        ("{b|c}}", {"b}", "c}"}),
        ("}{b|c}", {"}b", "}c"}),
        ("{2::x {b|c}", {"{2::x b", "{2::x c"}),
    ],
)
def test_choices_beside_braces_without_a_partner_are_drawn(template: str, texts: set[str]) -> None:
    assert {draw(template, seed) for seed in range(40)} == texts
    assert has_choices(template)


def test_a_placeholder_is_filled_and_what_fills_it_is_not_drawn() -> None:
    fill = {"prompt": "{x|y}"}
    assert draw("oil of {prompt}, {prompt}", 3, fill) == "oil of {x|y}, {x|y}"
    assert draw(r"\{prompt\} {prompts} {a|a {prompt}}", 3, fill).startswith("{prompt} {prompts} a")


def test_another_seed_or_another_text_draws_anew() -> None:
    options = "|".join(f"{number}" for number in range(50))
    drawn = {draw(f"{{{options}}}", seed) for seed in range(100)}
    assert len(drawn) > 35
    assert draw(f"{{{options}}} x", 0) != draw(f"{{{options}}}", 0) + " x"


def test_a_long_separator_is_none() -> None:
    assert draw("{2$$" + "s" * MAX_SEPARATOR + "$$a|b}", 0).count("s") == MAX_SEPARATOR
    assert draw("{2$$" + "s" * (MAX_SEPARATOR + 1) + "$$a|b}", 0).count(", ") == 1


@pytest.mark.parametrize(
    "template",
    ["{" * 10_000, "{" * 5000 + "}" * 5000, "{|" * 3333 + "}" * 3333, "{99$$" + "a|" * 4990 + "}",
     "{a|b}" * 2000, "{" + "|" * 9998 + "}", "\\" * 10_000, "{1" * 5000, "{9-9$$" * 1600],
)  # fmt: skip
def test_the_longest_and_deepest_templates_take_no_time(template: str) -> None:
    before = time.monotonic()
    assert len(draw(template, 1)) <= len(template) * 10
    assert time.monotonic() - before < 5


@given(TEXTS, st.integers(0, 2**32 - 1))
def test_any_text_can_be_written_so_that_it_is_drawn(text: str, seed: int) -> None:
    assert draw(literal(text), seed) == text
    assert draw(literal(literal(text)), seed) == literal(text)
    assert not has_choices(literal(text))


@given(TEXTS, st.integers(0, 2**32 - 1))
def test_the_same_seed_draws_the_same_and_without_choices_all_do(text: str, seed: int) -> None:
    assert draw(text, seed) == draw(text, seed)
    if not has_choices(text):
        assert draw(text, seed) == draw(text, 0)


def test_items_are_chosen_in_their_own_order_each_as_often() -> None:
    items = [f"item {number}" for number in range(6)]
    counted: Counter[str] = Counter()
    for seed in SEEDS:
        chosen = choose(items, 2, seed, items)
        assert list(chosen) == sorted(chosen)
        assert len(set(chosen)) == 2
        counted.update(chosen)
    assert all(abs(count - len(SEEDS) / 3) < 120 for count in counted.values()), counted
    assert choose(items, 6, 1, items) == tuple(items)


def test_a_new_item_takes_at_most_one_place() -> None:
    items = [f"item {number}" for number in range(20)]
    for seed in range(50):
        before, after = (
            set(choose(all_, 5, seed, all_)) for all_ in (items, [*items[:9], "new", *items[9:]])
        )
        assert len(before - after) == len(after - before) <= 1
