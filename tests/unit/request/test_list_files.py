"""Lists as files: which names are lists, and how their lines and tables are read."""

from __future__ import annotations

import contextlib
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imgd.errors import DocumentError, Problem
from img2imgd.request import StyleTexts, describe_list, is_list_name, read_sidecar
from img2imgd.request.lists import MAX_LIST_BYTES, MAX_PROMPT, read_lines
from img2imgd.request.styles import Style, read_styles

T = TypeVar("T")

STYLES = (
    "\ufeffname,prompt,negative_prompt\r\n"
    'Watercolour,"{prompt}, watercolour,\r\nsoft light","photo, ""3d"""\r\n'
    "\r\n"
    "Ink,ink drawing\r\n"
    "None,,\r\n"
)


def problem_of(name: str, text: str | bytes) -> Problem:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(DocumentError) as caught:
        describe_list(name, data)
    assert caught.value.name == name
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("name", "is_list"),
    [
        ("artists.csv", True),
        ("ARTISTS.CSV", True),
        ("_prompts.txt", True),
        ("_Prompts.TXT", True),
        ("prompts.txt", False),
        ("_defaults.yaml", False),
        ("_cat.png", False),
        ("csv", False),
    ],
)
def test_which_names_are_lists(name: str, is_list: bool) -> None:
    assert is_list_name(name) is is_list


def test_lines_are_trimmed_and_blank_ones_comments_and_repetitions_skipped() -> None:
    text = "# my prompts\n\n  a cat  \n\ta dog\r\n # not this\na cat\na #1 cat\n"
    assert read_lines("_prompts.txt", text.encode()) == ("a cat", "a dog", "a #1 cat")
    assert read_lines("_prompts.txt", "\ufeffé".encode()) == ("é",)
    assert read_lines("_prompts.txt", "é\n猫".encode("utf-16")) == ("é", "猫")


@pytest.mark.parametrize("heading", ["artist", "Artists", " style ", "name", "Prompt", '"name"'])
def test_a_table_gives_its_first_column_without_the_heading(heading: str) -> None:
    text = f'{heading},born\n"Rungius, Carl",1869\n\nThomas Moran,1837\n'
    assert read_lines("artists.csv", text.encode()) == ("Rungius, Carl", "Thomas Moran")


def test_a_first_row_that_is_no_heading_is_an_entry() -> None:
    assert read_lines("a.csv", b"carl rungius\nartist\n") == ("carl rungius", "artist")
    assert read_lines("_a.txt", b"artist\nstyle\n") == ("artist", "style")


def test_a_table_of_styles_is_read_as_the_web_ui_reads_it() -> None:
    assert read_styles("styles.csv", STYLES.encode()) == (
        Style("Watercolour", StyleTexts("{prompt}, watercolour, soft light", 'photo, "3d"')),
        Style("Ink", StyleTexts("ink drawing")),
        Style("None", StyleTexts("{prompt}")),
    )
    old = read_styles("old.csv", b"name,text\nInk,ink drawing\n")
    assert old == (Style("Ink", StyleTexts("ink drawing")),)


def test_of_two_styles_with_one_name_the_last_is_meant() -> None:
    styles = read_styles("styles.csv", b"name,prompt\nInk,first\nOil,oil\nInk,last\n")
    assert {style.name: style.texts.prompt for style in styles or ()} == {
        "Ink": "last",
        "Oil": "oil",
    }


@pytest.mark.parametrize("text", ["artist\nx\n", "", "name\nx\n", "style,prompt\nx,y\n"])
def test_other_tables_and_texts_have_no_named_styles(text: str) -> None:
    assert read_styles("artists.csv", text.encode()) is None
    assert read_styles("_styles.txt", STYLES.encode()) is None


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("_a.txt", "", 0, "no lines"),
        ("_a.txt", "# only\n\n", 0, "no lines"),
        ("a.csv", "artist\n", 0, "no lines"),
        ("_a.txt", b"a\ncaf\xe9\n", 2, "0xe9"),
        ("_a.txt", b"a\n\0b", 2, "NUL"),
        ("_a.txt", "a\n" + "x" * (MAX_PROMPT + 1), 2, "too long"),
        ("_a.txt", b"x" * (MAX_LIST_BYTES + 1), 0, "1,048,576 bytes"),
        ("_a.txt", "a cat\n--prompt 'x' --steps 30\n", 2, "begins with --"),
        ("a.csv", '"a"\n"b\nc\n', 3, "never closed"),
        ("a.csv", 'a\n"b" c\n', 2, "followed by more text"),
        ("a.csv", "a\n" + "x" * 200_000, 2, ""),
        ("s.csv", "name,prompt\nInk,ink,thick,lines\n", 2, "has 4 values, and the first row 2"),
        ("s.csv", "name,prompt\n,ink\n", 2, "no name"),
        ("s.csv", "name;prompt;negative_prompt\nInk;ink;\n", 1, "semicolons"),
        ("s.csv", f"name,prompt\na,{'x' * (MAX_PROMPT + 1)}\n", 2, "too long"),
    ],
)
def test_what_is_wrong_with_a_list_is_told_with_its_line(
    name: str, text: str | bytes, line: int, words: str
) -> None:
    problem = problem_of(name, text)
    assert problem.line == line
    assert words in problem.message


def test_a_list_is_described_in_a_few_words() -> None:
    assert describe_list("_a.txt", b"a\nb\n") == "a list of 2 lines"
    assert describe_list("styles.csv", b"name,prompt\nInk,ink\n") == "a list of 1 style"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../a.csv", "another folder"),
        ("/etc/a.csv", "another folder"),
        ("sub\\\\a.csv", "another folder"),
        (".a.csv", "hidden"),
        (" ", "hidden or empty"),
        ("notes.txt", "not the name of a list"),
        ("photo.png", "not the name of a list"),
        ("_defaults.yaml", "not the name of a list"),
    ],
)
@pytest.mark.parametrize("key", ["prompt", "style"])
def test_only_a_list_can_be_named_and_only_by_its_name(key: str, name: str, words: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_sidecar("cat.yaml", f'{key}: {{from: "{name}"}}'.encode())
    (problem,) = caught.value.problems
    assert words in problem.message
    assert problem.key.endswith("from")


def test_a_text_file_that_is_no_list_is_told_how_to_become_one() -> None:
    with pytest.raises(DocumentError, match=r"rename it to _notes\.txt"):
        read_sidecar("cat.yaml", b"prompt: {from: notes.txt}")


@given(st.binary(max_size=200) | st.text('abc,"\n;{}|-#', max_size=60).map(str.encode))
def test_any_bytes_are_a_list_or_refused(data: bytes) -> None:
    for name in ("_a.txt", "a.csv"):
        with contextlib.suppress(DocumentError):
            assert all(read_lines(name, data))
        with contextlib.suppress(DocumentError):
            read_styles(name, data)
