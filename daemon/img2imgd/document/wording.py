"""Pydantic's errors in the words of the person who wrote the file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_WANTED = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be keys with values, each on its own line",
    "model_type": "must be keys with values, such as {key: value}",
    "none_required": "must be left out",
}
_LIMITS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
_LIMIT_FAULTS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")
_YES = {"yes": "true", "y": "true", "on": "true", "no": "false", "n": "false", "off": "false"}


def wording(fault: Any, bounds: Mapping[str, float]) -> tuple[str, str]:
    """Message and advice for one of pydantic's error dicts.

    ``bounds`` holds the field's own limits by their names in pydantic (gt, ge, lt, le).
    """
    kind, context, value = fault["type"], fault.get("ctx", {}), fault.get("input")
    if kind == "refused":
        return context["message"], context["advice"]
    if kind == "missing":
        return "this key is missing.", ""
    if kind in _LIMIT_FAULTS:
        limits = bounds or {k: v for k, v in context.items() if k in _LIMITS}
        text = " and ".join(f"{_LIMITS[k]} {v:.10g}" for k, v in sorted(limits.items()))
        return f"must be {text}; found {found(value)}.", ""
    if kind == "literal_error":
        return f"must be {context['expected']}; found {found(value)}.", ""
    if kind in ("string_too_long", "too_long"):
        return f"is too long: at most {context['max_length']:,} are taken.", ""
    if kind in ("string_too_short", "too_short"):
        return "must not be empty.", ""
    if kind in _WANTED:
        return f"{_WANTED[kind]}; found {found(value)}.", _mending(kind, value)
    return f"{fault['msg']}; found {found(value)}.", ""


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


def _mending(kind: str, value: object) -> str:
    if kind == "string_type" and isinstance(value, int | float):
        text = json.dumps(value)
        return f'Put it in quotes to use it as text: "{text}".'
    if kind == "string_type" and isinstance(value, list | dict):
        return "Put the text in quotes if the brackets belong to it."
    if not isinstance(value, str):
        return ""
    if kind == "bool_type" and value.lower() in _YES:
        return f"Write {_YES[value.lower()]}."
    if kind in ("int_type", "float_type"):
        if re.fullmatch(r"[-+]?\d+,\d+", value):
            return f"Write a point instead of the comma: {value.replace(',', '.')}."
        if re.fullmatch(r"[-+]?[\d.]+", value):
            return "Remove the quotes."
    return ""
