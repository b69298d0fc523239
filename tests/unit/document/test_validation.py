"""All problems at once, in words, with line, key and the nearest valid key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import pytest
from msgspec import Meta, field

from img2imgd.document import Check, Refused, Settings, nearest, read_yaml, validate
from img2imgd.errors import DocumentError, Problem


class Ink(Settings):
    synonyms: ClassVar[Mapping[str, str]] = {"colour": "hue"}

    hue: str = "black"
    drops: Annotated[int, Meta(ge=1, le=9)] = 1


class Pen(Settings):
    width: Annotated[float, Meta(gt=0, le=2)] | None = None
    tip: Literal["round", "flat"] = "round"
    wet: bool = False
    name: Annotated[str, Meta(max_length=5)] = ""
    start: int | None = field(default=None, name="from")
    ink: Ink = Ink()
    inks: tuple[Ink, ...] = ()
    drawer: dict[str, Ink] = field(default_factory=dict[str, Ink])
    spare: tuple[Pen, ...] | None = None


class Sized(Settings):
    side: int


def _no_hooks(value: object) -> object:
    if value == "many":
        raise Refused("braces {like} these stay", "Do {this}.")
    return value


def _as_list(value: object) -> object:
    return [value] if isinstance(value, int | str) else value


def _few(arms: tuple[int, ...]) -> tuple[int, ...]:
    if len(arms) > 2:
        raise Refused(f"at most two; found {arms}.")
    return arms


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
    assert pen == Pen(width=1.0, start=3, inks=(Ink(hue="red"),), drawer={"a": Ink(drops=2)})
    assert isinstance(pen.width, float)


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
        ("name: abcdef", "is too long: at most 5 characters are taken."),
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
        ("width: 60%", "Write 0.6."),
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


class Lamp(Settings):
    hooks: Annotated[int, Check(_no_hooks)] = 0
    arms: Annotated[tuple[int, ...], Check(_as_list, _few)] = ()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        lamp = cls(**values)
        if lamp.hooks and lamp.arms:
            raise Refused("hooks and arms exclude each other.")
        return lamp


def test_a_checks_own_words_reach_the_person_unchanged() -> None:
    problem = only_problem("\nhooks: many\n", Lamp)
    assert problem == Problem("braces {like} these stay", 2, "hooks", "Do {this}.")


def test_a_check_sees_what_was_written_and_then_what_it_became() -> None:
    assert validate(read_yaml("lamp.yaml", b"arms: 3"), Lamp).arms == (3,)
    assert only_problem("arms: [1, 2, 3]", Lamp).message == "at most two; found (1, 2, 3)."
    assert only_problem("arms: [1, x, 3]", Lamp).key == "arms.1"
    assert only_problem("arms: x", Lamp).key == "arms"


def test_rules_about_several_keys_name_the_place_that_holds_them() -> None:
    problem = only_problem("hooks: 1\narms: [1]\n", Lamp)
    assert (problem.message, problem.key) == ("hooks and arms exclude each other.", "")


def test_what_people_fill_in_cannot_be_changed_afterwards() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        setattr(Ink(), "hue", "red")  # noqa: B010 - the type checker knows better


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
