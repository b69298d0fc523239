"""What a UNet is told of a frame beside its latents: texts, sizes, the scale of its guidance."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import torch

from img2imgd.engine.protocol import FrameTask
from img2imgd.engine.stepping.texts import TextEmbedding, Texts

# diffusers' defaults for SDXL (Podell et al., 2023, section 2.2; the scores are the refiner's).
_CROP = (0, 0)
_SCORES = (6.0, 2.5)


@dataclass(frozen=True)
class Conditions:
    """Inputs of the UNet that stay the same through all of a frame's steps.

    ``rows`` is 2 for a frame with guidance, whose negative prompt comes first, and else 1; every
    tensor has that many. ``pooled`` and ``time_ids`` are SDXL's, ``scale`` the embedded guidance
    scale of models that were distilled to take it so (LCM). ``texts`` tell, row by row, which
    have the same ``hidden``.
    """

    texts: tuple[Hashable, ...]
    hidden: torch.Tensor
    pooled: torch.Tensor | None = None
    time_ids: torch.Tensor | None = None
    scale: torch.Tensor | None = None

    @property
    def rows(self) -> int:
        """Rows of a UNet call."""
        return self.hidden.shape[0]


def is_guided(unet: Any, task: FrameTask) -> bool:
    """Whether the frame's steps ask the UNet twice, with the negative prompt and with the prompt.

    Not at a guidance scale of 1 or less, and not where the model takes the scale as an input.
    """
    return task.guidance_scale > 1 and unet.config.time_cond_proj_dim is None


def heard(unet: Any, task: FrameTask) -> tuple[str, ...]:
    """The texts that the frame's steps take: the negative prompt, with guidance, and the prompt."""
    return (task.negative_prompt, task.prompt) if is_guided(unet, task) else (task.prompt,)


def chunks_of(pipe: Any, texts: Texts, task: FrameTask) -> int:
    """How long the frame's texts are: as long as the longest, in chunks of 77 tokens."""
    return max(texts.chunks(text, task.prompt_syntax) for text in heard(pipe.unet, task))


def left_out(pipe: Any, texts: Texts, task: FrameTask) -> str:
    """A note on tags that stand in the frame's prompts and are none of their words."""
    tags = [
        tag for text in heard(pipe.unet, task) for tag in texts.left_out(text, task.prompt_syntax)
    ]
    if not tags:
        return ""
    return f"Left out of the prompt: {', '.join(tags)}. LoRAs belong to a model of the config."


def conditions_of(
    pipe: Any, texts: Texts, task: FrameTask, size: tuple[int, int], device: torch.device
) -> Conditions:
    """The conditions of a frame whose picture has ``size`` (width, height) in pixels."""
    chunks = chunks_of(pipe, texts, task)
    taken = heard(pipe.unet, task)
    encoded = [texts.embedding(text, task.prompt_syntax, chunks) for text in taken]
    hidden = torch.cat([one.hidden for one in encoded])
    pooled = [one.pooled for one in encoded if one.pooled is not None]
    return Conditions(
        tuple((text, task.prompt_syntax, chunks) for text in taken),
        hidden,
        torch.cat(pooled).to(device) if pooled else None,
        _time_ids(pipe, encoded, size).to(device) if pooled else None,
        _scale(pipe, task, hidden),
    )


def _time_ids(pipe: Any, encoded: list[TextEmbedding], size: tuple[int, int]) -> torch.Tensor:
    """SDXL's: original size, crop and target size, or the aesthetic score instead of the last."""
    original = (size[1], size[0])
    of_prompt, of_negative = pipe._get_add_time_ids(  # noqa: SLF001 - the pipeline's own
        original, _CROP, original, *_SCORES, original, _CROP, original,
        dtype=encoded[0].hidden.dtype,
        text_encoder_projection_dim=_projection_width(pipe, encoded[0]),
    )  # fmt: skip
    return torch.cat([of_negative, of_prompt][-len(encoded) :])


def _projection_width(pipe: Any, encoded: TextEmbedding) -> int:
    if pipe.text_encoder_2 is not None:
        return pipe.text_encoder_2.config.projection_dim
    return 0 if encoded.pooled is None else encoded.pooled.shape[-1]


def _scale(pipe: Any, task: FrameTask, hidden: torch.Tensor) -> torch.Tensor | None:
    width: int | None = pipe.unet.config.time_cond_proj_dim
    if width is None:
        return None
    scale = torch.tensor(task.guidance_scale - 1).repeat(1)
    embedded: torch.Tensor = pipe.get_guidance_scale_embedding(scale, embedding_dim=width)
    return embedded.to(hidden)
