"""Plain scalars by the core schema of YAML 1.2, not by 1.1."""

from __future__ import annotations

import pytest

from img2imgd.document import read_yaml
from img2imgd.document.scalars import Scalar, read_scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("16:9", "16:9"),
        ("1:30:00", "1:30:00"),
        ("2026-11-22", "2026-11-22"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("=", "="),
        ("nan", "nan"),
        ("inf", "inf"),
        ("0x", "0x"),
        ("1e", "1e"),
        (".", "."),
        ("-", "-"),
        ("0123", 123),
        ("+12", 12),
        ("-7", -7),
        ("0o17", 15),
        ("0xff", 255),
        ("1e-1", 0.1),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-0.75", -0.75),
        ("1.5E+2", 150.0),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("Null", None),
        ("nULL", "nULL"),
    ],
)
def test_plain_scalars_are_read_as_yaml_1_2_does(text: str, value: Scalar) -> None:
    read = read_scalar(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("text", ["'no'", '"12"', "'true'", '""', "'~'"])
def test_quoted_scalars_are_text(text: str) -> None:
    assert read_yaml("a.yaml", f"a: {text}".encode()).data == {"a": text[1:-1]}


@pytest.mark.parametrize("text", [".inf", "-.INF", "+.Inf", ".nan", ".NaN", "1e999", "-1e999"])
def test_numbers_that_are_not_finite_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no finite number"):
        read_scalar(text)


@pytest.mark.parametrize("text", ["1" * 5000, "-" + "9" * 41, "0x" + "f" * 5000])
def test_huge_integers_are_refused_by_their_length(text: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        read_scalar(text)
