"""All problems at once, in words, with line, key and the nearest valid key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import Field

from img2imgd.document import Settings, nearest, read_yaml, refuse, validate
from img2imgd.errors import DocumentError, Problem


class Ink(Settings):
    synonyms: ClassVar[Mapping[str, str]] = {"colour": "hue"}

    hue: str = "black"
    drops: Annotated[int, Field(ge=1, le=9)] = 1


class Pen(Settings):
    width: Annotated[float, Field(gt=0, le=2)] | None = None
    tip: Literal["round", "flat"] = "round"
    wet: bool = False
    name: Annotated[str, Field(max_length=5)] = ""
    start: int | None = Field(default=None, alias="from")
    ink: Ink = Ink()
    inks: Annotated[tuple[Ink, ...], Field(strict=False)] = ()
    drawer: dict[str, Ink] = Field(default={})
    spare: Annotated[tuple[Pen, ...], Field(strict=False)] | None = None


class Sized(Settings):
    side: int


def problems_of(text: str, model: type[Settings] = Pen) -> tuple[Problem, ...]:
    with pytest.raises(DocumentError) as caught:
        validate(read_yaml("pen.yaml", text.encode()), model)
    return caught.value.problems


def only_problem(text: str, model: type[Settings] = Pen) -> Problem:
    problems = problems_of(text, model)
    assert len(problems) == 1, problems
    return problems[0]


def test_a_valid_document_becomes_the_model() -> None:
    text = b"width: 1\nfrom: 3\ninks: [{hue: red}]\ndrawer: {a: {drops: 2}}\n"
    pen = validate(read_yaml("pen.yaml", text), Pen)
    assert pen == Pen.model_validate(
        {"width": 1.0, "from": 3, "inks": (Ink(hue="red"),), "drawer": {"a": Ink(drops=2)}}
    )


def test_all_problems_come_at_once_in_the_order_of_their_lines() -> None:
    problems = problems_of("tip: pointed\nwidth: 7\nwet: yes\nnibs: 2\nink: {drops: x}\n")
    assert [(p.line, p.key) for p in problems] == [
        (1, "tip"),
        (2, "width"),
        (3, "wet"),
        (4, "nibs"),
        (5, "ink.drops"),
    ]


def test_the_error_names_file_line_key_and_what_to_do() -> None:
    with pytest.raises(DocumentError) as caught:
        validate(read_yaml("pen.yaml", b"\nwidht: 1\n"), Pen)
    assert str(caught.value) == (
        "pen.yaml: line 2, widht: there is no such key. Did you mean `width`?"
    )


def test_an_unknown_key_lists_the_valid_ones_where_none_is_near() -> None:
    problem = only_problem("zzz: 1\n")
    assert "width, tip, wet, name, from, ink, inks, drawer, spare" in problem.advice


@pytest.mark.parametrize("word", ["colour", "Colour", "COLOUR"])
def test_words_of_other_programs_are_understood_as_hints(word: str) -> None:
    assert "`hue`" in only_problem(f"ink: {{{word}: red}}").advice


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("ink: {hu: x}", "ink.hu"),
        ("inks: [{hu: x}]", "inks.0.hu"),
        ("drawer: {a: {hu: x}}", "drawer.a.hu"),
        ("drawer: {hue: {hu: x}}", "drawer.hue.hu"),
        ("spare: [{ink: {hu: x}}]", "spare.0.ink.hu"),
    ],
)
def test_hints_come_from_the_model_the_key_is_in(text: str, key: str) -> None:
    problem = only_problem(text)
    assert problem.advice == "Did you mean `hue`?"
    assert problem.key == key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("width: 7", "must be more than 0 and at most 2; found the number 7."),
        ("width: 0", "must be more than 0 and at most 2; found the number 0."),
        ("ink: {drops: 0}", "must be at least 1 and at most 9; found the number 0."),
        ("inks: [{drops: 10}]", "must be at least 1 and at most 9; found the number 10."),
        ("width: wide", "must be a number; found the text “wide”."),
        ("width: true", "must be a number; found true."),
        ("width: [1]", "must be a number; found a list."),
        ("ink: {drops: 1.5}", "must be a whole number; found the number 1.5."),
        ("ink: {drops: 2.0}", "must be a whole number; found the number 2.0."),
        ("ink: {drops: false}", "must be a whole number; found false."),
        ("wet: 1", "must be true or false; found the number 1."),
        ("tip: sharp", "must be 'round' or 'flat'; found the text “sharp”."),
        ("name:", "must be text; found nothing."),
        ("name: abcdef", "is too long: at most 5 are taken."),
        ("ink: red", "must be keys with values, such as {key: value}; found the text “red”."),
        ("inks: {hue: red}", "must be a list; found keys with values."),
        ("drawer: 3", "must be keys with values, each on its own line; found the number 3."),
    ],
)
def test_wrong_values_are_told_with_what_was_expected_and_found(text: str, message: str) -> None:
    assert only_problem(text).message == message


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("name: 1984", 'Put it in quotes to use it as text: "1984".'),
        ("name: true", 'Put it in quotes to use it as text: "true".'),
        ("name: [a]", "Put the text in quotes if the brackets belong to it."),
        ("width: 0,75", "Write a point instead of the comma: 0.75."),
        ("width: '1.5'", "Remove the quotes."),
        ("wet: yes", "Write true."),
        ("wet: Off", "Write false."),
    ],
)
def test_common_slips_are_told_how_to_mend(text: str, advice: str) -> None:
    assert only_problem(text).advice == advice


def test_a_missing_key_is_named_on_the_line_around_it() -> None:
    problem = only_problem("", Sized)
    assert (problem.key, problem.line) == ("side", 0)
    assert "missing" in problem.message


def test_a_validators_own_words_reach_the_person_unchanged() -> None:
    error = refuse("braces {like} these stay", "Do {this}.")
    assert error.message() == "braces {like} these stay"
    assert error.context == {"message": "braces {like} these stay", "advice": "Do {this}."}


@pytest.mark.parametrize("value", ["x" * 5000, '"' + "a\\nb " * 900 + '"'])
def test_a_long_value_is_shortened_to_a_line(value: str) -> None:
    message = only_problem(f"tip: {value}").message
    assert len(message) < 120
    assert message.isprintable()


@pytest.mark.parametrize(
    ("word", "match"), [("strenght", "strength"), ("dur", "duration"), ("qqq", None)]
)
def test_nearest_finds_misspellings_and_beginnings(word: str, match: str | None) -> None:
    assert nearest(word, ["strength", "duration", "seed"]) == match
