"""Texts of strangers are set in the widths there are, whatever they hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from img2imgd.outputs.lettering import font
from img2imgd.outputs.typesetting import clean, text_width, wrap

HOSTILE = [
    "",
    "\x00\x01\x1b[31m",
    "line\r\nline\tline\u2028line",
    "\ud800 lone",
    "\u202eesrever\u202c",
    "مرحبا بالعالم " * 40,
    "夕焼けの湖畔のコテージ" * 40,
    "e" + "\u0301" * 5000,
    "👩‍👩‍👧‍👦" * 50,
    "x" * 10_000,
    "word " * 2_000,
    "\u200d\u200c",
    "\ufdd0\U0010ffff",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_fits_its_lines(text: str) -> None:
    lines = wrap(text, 14, 200, 3)
    assert len(lines) <= 3
    assert all(text_width(line, 14) <= 200 for line in lines)


@settings(deadline=None)
@given(st.text(max_size=200), st.integers(60, 900), st.integers(1, 4), st.booleans())
def test_no_line_is_wider_than_asked(text: str, width: int, lines: int, bold: bool) -> None:
    wrapped = wrap(text, 16, width, lines, bold=bold)
    assert len(wrapped) <= lines
    assert all(text_width(line, 16, bold=bold) <= width for line in wrapped)


@settings(deadline=None)
@given(st.lists(st.text("abcdefgh", min_size=1, max_size=8), min_size=1, max_size=12))
def test_words_stay_whole_and_in_order(words: list[str]) -> None:
    assert " ".join(wrap(" ".join(words), 12, 150, 30)).split() == words


def test_lines_without_foreign_letters_fit_in_the_font_of_those_with() -> None:
    lines = wrap("مرحبا " + "wide words of a mill " * 9, 14, 160, 9)
    face = font(14, "".join(lines))
    assert len(lines) > 3
    assert all(face.getlength(line) <= 160 for line in lines)


def test_a_text_that_is_cut_ends_with_an_ellipsis_behind_a_whole_word() -> None:
    lines = wrap("the whole of the Hudson River School of landscape painters", 14, 150, 2)
    assert len(lines) == 2
    assert lines[-1].endswith("…")
    assert lines[-1].removesuffix("…").split()[-1] in ("Hudson", "River", "School", "of")


def test_a_word_longer_than_a_line_is_broken() -> None:
    lines = wrap("Donaudampfschifffahrtsgesellschaft", 14, 100, 9)
    assert len(lines) > 1
    assert "".join(lines) == "Donaudampfschifffahrtsgesellschaft"


def test_a_letter_keeps_its_marks() -> None:
    text = "e\u0301" * 60
    assert all(line[0] == "e" for line in wrap(text, 14, 100, 9))


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (" a\ncat\t \x00by  the\u2028sea ", "a cat by the sea"),
        ("\u202ecat\u2066\ufeff", "cat"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\ud800cat", "cat"),
    ],
)
def test_only_what_can_be_printed_is_left(text: str, printed: str) -> None:
    assert clean(text) == printed
