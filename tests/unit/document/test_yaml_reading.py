"""Strict YAML: what is read, what is refused, and on which line."""

from __future__ import annotations

import time

import pytest

from img2imgd.document import read_yaml
from img2imgd.errors import DocumentError, Problem


def problems_of(text: str | bytes) -> tuple[Problem, ...]:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(DocumentError) as caught:
        read_yaml("cat.yaml", data)
    assert caught.value.name == "cat.yaml"
    return caught.value.problems


def only_problem(text: str | bytes) -> Problem:
    problems = problems_of(text)
    assert len(problems) == 1, problems
    return problems[0]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n", "---\n", "null\n", "~"])
def test_an_empty_file_is_an_empty_mapping(text: str) -> None:
    assert read_yaml("cat.yaml", text.encode()).data == {}


def test_lists_and_mappings_nest_in_both_styles() -> None:
    text = b"a: [1, {b: x}]\nc:\n  - d: 1\n    e: 2\n  - f\n'g': \"h # i\"\n"
    assert read_yaml("cat.yaml", text).data == {
        "a": [1, {"b": "x"}],
        "c": [{"d": 1, "e": 2}, "f"],
        "g": "h # i",
    }


def test_every_value_knows_its_line() -> None:
    document = read_yaml("cat.yaml", b"# one\na: 1\nb:\n  - x\n  - c:\n      d: 2\n")
    assert document.line(("a",)) == 2
    assert document.line(("b",)) == 3
    assert document.line(("b", 0)) == 4
    assert document.line(("b", 1, "c", "d")) == 6


def test_a_value_that_is_not_there_has_the_line_of_what_is_around_it() -> None:
    document = read_yaml("cat.yaml", b"a: 1\nsweep: {strength: {from: 1}}\n")
    assert document.line(("sweep", "strength", "to")) == 2
    assert document.line(("nowhere",)) == 0


def test_block_texts_keep_their_lines() -> None:
    document = read_yaml("cat.yaml", b"prompt: |\n  a cat\n  on a mat\nother: >\n  a\n  b\n")
    assert document.data == {"prompt": "a cat\non a mat\n", "other": "a b\n"}


def test_crlf_and_lone_cr_end_lines() -> None:
    document = read_yaml("cat.yaml", b"a: 1\r\nb: 2\rc: 3\r\n")
    assert document.data == {"a": 1, "b": 2, "c": 3}
    assert document.line(("c",)) == 3


def test_a_line_separator_from_a_web_page_does_not_break_the_line() -> None:
    text = "prompt: a cat\u2028on a mat\x85now\nb: 1\n"
    document = read_yaml("cat.yaml", text.encode())
    assert document.data == {"prompt": "a cat on a mat now", "b": 1}
    assert document.line(("b",)) == 2


def test_duplicate_keys_name_both_lines() -> None:
    problem = only_problem("seed: 1\nn: 2\nseed: 3\n")
    assert (problem.line, problem.key) == (3, "seed")
    assert "line 1" in problem.message


def test_duplicate_keys_are_found_at_any_depth() -> None:
    assert only_problem("a:\n  - b: 1\n    b: 2\n").key == "a.0.b"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a: &x 1\n", "anchor"),
        ("a: !!python/object:os.system x\n", "!!python/object:os.system"),
        ("a: !wow x\n", "tag"),
        ("a: !!int '3'\n", "tag"),
        ("a: ! x\n", "tag"),
        ("!!map {a: 1}\n", "tag"),
        ("!!str a: 1\n", "tag"),
        ("<<: {a: 1}\n", "merge"),
        ("? [a]\n: 1\n", "key must be a word"),
        ("a: 1\n---\nb: 2\n", "second document"),
    ],
)
def test_what_can_surprise_is_refused_by_name(text: str, word: str) -> None:
    assert word in only_problem(text).message


def test_an_alias_and_its_anchor_are_both_reported() -> None:
    problems = problems_of("a: &x 1\nb: *x\n")
    assert [problem.line for problem in problems] == [1, 2]
    assert "anchor" in problems[0].message
    assert "alias" in problems[1].message


def test_emphasis_in_a_prompt_is_told_to_be_quoted() -> None:
    problem = only_problem("prompt: *bold* cat\n")
    assert problem.line == 1
    assert "quotes" in problem.advice


def test_all_structural_problems_are_told_at_once() -> None:
    problems = problems_of("a: 1\na: 2\nb: !x 3\nc: .nan\n")
    assert [problem.line for problem in problems] == [2, 3, 4]


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("a: 1\n\tb: 2\n", 2, "tab"),
        ("a:\n\t- b\n", 2, "tab"),
        ("prompt: a cat: a dog\n", 1, "second colon"),
        ("a: 1\n  b: 2\n", 2, "continues"),
        ('a: 1\nprompt: "a cat\n', 2, "quote"),
        ('prompt: "a" cat\n', 1, "does not fit"),
        ('prompt: "C:\\pictures"\n', 1, "backslash"),
        ("a: @x\n", 1, "begin with this"),
        ("a: 1\nb: %x\n", 2, "begin with this"),
        ("a: - b\n", 1, "begin with this"),
        ("a: b\nc\n", 2, "key: value"),
        ("sizes: [1, 2\n", 1, "`[`"),
        ("gif: {loop: 1\n", 1, "`{`"),
        ("a:\n  - 1\n  b: 2\n", 3, "list"),
        ("b: 1\nprompt: {oil|ink} lake\n", 2, "begins with a brace"),
        ("style:\n  - {oil|ink} lake\n", 2, "begins with a brace"),
        ("gif: {loop: 1}\n cat\n", 2, "does not fit"),
    ],
)
def test_syntax_errors_are_told_in_plain_words(text: str, line: int, word: str) -> None:
    problem = only_problem(text)
    assert problem.line == line
    assert word in problem.message
    assert problem.advice


@pytest.mark.parametrize("text", ["- a\n- b\n", "a cottage by a lake\n", "42\n", "[a]\n"])
def test_a_document_without_keys_is_told_how_to_begin(text: str) -> None:
    assert "`prompt: a cottage by a lake`" in only_problem(text).advice


def test_a_missing_space_after_the_colon_is_pointed_out() -> None:
    assert "`prompt: a cat`" in only_problem("prompt:a cat\n").advice


def test_deep_nesting_is_refused_quickly() -> None:
    before = time.monotonic()
    for text in ("[" * 50_000, "{a: " * 12_000, "a: " + "[" * 50_000):
        assert "nested" in only_problem(text).message
    assert time.monotonic() - before < 10


def test_an_alias_bomb_does_not_go_off() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert all("anchor" in p.message or "alias" in p.message for p in problems_of(bomb))


def test_too_many_values_are_refused() -> None:
    assert "values" in only_problem("a: [" + "1," * 20_000 + "]").message


def test_a_large_file_is_refused_before_it_is_read() -> None:
    problem = only_problem(b"#" * 65_537)
    assert "65,536" in problem.message
    assert read_yaml("c.yaml", b"#" * 65_537, max_bytes=70_000).data == {}


@pytest.mark.parametrize("text", ['a: "\\0"', 'a: "\\ud800"', 'a: "\\x07"', 'a: "\\UFFFFFFFF"'])
def test_escapes_cannot_smuggle_what_the_text_may_not_hold(text: str) -> None:
    assert only_problem(text + "\n")


def test_an_escape_beyond_unicode_is_named_with_its_line() -> None:
    problem = only_problem('a: "\\U0001F408"\nb: "\\UFFFFFFFF"\n')
    assert problem.line == 2
    assert "no character" in problem.message


@pytest.mark.parametrize("key", ['"\\ud800"', '"a\\nb"', '""', "", "x" * 101, '"\\e[2J"'])
def test_keys_that_could_garble_a_message_are_refused(key: str) -> None:
    problem = only_problem(f"{key}: 1\n")
    assert problem.line == 1
    assert str(problem).isprintable()


def test_a_thousand_problems_are_told_as_fifty() -> None:
    assert len(problems_of("a: 1\n" * 1000)) == 50


def test_text_that_ends_at_a_number_sign_is_warned_of() -> None:
    document = read_yaml("cat.yaml", b"n: 2\nprompt: cat #1\n")
    assert document.data["prompt"] == "cat"
    assert [(w.line, w.key) for w in document.warnings] == [(2, "prompt")]


@pytest.mark.parametrize("line", ["prompt: cat # a comment", 'prompt: "cat #1"', "n: 2 #two"])
def test_ordinary_comments_and_quoted_signs_are_not_warned_of(line: str) -> None:
    assert read_yaml("cat.yaml", line.encode()).warnings == ()
