r"""Prompt weights in AUTOMATIC1111's syntax, as prompts on CivitAI have them.

``(barn:1.3)`` is a weight of 1.3, ``(barn)`` of 1.1, ``[barn]`` of 1/1.1; they multiply where
brackets stand in brackets. ``\(``, ``\)``, ``\[``, ``\]`` and ``\\`` are the signs themselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Weighted = tuple[str, float]

ADDED_NETWORK = re.compile(r"<(?:lora|lyco|hypernet):[^<>]*>")
"""The tag by which A1111 adds a LoRA; it stands in prompts and is no part of them."""

_STRONGER = 1.1
_SIGN = re.compile(
    r"\\(?P<plain>[()\[\]\\])|:\s*(?P<weight>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))\s*\)"
    r"|(?P<open>[(\[])|(?P<close>[)\]])|(?P<new>\s*\bBREAK\b\s*)"
)


@dataclass
class _Bracket:
    """An opening or closing bracket; without a partner (``factor`` None) it is a text."""

    sign: str
    opens: bool
    written: str
    factor: float | None = None


def read_emphasis(prompt: str) -> list[list[Weighted]]:
    """The prompt's texts with their weights, in chunks that ``BREAK`` parts; never raises.

    Texts next to each other differ in weight. Brackets without a partner are texts.
    """
    chunks: list[list[Weighted]] = [[]]
    factors: dict[str, list[float]] = {"(": [1.0], "[": [1.0]}
    for part in _parts(prompt):
        if part is None:
            chunks.append([])
        elif isinstance(part, _Bracket) and part.factor is not None:
            inside = factors[part.sign]
            if part.opens:
                inside.append(inside[-1] * part.factor)
            else:
                inside.pop()
        else:
            text = part if isinstance(part, str) else part.written
            _add(chunks[-1], text, factors["("][-1] * factors["["][-1])
    return chunks


def _add(chunk: list[Weighted], text: str, weight: float) -> None:
    if chunk and chunk[-1][1] == weight:
        text = chunk.pop()[0] + text
    if text:
        chunk.append((text, weight))


def _parts(prompt: str) -> list[str | _Bracket | None]:
    """Texts and brackets, which know their partners' factor; None for the start of a chunk."""
    parts: list[str | _Bracket | None] = []
    waiting: dict[str, list[_Bracket]] = {"(": [], "[": []}
    at = 0
    for found in _SIGN.finditer(prompt):
        parts.append(prompt[at : found.start()])
        at = found.end()
        if found["new"] is not None:
            parts.append(None)
        elif found["plain"] is not None:
            parts.append(found["plain"])
        elif found["open"] is not None:
            bracket = _Bracket(found["open"], opens=True, written=found[0])
            waiting[bracket.sign].append(bracket)
            parts.append(bracket)
        else:
            bracket = _Bracket("[" if found["close"] == "]" else "(", opens=False, written=found[0])
            if waiting[bracket.sign]:
                factor = 1 / _STRONGER if bracket.sign == "[" else _STRONGER
                bracket.factor = float(found["weight"]) if found["weight"] else factor
                waiting[bracket.sign].pop().factor = bracket.factor
            parts.append(bracket)
    parts.append(prompt[at:])
    return parts
