"""Weights that no prompt can have: refused before it is painted, at the key that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from img2imgd.errors import DocumentError, Problem
from img2imgd.request import Request, read_defaults, read_sidecar, resolve, tags_left_out

OPTIONS: dict[str, Any] = {
    "default_model": "demo", "models": ("demo",), "draw_seed": lambda: 0, "max_frames": 400,
    "name": "cat.yaml",
}  # fmt: skip


def request_of(text: str, defaults: str = "") -> Request:
    layers = [
        read_sidecar("cat.yaml", text.encode()),
        read_defaults("_defaults.yaml", defaults.encode()),
    ]
    return resolve(layers, **OPTIONS)


def problems_of(text: str, defaults: str = "") -> tuple[Problem, ...]:
    with pytest.raises(DocumentError) as caught:
        request_of(text, defaults)
    return caught.value.problems


def test_a_weight_beyond_10_is_refused_with_its_line_and_what_to_do() -> None:
    (problem,) = problems_of('prompt_syntax: a1111\nprompt: "a (red house:99) in (fog"\n')
    assert str(problem) == (
        "line 2, prompt: “red house” has a weight of 99; those from 0 to 10 are taken, and more "
        "than 1.5 seldom helps."
    )


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ('prompt: a lake\nnegative_prompt: "(fog:11)"', {"negative_prompt": "fog"}),
        ('prompt: "(a:-1)"\nnegative_prompt: (b:11)', {"prompt": "a", "negative_prompt": "b"}),
        ('prompt: (b:11)\nnegative_prompt: (b:11)', {"prompt": "b", "negative_prompt": "b"}),
        ('prompt: a lake\nstyle: [oil, "(ink:11)"]', {"style": "ink"}),
        ('prompt: a lake\nstyle: "({prompt}:11)"', {"style": "a lake"}),
        ('prompt: a lake\nstyle: {prompt: oil, negative_prompt: "(ink:11)"}', {"style": "ink"}),
        ('prompt: ["a lake", "a (boat:11)"]', {"prompt": "boat"}),
        ('prompt: "((a:5):5)"', {"prompt": "a"}),
        (f'prompt: "{"(" * 25}a{")" * 25}"', {"prompt": "a"}),
        ('prompt: "{a|b} (boat:{11|12})"', {"prompt": "boat"}),
        ('prompt: "a {lake|(boat:11)}"\nseed: 0\nn: 20', {"prompt": "boat"}),
    ],
)  # fmt: skip
def test_every_text_that_would_be_painted_is_looked_at(text: str, keys: Mapping[str, str]) -> None:
    found = {
        problem.key: problem.message for problem in problems_of(text + "\nprompt_syntax: a1111")
    }
    assert found.keys() == keys.keys()
    for key, words in keys.items():
        assert f"“{words}” has a weight of" in found[key]


def test_the_folders_defaults_are_named_where_they_hold_the_prompt() -> None:
    (problem,) = problems_of("prompt_syntax: a1111", "strength: 0.5\nprompt: (fog:11)")
    assert problem.line == 0
    assert "It stands in _defaults.yaml, line 2." in problem.message


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("a house.swap(b)", ".swap() is not known"),
        ("a (red house) .swap (a barn, s_start=0.1)", ".swap() is not known"),
        ("a lake withLora(ink, 0.8)", "belongs to a model of the config"),
    ],
)
def test_what_compel_knows_and_the_engine_does_not_is_refused(prompt: str, reason: str) -> None:
    (problem,) = problems_of(f"prompt_syntax: compel\nprompt: {prompt!r}")
    assert (problem.line, problem.key) == (2, "prompt")
    assert reason in problem.message


@pytest.mark.parametrize(
    ("prompt", "syntax"),
    [
        ("a (lake:10), (fog:0), [[mist]], (open", "a1111"),
        ("a lake <lora:ink:99>", "a1111"),
        ("a house.swap(b) withLora(ink)", "a1111"),
        ("a lake++ (fog)0.5", "compel"),
        (r"a house\.swap(b), the swap (b), to swap", "compel"),
        ("a lake+.swap(b), fog,.swap(c)", "compel"),
        ("a (lake:99).swap(b) withLora(ink)", "plain"),
    ],
)
def test_what_can_be_painted_is_not_refused(prompt: str, syntax: str) -> None:
    assert request_of(f"prompt: '{prompt}'\nprompt_syntax: {syntax}").prompt == prompt


def test_a_choice_that_was_not_drawn_refuses_nothing() -> None:
    text = 'prompt: "{1000::a lake|0.001::(boat:11)}"\nprompt_syntax: a1111\nseed: 1'
    assert request_of(text).has_choices


def test_a_style_may_bring_a_weight_back_into_its_limits() -> None:
    request_of('prompt: "(a lake:20)"\nstyle: "({prompt}:0.1)"\nprompt_syntax: a1111')


def test_tags_are_left_out_in_a1111s_syntax_alone() -> None:
    text = "prompt: a lake <lora:ink:0.8>\nnegative_prompt: <lora:fog:1>\nn: 3\nprompt_syntax: "
    assert tags_left_out(request_of(text + "a1111")) == ("<lora:ink:0.8>", "<lora:fog:1>")
    assert tags_left_out(request_of(text + "plain")) == ()
