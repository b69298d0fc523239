r"""Choices in prompts: ``{oil|ink} study`` becomes one of its words, the same for the same seed.

The grammar is that of Dynamic Prompts (github.com/adieyal/sd-dynamic-prompts, docs/SYNTAX.md) as
far as one text goes: options, also empty and nested ones, weights ``{2::oil|ink}``, several picks
``{2$$oil|ink|gouache}``, ``{1-2$$ and $$oil|ink|gouache}``. Braces without a bar inside, or without
a partner, are themselves; ``\{``, ``\|`` and ``\}`` always are.

What is drawn must never change between versions, or the same seed would no longer give the same
picture. Each draw is a number (:class:`_Numbers`): SHA-256 over the seed, the whole text, the place
of the choice's brace in it and what is drawn, so that two choices of a text are independent.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeVar

T = TypeVar("T")

MAX_PICKS = 99  # as many as two digits say
MAX_SEPARATOR = 20  # characters between several picks; it is repeated, so it is kept short

_SIGN = re.compile(r"\\[{|}]|[{|}]")
_PICKS = re.compile(
    rf"\s*(?:(\d{{1,2}})|(\d{{0,2}})-(\d{{0,2}}))\$\$(?:([^{{|}}$\\]{{0,{MAX_SEPARATOR}}})\$\$)?",
    re.ASCII,
)
_WEIGHT = re.compile(r"\s*(\d{1,6})(?:\.(\d{1,6}))?::", re.ASCII)
_UNIT = 1_000_000  # weights are whole multiples of one over this: no rounding, on any machine


@dataclass
class _Option:
    """An option while it is read: what it has become so far, and how it was introduced."""

    introduced: str
    weight: int = _UNIT
    parts: list[str] = field(default_factory=list[str])


@dataclass
class _Choice:
    """A brace that is open: where it stands, how many options are to be picked, and the options."""

    at: int
    introduced: str = "{"
    fewest: int = 1
    most: int = 1
    separator: str = ", "
    options: list[_Option] = field(default_factory=list[_Option])


def draw(template: str, seed: int, fill: Mapping[str, str] | None = None) -> str:
    """The template with its choices made; ``fill`` gives texts for placeholders such as {prompt}.

    The time is linear in the number of braces, for any template; none is refused.
    """
    if "{" not in template and "\\" not in template:
        return template
    return _Drawing(template, seed, fill or {}).result()


def literal(text: str) -> str:
    """A template that :func:`draw` turns into this text again, whatever the seed."""
    may_choose = all(sign in text for sign in "{|}")
    if not may_choose and not re.search(r"\\[{|}]", text):
        return text
    return re.sub(r"[{|}]", r"\\\g<0>", text)


def has_choices(template: str) -> bool:
    """True when two seeds may draw different texts."""
    drawing = _Drawing(template, 0, {})
    drawing.result()
    return drawing.chosen > 0


def choose(items: Sequence[T], count: int, seed: int, key: Sequence[str]) -> tuple[T, ...]:
    """So many of the items, in their own order: those whose ``key`` ranks lowest for this seed.

    An item that is added or removed changes no more than one of the others' places.
    """
    ranked = sorted(range(len(items)), key=lambda at: (_Numbers(seed, key[at]).of("choose"), at))
    return tuple(items[at] for at in sorted(ranked[:count]))


class _Drawing:
    """One pass over a template, without recursion: open braces wait on a stack of their own."""

    def __init__(self, template: str, seed: int, fill: Mapping[str, str]) -> None:
        self.template = template
        self.numbers = _Numbers(seed, template)
        self.fill = fill
        self.chosen = 0
        self.base: list[str] = []
        self.open: list[_Choice] = []
        self.at = 0

    def result(self) -> str:
        """Read to the end; a brace that is still open then is itself."""
        while sign := _SIGN.search(self.template, self.at):
            self._text(self.template[self.at : sign.start()])
            self.at = sign.end()
            if sign[0] == "{":
                self._begin(sign.start())
            elif sign[0] == "|" and self.open:
                self._next_option("|")
            elif sign[0] == "}" and self.open:
                self._end()
            else:
                self._text(sign[0][-1])  # escaped, or outside of any brace
        self._text(self.template[self.at :])
        while self.open:
            self._text(_as_written(self.open.pop()))
        return "".join(self.base)

    def _text(self, text: str) -> None:
        (self.open[-1].options[-1].parts if self.open else self.base).append(text)

    def _begin(self, at: int) -> None:
        choice = _Choice(at)
        if picks := _PICKS.match(self.template, self.at):
            exactly, fewest, most, separator = picks.groups()
            choice.introduced += picks[0]
            choice.fewest = int(exactly or fewest or 1)
            choice.most = int(exactly or most or MAX_PICKS)
            choice.separator = ", " if separator is None else separator
            self.at = picks.end()
        self.open.append(choice)
        self._next_option("")

    def _next_option(self, bar: str) -> None:
        option = _Option(bar)
        if weight := _WEIGHT.match(self.template, self.at):
            whole, parts = weight.groups(default="")
            option.introduced += weight[0]
            option.weight = int(whole) * _UNIT + int(parts.ljust(6, "0"))
            self.at = weight.end()
        self.open[-1].options.append(option)

    def _end(self) -> None:
        choice = self.open.pop()
        within = self.template[choice.at + 1 : self.at - 1]
        if len(choice.options) > 1:
            self.chosen += 1
            self._text(self._picked(choice))
        elif within in self.fill:
            self._text(self.fill[within])
        else:
            self._text(_as_written(choice) + "}")

    def _picked(self, choice: _Choice) -> str:
        """Options one after the other, each by its weight among those that are left."""
        left = [option for option in choice.options if option.weight] or list(choice.options)
        fewest, most = sorted(min(bound, len(left)) for bound in (choice.fewest, choice.most))
        many = fewest + self.numbers.below(most - fewest + 1, f"{choice.at} many")
        picked: list[str] = []
        for pick in range(many):
            ends = list(accumulate(option.weight for option in left))
            mark = self.numbers.below(ends[-1] or len(left), f"{choice.at} pick {pick}")
            option = left.pop(bisect_right(ends, mark) if ends[-1] else mark)
            picked.append("".join(option.parts))
        return choice.separator.join(picked)


class _Numbers:
    """Numbers that depend on a seed, a text and what each is for, and on nothing else."""

    def __init__(self, seed: int, text: str) -> None:
        import hashlib  # late: most prompts hold no braces, and most commands draw nothing

        self._begun = hashlib.sha256(f"{seed}\0{text}\0".encode("utf-8", "surrogatepass"))

    def below(self, limit: int, what: str) -> int:
        """A number from 0 to ``limit`` - 1; of 256 bits, the remainder favours none visibly."""
        return self.of(what) % limit

    def of(self, what: str) -> int:
        """A number of 256 bits."""
        digest = self._begun.copy()
        digest.update(what.encode("ascii"))
        return int.from_bytes(digest.digest(), "big")


def _as_written(choice: _Choice) -> str:
    """A brace that chooses nothing; what was drawn inside it stays drawn."""
    options = (option.introduced + "".join(option.parts) for option in choice.options)
    return choice.introduced + "".join(options)
