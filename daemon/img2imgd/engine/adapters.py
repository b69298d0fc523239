"""What is loaded on top of a model: LoRAs and textual inversions."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors import torch as safetensors_torch
from transformers import AddedToken

from img2imgd.engine.devices import first_line
from img2imgd.engine.model_faults import model_unavailable
from img2imgd.engine.protocol import EmbeddingSpec, LoraSpec, ModelSpec, ModelUnavailable
from img2imgd.engine.sources import adapter_file

_safetensors: Any = safetensors_torch  # typed only in part


@dataclass(frozen=True)
class Adapter:
    """A LoRA or embedding that is loaded: its name or token, and its weight file."""

    name: str
    file: Path
    weight: float = 1.0


def load_loras(model: ModelSpec, pipe: Any) -> tuple[Adapter, ...]:
    """Load the model's LoRAs, each with its weight; they work together.

    Raises:
        ModelUnavailable: one cannot be found or read, or changes nothing of this model.
    """
    loaded: list[Adapter] = []
    for number, lora in enumerate(model.loras):
        file = _find(model, "LoRA", lora.source)
        try:
            _load_lora(pipe, file, f"lora{number}")
        except Exception as error:
            mismatch = "size mismatch" in str(error)
            reason = (
                "its weights have other shapes than the model's" if mismatch else first_line(error)
            )
            raise _lora_unavailable(model, lora, reason) from error
        if not _has_adapter(pipe, f"lora{number}"):
            raise _lora_unavailable(model, lora, "it changes no part of this model")
        loaded.append(Adapter(file.stem, file, lora.weight))
    if loaded:
        names = [f"lora{number}" for number in range(len(loaded))]
        pipe.set_adapters(names, [lora.weight for lora in loaded])
    return tuple(loaded)


def _find(model: ModelSpec, what: str, source: str) -> Path:
    """The weight file, there and whole.

    Raises:
        ModelUnavailable: it is not.
    """
    file = adapter_file(model, what, source)
    try:
        with safe_open(file, framework="pt"):
            return file
    except (SafetensorError, OSError) as error:
        raise model_unavailable(model, str(file), error) from error


def _load_lora(pipe: Any, file: Path, name: str) -> None:
    if not hasattr(pipe, "load_lora_weights"):
        raise ValueError(f"{type(pipe).__name__} takes no LoRAs")
    with warnings.catch_warnings():
        # peft warns of more than one adapter; that is what was asked for.
        warnings.filterwarnings("ignore", "Already found a `peft_config` attribute", UserWarning)
        pipe.load_lora_weights(
            str(file.parent), weight_name=file.name, adapter_name=name, local_files_only=True
        )


def _has_adapter(pipe: Any, name: str) -> bool:
    """Whether any part has it: diffusers only warns of a file without weights for the model."""
    return any(name in names for names in pipe.get_list_adapters().values())


def _lora_unavailable(model: ModelSpec, lora: LoraSpec, reason: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"Model {model.name}: the LoRA {lora.source} could not be loaded: {reason}.",
        "Use one that is made for this family of models.",
    )


def load_embeddings(model: ModelSpec, pipe: Any) -> tuple[Adapter, ...]:
    """Teach the model's text encoders the words of its textual inversions.

    Words are found in prompts whatever their case, as CLIP reads everything.

    Raises:
        ModelUnavailable: one cannot be found or read, does not fit, or its word is taken.
    """
    loaded: list[Adapter] = []
    spelling: dict[str, str] = {}
    for embedding in model.embeddings:
        word = embedding.token.lower()
        file = _find(model, "embedding", embedding.source)
        try:
            for part, vectors in _vectors_by_part(_safetensors.load_file(file)).items():
                tokens = _tokens(word, vectors)
                _teach(pipe, part, tokens, vectors)
                spelling[word] = " ".join(tokens)
        except Exception as error:
            raise _embedding_unavailable(model, embedding, error) from error
        loaded.append(Adapter(embedding.token, file))
    if spelling:
        pipe.maybe_convert_prompt = _spelled_out(spelling)
    return tuple(loaded)


def _tokens(word: str, vectors: torch.Tensor) -> list[str]:
    """The tokens of a word, one for each of its vectors, as diffusers names them."""
    count = vectors.shape[0] if vectors.ndim > 1 else 1
    return [word, *(f"{word}_{number}" for number in range(1, count))]


def _spelled_out(spelling: Mapping[str, str]) -> Callable[..., Any]:
    """What stands in for diffusers' ``maybe_convert_prompt``, which finds no word with a capital.

    It then takes the first vector alone. The longest word wins where one begins with another; a
    word within another is none.
    """
    words = sorted(spelling, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)

    def convert(prompt: str | list[str], tokenizer: Any) -> str | list[str]:
        if isinstance(prompt, list):
            return [str(convert(one, tokenizer)) for one in prompt]
        return pattern.sub(lambda found: spelling[found[0].lower()], prompt)

    return convert


def _vectors_by_part(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The vectors (n×width) for each part of the pipeline.

    SDXL's files hold ``clip_l`` and ``clip_g``; the others one tensor, which A1111 names
    ``emb_params`` and diffusers after its word.
    """
    if {"clip_l", "clip_g"} & set(tensors):
        parts = {"clip_l": "text_encoder", "clip_g": "text_encoder_2"}
        return {parts[name]: tensor for name, tensor in tensors.items() if name in parts}
    if len(tensors) != 1:
        raise ValueError(f"it holds {len(tensors)} tensors, where an embedding has one")
    return {"text_encoder": next(iter(tensors.values()))}


def _teach(pipe: Any, part: str, tokens: list[str], vectors: torch.Tensor) -> None:
    encoder: Any = getattr(pipe, part, None)
    if encoder is None or not hasattr(pipe, "load_textual_inversion"):
        raise ValueError("this model has no text encoder that it is made for")
    width: int = encoder.get_input_embeddings().weight.shape[-1]
    if vectors.shape[-1] != width:
        raise ValueError(
            f"its vectors are {vectors.shape[-1]} numbers wide, where this model has {width}"
        )
    tokenizer = getattr(pipe, part.replace("text_encoder", "tokenizer"))
    pipe.load_textual_inversion(vectors, token=tokens[0], text_encoder=encoder, tokenizer=tokenizer)
    # diffusers has them found within other words too.
    tokenizer.add_tokens([AddedToken(token, single_word=True) for token in tokens])


def _embedding_unavailable(
    model: ModelSpec, embedding: EmbeddingSpec, error: Exception
) -> ModelUnavailable:
    if "already in tokenizer vocabulary" in str(error):
        return ModelUnavailable(
            f"Model {model.name}: the embedding {embedding.source} cannot be called "
            f"{embedding.token!r}: the model knows that word already.",
            f"Set its `token` to a word of its own, such as <{embedding.token}>.",
        )
    return ModelUnavailable(
        f"Model {model.name}: the embedding {embedding.source} could not be loaded: "
        f"{first_line(error)}.",
        "Use one that is made for this family of models.",
    )
