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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import TypeVar

T = TypeVar("T")

MAX_OPTIONS = 1000  # that a new request may have in one text; old ones are drawn as they are
MAX_PICKS = 99  # as many as two digits say
MAX_SEPARATOR = 20  # characters between several picks; it is repeated, so it is kept short

_SIGN = re.compile(r"\\[{|}]|[{|}]")
_PICKS = re.compile(
    rf"\s*(?:(\d{{1,2}})|(\d{{0,2}})-(\d{{0,2}}))\$\$(?:([^{{|}}$\\]{{0,{MAX_SEPARATOR}}})\$\$)?",
    re.ASCII,
)
_WEIGHT = re.compile(r"\s*(\d{1,6})(?:\.(\d{1,6}))?::", re.ASCII)
_UNIT = 1_000_000  # weights are whole multiples of one over this: no rounding, on any machine


Part = str | int
"""A text, or the number of a closed brace whose text depends on seed or filling."""


@dataclass
class _Option:
    """An option, and how it was introduced."""

    introduced: str
    weight: int = _UNIT
    parts: list[Part] = field(default_factory=list[Part])


@dataclass
class _Brace:
    """A brace: where it stands, how many options are to be picked, and the options.

    Once it is closed it is a choice with its ``ends``, the weights summed up; a placeholder, with
    its ``name``; or as it was written, with choices inside.
    """

    at: int
    introduced: str = "{"
    fewest: int = 1
    most: int = 1
    separator: str = ", "
    options: list[_Option] = field(default_factory=list[_Option])
    ends: tuple[int, ...] = ()
    name: str = ""

    def as_written(self) -> Iterator[Part]:
        """The parts of a brace that chooses nothing; what is drawn inside it stays drawn."""
        yield self.introduced
        for option in self.options:
            yield option.introduced
            yield from option.parts


def draw(template: str, seed: int, fill: Mapping[str, str] | None = None) -> str:
    """The template with its choices made; ``fill`` gives texts for placeholders such as {prompt}.

    Any template is drawn; :func:`count_options` says what it costs.
    """
    if "{" not in template and "\\" not in template:
        return template
    fill = fill or {}
    return _parse(template, tuple(fill)).drawn(_Numbers(seed, template), fill)


def count_options(template: str) -> int:
    """How many options the choices of a template have, all together."""
    if "|" not in template:
        return 0
    return sum(len(brace.options) for brace in _parse(template).braces if brace.ends)


def literal(text: str) -> str:
    """A template that :func:`draw` turns into this text again, whatever the seed."""
    may_choose = all(sign in text for sign in "{|}")
    if not may_choose and not re.search(r"\\[{|}]", text):
        return text
    return re.sub(r"[{|}]", r"\\\g<0>", text)


def has_choices(template: str) -> bool:
    """True when two seeds may draw different texts."""
    return count_options(template) > 0


def choose(items: Sequence[T], count: int, seed: int, key: Sequence[str]) -> tuple[T, ...]:
    """So many of the items, in their own order: those whose ``key`` ranks lowest for this seed.

    An item that is added or removed changes no more than one of the others' places.
    """
    ranked = sorted(range(len(items)), key=lambda at: (_Numbers(seed, key[at]).of("choose"), at))
    return tuple(items[at] for at in sorted(ranked[:count]))


@dataclass(frozen=True)
class _Template:
    """A template as it was read: its parts, and the braces they count, inner ones first."""

    parts: Sequence[Part]
    braces: Sequence[_Brace]

    def drawn(self, numbers: _Numbers, fill: Mapping[str, str]) -> str:
        """The text that these numbers draw."""
        texts: list[str] = []

        def text(parts: Iterable[Part]) -> str:
            return "".join([part if isinstance(part, str) else texts[part] for part in parts])

        for brace in self.braces:
            if brace.ends:
                picked = [text(option.parts) for option in _picked(brace, numbers)]
                texts.append(brace.separator.join(picked))
            else:
                texts.append(fill[brace.name] if brace.name else text(brace.as_written()))
        return text(self.parts)


def _picked(brace: _Brace, numbers: _Numbers) -> Iterator[_Option]:
    """Options one after the other, each by its weight among those that are left."""
    left, ends = brace.options, brace.ends
    fewest, most = sorted(min(bound, len(left)) for bound in (brace.fewest, brace.most))
    many = fewest + (numbers.below(most - fewest + 1, f"{brace.at} many") if most > fewest else 0)
    for pick in range(many):
        mark = numbers.below(ends[-1] or len(left), f"{brace.at} pick {pick}")
        at = bisect_right(ends, mark) if ends[-1] else mark
        yield left[at]
        if pick + 1 < many:
            left = [*left[:at], *left[at + 1 :]]
            ends = _sums(left)


def _sums(options: Iterable[_Option]) -> tuple[int, ...]:
    return tuple(accumulate(option.weight for option in options))


@lru_cache(maxsize=16)  # the frames of a job draw from the same few templates, one after the other
def _parse(template: str, names: tuple[str, ...] = ()) -> _Template:
    return _Parser(template, names).result()


class _Parser:
    """One pass over a template, without recursion: open braces wait on a stack of their own."""

    def __init__(self, template: str, names: Collection[str]) -> None:
        self.template = template
        self.names = names
        self.base: list[Part] = []
        self.closed: list[_Brace] = []
        self.open: list[_Brace] = []
        self.at = 0

    def result(self) -> _Template:
        """Read to the end; a brace that is still open then is itself."""
        while sign := _SIGN.search(self.template, self.at):
            self._add(self.template[self.at : sign.start()])
            self.at = sign.end()
            if sign[0] == "{":
                self._begin(sign.start())
            elif sign[0] == "|" and self.open:
                self._next_option("|")
            elif sign[0] == "}" and self.open:
                self._end()
            else:
                self._add(sign[0][-1])  # escaped, or outside of any brace
        self._add(self.template[self.at :])
        for brace in self.open:
            self.base.extend(brace.as_written())
        return _Template(self.base, self.closed)

    def _add(self, part: Part) -> None:
        parts = self.open[-1].options[-1].parts if self.open else self.base
        if parts and isinstance(part, str) and isinstance(parts[-1], str):
            parts[-1] += part
        else:
            parts.append(part)

    def _begin(self, at: int) -> None:
        brace = _Brace(at)
        if picks := _PICKS.match(self.template, self.at):
            exactly, fewest, most, separator = picks.groups()
            brace.introduced += picks[0]
            brace.fewest = int(exactly or fewest or 1)
            brace.most = int(exactly or most or MAX_PICKS)
            brace.separator = ", " if separator is None else separator
            self.at = picks.end()
        self.open.append(brace)
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
        brace = self.open.pop()
        within = self.template[brace.at + 1 : self.at - 1]
        if len(brace.options) > 1:
            brace.options = [option for option in brace.options if option.weight] or brace.options
            brace.ends = _sums(brace.options)
        elif within in self.names:
            brace.name = within
        else:
            brace.options[0].parts.append("}")
            written = list(brace.as_written())
            if all(isinstance(part, str) for part in written):
                self._add("".join(map(str, written)))
                return
        self._add(len(self.closed))
        self.closed.append(brace)


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
