"""Sidecar files by extension, and that no bytes at all can do more than be refused."""

from __future__ import annotations

import contextlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imgd.errors import DocumentError
from img2imgd.request import RequestKeys, parse_sidecar, read_defaults, read_sidecar


@pytest.mark.parametrize("name", ["cat.yaml", "cat.yml", "CAT.YAML", "cat.png.yaml"])
def test_yaml_is_read_by_either_extension_in_any_case(name: str) -> None:
    assert read_sidecar(name, b"prompt: a cat") == RequestKeys(prompt="a cat")


def test_text_is_a_prompt() -> None:
    assert read_sidecar("cat.txt", "ein Häuschen: am See\n".encode()) == RequestKeys(
        prompt="ein Häuschen: am See"
    )


def test_keys_in_a_txt_are_not_taken_for_its_prompt() -> None:
    for name in ("cat.txt", "cat.yaml.txt"):
        with pytest.raises(DocumentError) as refused:
            read_sidecar(name, b"strength: 0.6\r\nprompt: a cat\r\n")
        assert str(refused.value) == (
            f"{name}: line 2, prompt: in a .txt file all of the text is the prompt, keys too. "
            "Rename it to cat.yaml, or leave nothing in it but the prompt itself."
        )


def test_formatted_text_is_no_prompt() -> None:
    with pytest.raises(DocumentError, match=r"RTF.*Save it as plain text"):
        read_sidecar("cat.txt", b"{\\rtf1\\ansi a cat\\par}")


def test_infotext_tells_what_it_passed_over() -> None:
    sidecar = parse_sidecar("cat.TXT", b"a cat\nSteps: 20, Sampler: Restart, Seed: 3")
    assert sidecar.keys == RequestKeys(prompt="a cat", steps=20, seed=3)
    assert sidecar.keys.passed_over == ("Sampler",)


@pytest.mark.parametrize("name", ["cat.yaml", "cat.txt"])
def test_an_empty_sidecar_asks_for_the_defaults(name: str) -> None:
    assert read_sidecar(name, b"") == RequestKeys()


def test_a_name_of_another_kind_is_refused() -> None:
    with pytest.raises(DocumentError, match="not the name of a sidecar"):
        read_sidecar("cat.json", b"{}")


def test_warnings_come_with_the_sidecar() -> None:
    sidecar = parse_sidecar("cat.yaml", b"seed: 1\nprompt: cat #1\n")
    assert [(w.line, w.key) for w in sidecar.warnings] == [(2, "prompt")]


def test_keys_know_where_they_were_read_and_are_equal_all_the_same() -> None:
    one, two = (read_sidecar(name, b"\nprompt: a\n") for name in ("one.yaml", "two.yaml"))
    assert one.origin("prompt") == ("one.yaml", 2)
    assert one == two == RequestKeys(prompt="a")
    assert RequestKeys(prompt="a").origin("prompt") == ("", 0)
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301 - made a line above


def test_text_in_latin_1_is_refused_in_a_txt_too() -> None:
    with pytest.raises(DocumentError, match="UTF-8"):
        read_sidecar("cat.txt", "café".encode("latin-1"))


NAMES = st.sampled_from(["cat.yaml", "cat.txt"])
WORDS = "prompt sweep strength from size gif : [ ] { } 0.5 1e999 -1 keep null ' # &a *a !x | > % @"
PIECES = st.sampled_from(
    [
        *WORDS.split(),
        ": ",
        "- ",
        ", ",
        " ",
        "  ",
        "\n",
        "\t",
        '"',
        "\\",
        "---\n",
        "Steps: ",
        "\0",
        "é",
    ]
)


def is_read_or_refused(name: str, data: bytes) -> None:
    for read in (read_sidecar, read_defaults):
        with contextlib.suppress(DocumentError):
            assert isinstance(read(name, data), RequestKeys)


@given(name=NAMES, data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(name: str, data: bytes) -> None:
    is_read_or_refused(name, data)


@given(name=NAMES, pieces=st.lists(PIECES, max_size=30))
def test_anything_that_looks_like_yaml_is_read_or_refused(name: str, pieces: list[str]) -> None:
    is_read_or_refused(name, "".join(pieces).encode())
