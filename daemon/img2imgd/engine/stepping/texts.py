"""Text embeddings of prompts, computed once for each text."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import torch

from img2imgd.engine.stepping.encoders import Encoders
from img2imgd.engine.stepping.prompts import Prompt, conjunction_of, read_prompt
from img2imgd.request import PLAIN

KEPT = 256
"""Chunks of 77 tokens whose embeddings are kept: 0.3 MB each for Stable Diffusion 1, 0.6 MB for XL,
in fp32."""


@dataclass(frozen=True)
class TextEmbedding:
    """What the text encoders make of one text: ``hidden`` is 1×tokens×width.

    ``pooled`` is 1×width, of the second text encoder of SDXL; None for the others.
    """

    hidden: torch.Tensor
    pooled: torch.Tensor | None = None


@dataclass
class _Text:
    """A text that was read, how many chunks of tokens it is, and its embedding once that is made.

    A prompt of one chunk without weights is encoded by the pipeline's own ``encode_prompt``.
    """

    prompt: Prompt
    chunks: int = 1
    embedding: TextEmbedding | None = None


class Texts:
    """Encodes texts, as prompt or as negative prompt; the ones asked for last are kept."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._encoders = Encoders(pipe)
        self._made: OrderedDict[tuple[str, str], _Text] = OrderedDict()

    def chunks(self, text: str, syntax: str = PLAIN) -> int:
        """How many chunks of 77 tokens the text is; nothing is encoded for that.

        Raises:
            BadPrompt: it is not in that syntax, or is too much to encode.
        """
        return self._text(text, syntax).chunks

    def left_out(self, text: str, syntax: str) -> tuple[str, ...]:
        """The tags in it that are no part of the prompt."""
        return self._text(text, syntax).prompt.left_out

    def embedding(self, text: str, syntax: str = PLAIN, chunks: int = 1) -> TextEmbedding:
        """The embedding, with chunks of no words behind the text's own to be so many.

        Raises:
            BadPrompt: as in :meth:`chunks`.
        """
        found = self._text(text, syntax)
        made = found.embedding = found.embedding or self._encode(found)
        return replace(made, hidden=self._encoders.filled(made.hidden, chunks))

    def _text(self, text: str, syntax: str) -> _Text:
        key = (text, syntax)
        found = self._made.pop(key, None) or self._read(text, syntax)
        self._made[key] = found
        while len(self._made) > 1 and sum(one.chunks for one in self._made.values()) > KEPT:
            self._made.popitem(last=False)
        return found

    def _read(self, text: str, syntax: str) -> _Text:
        prompt = read_prompt(text, syntax)
        if prompt.conjunction is None:
            if self._encoders.fit(prompt.words):
                return _Text(prompt)
            prompt = replace(prompt, conjunction=conjunction_of([[(prompt.words, 1.0)]]))
        return _Text(prompt, self._encoders.prepare(prompt.conjunction))

    def _encode(self, text: _Text) -> TextEmbedding:
        words, conjunction = text.prompt.words, text.prompt.conjunction
        if conjunction is not None:
            hidden = self._encoders.hidden(conjunction, text.chunks)
            return TextEmbedding(hidden, self._encoders.pooled(words))
        encoded = self._pipe.encode_prompt(
            words,
            device=self._pipe._execution_device,  # noqa: SLF001 - it has no public name
            num_images_per_prompt=1,
            do_classifier_free_guidance=False,
        )
        if len(encoded) == 2:
            return TextEmbedding(encoded[0])
        hidden, _, pooled, _ = encoded  # SDXL
        return TextEmbedding(hidden, pooled)
