"""What prompts with weights may ask for, as far as it is seen before they are painted.

The engine looks again, at all: compel's syntax is read by a library that takes torch to import.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator

from img2imgd.document import shortened
from img2imgd.request.emphasis import ADDED_NETWORK, Weighted, read_emphasis
from img2imgd.request.keys import PLAIN
from img2imgd.request.settled import DrawnTexts, Request

MAX_WEIGHT = 10
NO_SWAP = "compel's .swap() is not known here. Write one of its two texts."
NO_LORA = "withLora() has no effect here: a LoRA belongs to a model of the config."

_SWAP = re.compile(r"[^\s\\+,-]\s*\.swap\s*\([^()]*\)")
_LORA = re.compile(r"\b(?:with|use)Lora\s*\([^()]+\)")


def weight_refusal(fragments: Iterable[Weighted]) -> str:
    """Why one of the weights cannot be used; "" where all can."""
    for text, weight in fragments:
        if not 0 <= weight <= MAX_WEIGHT:
            return (
                f"“{shortened(text)}” has a weight of {weight:.4g}; those from 0 to {MAX_WEIGHT} "
                "are taken, and more than 1.5 seldom helps."
            )
    return ""


def refused_texts(request: Request) -> dict[str, str]:
    """The keys whose texts cannot be painted in the request's syntax, each with the reason."""
    refused: dict[str, str] = {}
    if request.prompt_syntax == PLAIN:
        return refused
    refusal = functools.cache(functools.partial(_refusal, request.prompt_syntax))  # many are equal
    for prompt, variation, texts in _painted(request):
        for part in ("prompt", "negative_prompt"):
            if why := refusal(getattr(texts, part)):
                alone: str = getattr(request.drawn(prompt, "", variation), part)
                refused.setdefault(part if refusal(alone) else "style", why)
    return refused


def tags_left_out(request: Request) -> tuple[str, ...]:
    """The tags by which A1111 adds a LoRA, where the request's syntax leaves them out."""
    if request.prompt_syntax != "a1111":
        return ()
    prompts = [text for *_, texts in _painted(request) for text in texts[1:]]
    return tuple(dict.fromkeys(tag for text in prompts for tag in ADDED_NETWORK.findall(text)))


def _painted(request: Request) -> Iterator[tuple[str, int, DrawnTexts]]:
    """The texts of all frames, each with the prompt and the variation that they are drawn from."""
    for prompt, style, variation in itertools.product(
        request.prompts, request.styles or ("",), range(request.n)
    ):
        yield prompt, variation, request.drawn(prompt, style, variation)


def _refusal(syntax: str, text: str) -> str:
    if syntax == "a1111":
        return weight_refusal(itertools.chain(*read_emphasis(ADDED_NETWORK.sub("", text))))
    return NO_SWAP if _SWAP.search(text) else NO_LORA if _LORA.search(text) else ""
