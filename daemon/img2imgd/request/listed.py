"""Prompts and styles that a request asks for, with those that come from lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from img2imgd.document import nearest, shortened
from img2imgd.errors import DocumentError, Problem
from img2imgd.request.drawing import choose
from img2imgd.request.keys import RequestKeys
from img2imgd.request.lists import STYLES_NAME, FromList, ListFiles, read_lines
from img2imgd.request.styles import ADDS_NOTHING, Style, StyleKeys, read_styles

T = TypeVar("T")


@dataclass(frozen=True)
class _Part(Generic[T]):
    """Some items, and how many of them are to be chosen; None: all. ``key`` ranks them."""

    items: Sequence[T]
    choose: int | None = None


@dataclass(frozen=True)
class Listed(Generic[T]):
    """What was asked for, before the seed is known; or what is wrong with a list it comes from."""

    parts: tuple[_Part[T], ...] = ()
    key: Callable[[T], str] = str
    problem: Problem | None = None

    @property
    def count(self) -> int:
        """How many there will be; 0 where a list cannot be used."""
        return sum(len(part.items) if part.choose is None else part.choose for part in self.parts)

    def chosen(self, seed: int) -> tuple[T, ...]:
        """All of them, in their order, those of a list drawn by the seed."""
        found: list[T] = []
        for part in self.parts:
            if part.choose is None:
                found.extend(part.items)
            else:
                keys = [self.key(item) for item in part.items]
                found.extend(choose(part.items, part.choose, seed, keys))
        return tuple(found)


def describe_list(name: str, data: bytes) -> str:
    """What a list holds, in a few words.

    Raises:
        DocumentError: it cannot be used.
    """
    styles = read_styles(name, data)
    count = len(read_lines(name, data) if styles is None else styles)
    what = "a list of {} style" if styles is not None else "a list of {} line"
    return what.format(f"{count:,}") + ("" if count == 1 else "s")


def may_name_lists(keys: RequestKeys) -> bool:
    """True when a list may have to be read: one is named, or a style may be a list's."""
    return isinstance(keys.prompt, FromList) or _names_styles(keys.style or ())


def chooses_from_lists(keys: RequestKeys) -> bool:
    """True when the seed decides which prompts or styles there are."""
    listed = [keys.prompt, *(keys.style or ())]
    return any(isinstance(i, FromList | StyleKeys) and i.choose is not None for i in listed)


class _Unusable(Exception):
    """A list that cannot be used; carries the problem."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.problem = Problem(message, advice=advice)


def listed_prompts(written: str | Sequence[str] | FromList | None, lists: ListFiles) -> Listed[str]:
    """The prompts of a request."""
    if not isinstance(written, FromList):
        texts = (written,) if isinstance(written, str) else written or ()
        return Listed((_Part([text.strip() for text in texts]),))
    try:
        lines = read_lines(written.source, _read(written.source, lists))
        return Listed((_part(written.source, lines, written.choose),))
    except (_Unusable, DocumentError) as error:
        return Listed(problem=_problem(error))


def listed_styles(written: Sequence[str | StyleKeys] | None, lists: ListFiles) -> Listed[Style]:
    """The styles of a request; a text that is the name of one in ``styles.csv`` stands for it."""
    try:
        known = _known_styles(lists) if _names_styles(written or ()) else {}
        parts: list[_Part[Style]] = []
        for style in written or ():
            if isinstance(style, StyleKeys) and style.source:
                styles = _styles_of_list(style.source, lists, known)
                parts.append(_part(style.source, styles, style.choose))
            elif isinstance(style, StyleKeys):
                parts.append(_Part([Style.named(style.name, style.prompt, style.negative_prompt)]))
            else:
                parts.append(_Part([_by_text(style, known)]))
        _refuse_namesakes(style for part in parts for style in part.items)
    except (_Unusable, DocumentError) as error:
        return Listed(problem=_problem(error))
    listed = Listed(tuple(parts), _style_key)
    return Listed() if [part.items for part in parts] == [[Style.of_text("")]] else listed


def _problem(error: _Unusable | DocumentError) -> Problem:
    if isinstance(error, _Unusable):
        return error.problem
    told = "; ".join(str(problem) for problem in error.problems)
    return Problem(f"the list {shortened(error.name)} cannot be used: {told}")


def _part(name: str, items: Sequence[T], count: int | None) -> _Part[T]:
    if count is not None and count > len(items):
        raise _Unusable(
            f"{count:,} are to be chosen, and {shortened(name)} has {len(items):,}.",
            "Choose fewer, or add lines.",
        )
    return _Part(items, count)


def _read(name: str, lists: ListFiles) -> bytes:
    data = lists.read(name, needed=True)
    if data is not None:
        return data
    known = sorted(lists.names())
    near = nearest(name, known)
    there = f"There is {', '.join(known[:10])}." if known else "There is none at all."
    raise _Unusable(
        f"there is no list “{shortened(name)}” in this folder or one above it.",
        f"Did you mean `{near}`?" if near else there,
    )


def _names_styles(written: Iterable[str | StyleKeys]) -> bool:
    """True when a style is only a text, here or in a list, so that it may be the name of one."""
    return any(isinstance(style, str) and style.strip() for style in written) or any(
        isinstance(style, StyleKeys) and style.source for style in written
    )


def _known_styles(lists: ListFiles) -> dict[str, Style]:
    data = lists.read(STYLES_NAME, needed=False)
    styles = read_styles(STYLES_NAME, data) if data is not None else ()
    named = {style.name: style for style in styles or ()}
    return {name.casefold(): style for name, style in named.items()} | named


def _styles_of_list(name: str, lists: ListFiles, known: dict[str, Style]) -> Sequence[Style]:
    data = _read(name, lists)
    styles = read_styles(name, data)
    if styles is None:
        return [_by_text(line, known) for line in read_lines(name, data)]
    styles = [style for style in styles if style.texts != ADDS_NOTHING]
    if not styles:
        raise _Unusable(f"{shortened(name)} has no styles.", "Write one a row.")
    return styles


def _by_text(text: str, known: dict[str, Style]) -> Style:
    plain = Style.of_text(text)
    return known.get(plain.name) or known.get(plain.name.casefold(), plain)


def _refuse_namesakes(styles: Iterable[Style]) -> None:
    first: dict[str, Style] = {}
    for style in styles:
        if first.setdefault(style.name, style) != style:
            raise _Unusable(
                f"two different styles are called “{shortened(style.name)}”.",
                "Give one of them another name.",
            )


def _style_key(style: Style) -> str:
    return "\0".join((style.name, style.texts.prompt, style.texts.negative_prompt))
