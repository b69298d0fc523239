"""Which bytes are a text, and what is said of those that are not."""

from __future__ import annotations

import codecs

import pytest

from img2imgd.document import decode_text, read_yaml
from img2imgd.errors import DocumentError, Problem

TEXT = "prompt: café am See, 猫 🐈\n"


def problem_with(data: bytes) -> Problem:
    with pytest.raises(DocumentError) as caught:
        decode_text("cat.yaml", data)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    ],
    ids=["utf-8", "utf-8 with mark", "utf-16 little", "utf-16 big"],
)
def test_unicode_with_or_without_mark_is_read(data: bytes) -> None:
    assert decode_text("cat.yaml", data) == TEXT
    assert read_yaml("cat.yaml", data).data == {"prompt": "café am See, 猫 🐈"}


def test_latin_1_is_refused_with_the_byte_the_line_and_a_guess() -> None:
    problem = problem_with("seed: 1\nprompt: café\n".encode("latin-1"))
    assert problem.line == 2
    assert "0xe9" in problem.message
    assert "“é”" in problem.message
    assert "UTF-8" in problem.advice


def test_utf_16_that_ends_in_the_middle_is_refused() -> None:
    assert "UTF-16" in problem_with(codecs.BOM_UTF16_LE + b"a\0b").message


def test_utf_16_without_mark_is_recognised_by_its_nuls() -> None:
    assert "UTF-16" in problem_with("a: 1\n".encode("utf-16-le")).message


@pytest.mark.parametrize("code", [0x00, 0x07, 0x0B, 0x1B, 0x7F, 0x80, 0x9F, 0xFFFE, 0xFFFF])
def test_control_characters_are_refused_with_their_line(code: int) -> None:
    problem = problem_with(f"a: 1\nb: x{chr(code)}y\n".encode())
    assert problem.line == 2


def test_a_picture_named_like_a_sidecar_is_refused() -> None:
    assert problem_with(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").line == 1


def test_line_ends_are_made_one_kind() -> None:
    assert decode_text("a.txt", b"a\r\nb\rc\n") == "a\nb\nc\n"
