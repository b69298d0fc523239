"""What is wrong with a value, in the words of the person who wrote the file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

import msgspec

_SCALARS = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "text"),
}
_LIMITS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
_YES = {"yes": "true", "y": "true", "on": "true", "no": "false", "n": "false", "off": "false"}


def wording(kind: Any, metadata: Iterable[object], value: object) -> tuple[str, str]:
    """Message and advice for a value that a type (without ``Annotated``) does not take."""
    if get_origin(kind) is Literal:
        return f"must be {_one_of(get_args(kind))}; found {found(value)}.", ""
    if kind not in _SCALARS:
        return f"must be {_collection(kind)}; found {found(value)}.", ""
    classes, wanted = _SCALARS[kind]
    if not isinstance(value, classes) or isinstance(value, bool):
        return f"must be {wanted}; found {found(value)}.", _mending(kind, value)
    metas = [piece for piece in metadata if isinstance(piece, msgspec.Meta)]
    for meta in metas:
        if meta.max_length is not None and kind is str:
            return f"is too long: at most {meta.max_length:,} characters are taken.", ""
    limits = [
        f"{words} {limit:.10g}"
        for meta in metas
        for name, words in _LIMITS.items()
        if (limit := getattr(meta, name)) is not None
    ]
    return f"must be {' and '.join(limits)}; found {found(value)}.", ""


def found(value: object) -> str:
    """A value as a person would name it, short enough for a line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text “{shortened(value)}”"
    return "a list" if isinstance(value, list | tuple) else "keys with values"


def shortened(text: str) -> str:
    """At most 40 characters of a text, on one line."""
    line = " ".join(text[:200].split())
    return line if len(line) <= 40 else line[:39] + "…"


def _one_of(choices: tuple[object, ...]) -> str:
    *most, last = (repr(choice) for choice in choices)
    return f"{', '.join(most)} or {last}" if most else last


def _collection(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return "a list"
    if get_origin(kind) is dict:
        return "keys with values, each on its own line"
    return "keys with values, such as {key: value}"


def _mending(kind: Any, value: object) -> str:
    if kind is str and isinstance(value, int | float):
        text = msgspec.json.encode(value).decode()
        return f'Put it in quotes to use it as text: "{text}".'
    if kind is str and isinstance(value, list | dict):
        return "Put the text in quotes if the brackets belong to it."
    if not isinstance(value, str):
        return ""
    if kind is bool and value.lower() in _YES:
        return f"Write {_YES[value.lower()]}."
    if kind in (int, float):
        if re.fullmatch(r"[-+]?\d+,\d+", value):
            return f"Write a point instead of the comma: {value.replace(',', '.')}."
        if kind is float and (percent := re.fullmatch(r"(\d{1,3}) ?%", value)):
            return f"Write {int(percent[1]) / 100:g}."
        if re.fullmatch(r"[-+]?[\d.]+", value):
            return "Remove the quotes."
    return ""
