"""Text encoders beyond what diffusers asks of them: long prompts, and prompts with weights."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch

from img2imgd.engine.stepping.prompts import BadPrompt, compel, conjunction_of, flattened

MAX_CHUNKS = 64
"""4,800 tokens: English prompts have half as many at their longest."""
MAX_PASSES = 256
"""Of a chunk through an encoder, for one prompt: each part with a weight below 1 takes another."""


class Encoders:
    """The one or two text encoders of a pipeline, with their tokenizers, and compel's use of them.

    A chunk is what an encoder takes at once: 75 tokens, a start and an end.
    """

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._is_xl = hasattr(pipe, "text_encoder_2")
        names = (("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2"))
        pairs = [(getattr(pipe, one, None), getattr(pipe, other, None)) for one, other in names]
        self._pairs: list[tuple[Any, Any]] = [
            (tokenizer, encoder) for tokenizer, encoder in pairs if encoder is not None
        ]

    def fit(self, words: str) -> bool:
        """True for words that are one chunk."""
        spelled = self._spelled(words)
        return all(
            len(tokenizer(spelled, verbose=False).input_ids) <= tokenizer.model_max_length
            for tokenizer, _ in self._pairs
        )

    def prepare(self, conjunction: Any) -> int:
        """Make compel's form of a prompt ready to be encoded; the number of its chunks.

        Raises:
            BadPrompt: it is too much to encode.
        """
        tokens = self._providers[0].get_token_ids
        for flat in flattened(conjunction):
            for fragment in flat.children:
                fragment.text = self._spelled(fragment.text)
            # compel stumbles over weights below 1 of nothing.
            said = [one for one in flat.children if tokens([one.text], False)[0]]
            flat.children = said or conjunction_of([[]]).prompts[0].children
        chunks = max(_chunks(provider, conjunction) for provider in self._providers)
        if chunks > MAX_CHUNKS:
            raise BadPrompt(
                f"The prompt is about {chunks * 75:,} tokens long; at most {MAX_CHUNKS * 75:,} are "
                "taken. Shorten it."
            )
        low = sum(one.weight < 1 for flat in flattened(conjunction) for one in flat.children)
        if low * chunks > MAX_PASSES:
            raise BadPrompt(
                f"{low} parts of the prompt have a weight below 1; in one of its length at most "
                f"{MAX_PASSES // chunks} may. Put some of them into the negative prompt."
            )
        return chunks

    def hidden(self, conjunction: Any, chunks: int) -> torch.Tensor:
        """The hidden states of all its chunks, 1×tokens×width, those of the encoders side by side.

        Where there are fewer than ``chunks``, chunks of no words follow.
        """
        sides: list[torch.Tensor] = []
        for one in self._compels:
            side, _ = one.build_conditioning_tensor_for_conjunction(conjunction)
            sides.append(_filled(side, one.conditioning_provider.empty_z, chunks))
        return self._placed(torch.cat(sides, dim=-1))

    def pooled(self, words: str) -> torch.Tensor | None:
        """SDXL's pooled embedding: of the words that the first chunk has room for."""
        if not self._is_xl:
            return None
        return self._placed(self._providers[-1].get_pooled_embeddings([self._spelled(words)]))

    def filled(self, hidden: torch.Tensor, chunks: int) -> torch.Tensor:
        """Hidden states, with chunks of no words behind them to be so many."""
        if chunks == 1:
            return hidden
        empty = torch.cat([provider.empty_z for provider in self._providers], dim=-1)
        return _filled(hidden, self._placed(empty), chunks)

    @cached_property
    def _compels(self) -> list[Any]:
        library = compel()
        kinds = library.ReturnedEmbeddingsType
        device = self._pipe._execution_device  # noqa: SLF001 - it has no public name
        return [
            library.Compel(
                tokenizer,
                _Encoder(encoder, device),
                truncate_long_prompts=False,
                returned_embeddings_type=kinds.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED
                if self._is_xl
                else kinds.LAST_HIDDEN_STATES_NORMALIZED,
                device=device,
            )
            for tokenizer, encoder in self._pairs
        ]

    @property
    def _providers(self) -> list[Any]:
        return [one.conditioning_provider for one in self._compels]

    def _spelled(self, text: str) -> str:
        """The text with the vectors of textual inversions spelled out."""
        return self._pipe.maybe_convert_prompt(text, self._pairs[0][0])

    def _placed(self, tensor: torch.Tensor) -> torch.Tensor:
        """Where, and in the type that, the pipeline's own embeddings are."""
        encoder = self._pairs[-1][1]
        return tensor.to(self._pipe._execution_device, encoder.dtype)  # noqa: SLF001


class _Encoder:
    """A text encoder that says where it computes; offloaded, its weights are somewhere else."""

    def __init__(self, encoder: Any, device: torch.device) -> None:
        self._encoder = encoder
        self.device = device
        self.dtype: torch.dtype = encoder.dtype

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self._encoder(*inputs, **options)


def _chunks(provider: Any, conjunction: Any) -> int:
    """Those of prompts that are blended lie upon each other, those of others follow."""

    def of(flat: Any) -> int:
        texts, weights = zip(*((one.text, one.weight) for one in flat.children), strict=True)
        tokens, _, _ = provider.get_token_ids_and_expand_weights(
            list(texts), list(weights), device="cpu"
        )
        return len(tokens) // provider.max_token_count

    return sum(max(map(of, getattr(one, "prompts", [one]))) for one in conjunction.prompts)


def _filled(hidden: torch.Tensor, empty: torch.Tensor, chunks: int) -> torch.Tensor:
    missing = chunks - hidden.shape[1] // empty.shape[1]
    return torch.cat([hidden, *[empty] * missing], dim=1) if missing else hidden
