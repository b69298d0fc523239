"""Text embeddings of prompts, computed once for each text."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch

KEPT = 256
"""Texts whose embeddings are kept: 0.3 MB each for Stable Diffusion 1, 0.6 MB for XL, in fp32."""


@dataclass(frozen=True)
class TextEmbedding:
    """What the text encoders make of one text: ``hidden`` is 1×tokens×width.

    ``pooled`` is 1×width, of the second text encoder of SDXL; None for the others.
    """

    hidden: torch.Tensor
    pooled: torch.Tensor | None = None


class Texts:
    """Encodes texts by the pipeline's own ``encode_prompt``, as prompt or as negative prompt."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._made: OrderedDict[str, TextEmbedding] = OrderedDict()

    def embedding(self, text: str) -> TextEmbedding:
        """The embedding of ``text``; the ones asked for last are kept."""
        made = self._made.pop(text, None) or self._encode(text)
        self._made[text] = made
        if len(self._made) > KEPT:
            self._made.popitem(last=False)
        return made

    def _encode(self, text: str) -> TextEmbedding:
        encoded = self._pipe.encode_prompt(
            text,
            device=self._pipe._execution_device,  # noqa: SLF001 - it has no public name
            num_images_per_prompt=1,
            do_classifier_free_guidance=False,
        )
        if len(encoded) == 2:
            return TextEmbedding(encoded[0])
        hidden, _, pooled, _ = encoded  # SDXL
        return TextEmbedding(hidden, pooled)
