"""Prompts as they are written, plainly or with weights, read into compel's form of them."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from img2imgd.document import shortened
from img2imgd.request import (
    ADDED_NETWORK,
    NO_LORA,
    NO_SWAP,
    PLAIN,
    Weighted,
    read_emphasis,
    weight_refusal,
)


class BadPrompt(Exception):
    """A prompt that cannot be encoded; the text says why, to a person."""


@dataclass(frozen=True, eq=False)
class Prompt:
    """A prompt that was read. ``words`` are its words alone, without weights.

    ``conjunction`` is compel's: prompts to be encoded one after the other, each of fragments with
    weights. None: the words as they are. ``left_out`` are tags that are no part of the words.
    """

    words: str
    conjunction: Any = None
    left_out: tuple[str, ...] = ()


@functools.cache
def compel() -> Any:
    """The library, imported for the first prompt that is long or weighted: most are neither."""
    # compel's grammar reads what is in brackets four times, and so on for brackets in brackets.
    importlib.import_module("pyparsing").ParserElement.enable_packrat()
    return importlib.import_module("compel")


def read_prompt(text: str, syntax: str) -> Prompt:
    """The prompt, whose weights are written in ``syntax``.

    Raises:
        BadPrompt: it is not in that syntax, or asks for what cannot be done.
    """
    if syntax == PLAIN:
        return Prompt(text)
    if syntax == "a1111":
        left_out = tuple(ADDED_NETWORK.findall(text))
        parts = read_emphasis(ADDED_NETWORK.sub("", text))
        words = " ".join("".join(text for text, _ in part) for part in parts)
        if len(parts) == 1 and not _is_weighted(parts[0]):
            return Prompt(words, left_out=left_out)
        _check_weights(part for fragments in parts for part in fragments)
        return Prompt(words, conjunction_of(parts), left_out)
    conjunction = _parsed(text)
    fragments = [(one.text, one.weight) for flat in flattened(conjunction) for one in flat.children]
    words = " ".join(text for text, _ in fragments)
    if _is_single(conjunction) and not _is_weighted(fragments):
        return Prompt(words)
    _check_weights(fragments)
    return Prompt(words, conjunction)


def conjunction_of(parts: Sequence[Sequence[Weighted]]) -> Any:
    """compel's form of parts that begin a chunk each; texts are taken as they are."""
    return compel().prompt_parser.Conjunction([_flat(part) for part in parts])


def _flat(part: Sequence[Weighted]) -> Any:
    flat = compel().prompt_parser.FlattenedPrompt()
    for text, weight in part or [("", 1.0)]:
        fragment = compel().prompt_parser.Fragment("", weight)
        fragment.text = text  # not by its constructor, which takes backslashes away
        flat.append(fragment)
    return flat


def flattened(conjunction: Any) -> Iterator[Any]:
    """The prompts of a conjunction, and those that are blended in it."""
    for prompt in conjunction.prompts:
        yield from prompt.prompts if isinstance(prompt, compel().prompt_parser.Blend) else [prompt]


def _parsed(text: str) -> Any:
    try:
        conjunction = compel().Compel.parse_prompt_string(text)
    except Exception as error:  # of many kinds, RecursionError among them
        raise BadPrompt(
            f"The prompt “{shortened(text)}” cannot be read in compel's syntax. .and() and "
            ".blend() want no weights or one for each of their texts, and brackets have a limit. "
            "Mend it, or leave prompt_syntax out."
        ) from error
    if conjunction.lora_weights:
        raise BadPrompt(NO_LORA)
    if any(prompt.wants_cross_attention_control for prompt in conjunction.prompts):
        raise BadPrompt(NO_SWAP)
    return conjunction if conjunction.prompts else conjunction_of([[]])


def _is_single(conjunction: Any) -> bool:
    return len(conjunction.prompts) == 1 and len(list(flattened(conjunction))) == 1


def _is_weighted(fragments: Sequence[Weighted]) -> bool:
    return any(weight != 1 for _, weight in fragments)


def _check_weights(fragments: Iterable[Weighted]) -> None:
    if why := weight_refusal(fragments):
        raise BadPrompt(why)
