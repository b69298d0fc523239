"""Plain scalars as the core schema of YAML 1.2 reads them (specification, section 10.3.2).

PyYAML reads YAML 1.1, where ``no`` is false, ``16:9`` is 969, ``0123`` is 83 and ``1e-1`` is text.
"""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

MAX_DIGITS = 40
"""Longest integer, in characters; no setting needs more than ten digits."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def read_scalar(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar.

    Raises:
        ValueError: not finite, or longer than any number can be meant; the text is for a person.
    """
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    for pattern, base in ((_DECIMAL, 10), (_OCTAL, 8), (_HEX, 16)):
        if pattern.fullmatch(text):
            if len(text) > MAX_DIGITS:
                raise ValueError(f"the number {text[:12]}… has {len(text):,} digits, too many.")
            return int(text, base)
    if _FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        return _finite(text)
    return text


def _finite(text: str) -> float:
    value = float(text.replace(".i", "i").replace(".I", "I").replace(".n", "n").replace(".N", "N"))
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no finite number.")
    return value
