"""The pipeline under test, fed and read as arrays of bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from PIL import Image

from .architecture import SIDE
from .pictures import reduced
from .world.captions import FULL_NEGATIVE

SEED = 400_000
STEPS = 50
GUIDANCE = 7.5
BATCH = 10
GREY = np.full((SIDE, SIDE, 3), 128, np.uint8)


class Painter:
    """The pipeline under test, which paints squares of `side` pixels."""

    def __init__(self, pipeline: StableDiffusionImg2ImgPipeline) -> None:
        self.pipeline = pipeline
        self.pipeline.set_progress_bar_config(disable=True)
        self.side = self.pipeline.unet.config.sample_size * self.pipeline.vae_scale_factor

    def paint(
        self,
        prompts: Sequence[str],
        images: Sequence[np.ndarray] | np.ndarray,
        strength: float,
        seeds: Sequence[int] | None = None,
    ) -> np.ndarray:
        """From N prompts and N x SIDE x SIDE x 3 bytes to N x side x side x 3.

        Without `seeds` they count up from SEED.
        """
        given = reduced(np.asarray(images), self.side)
        chosen = list(seeds or range(SEED, SEED + len(prompts)))
        made: list[np.ndarray] = []
        for start in range(0, len(prompts), BATCH):
            told = list(prompts[start : start + BATCH])
            pictures = self.pipeline(
                prompt=told,
                negative_prompt=[FULL_NEGATIVE] * len(told),
                image=[Image.fromarray(one) for one in given[start : start + BATCH]],
                strength=strength,
                num_inference_steps=STEPS,
                guidance_scale=GUIDANCE,
                generator=[
                    torch.Generator().manual_seed(seed) for seed in chosen[start : start + BATCH]
                ],
            ).images
            made += [np.asarray(picture.convert("RGB")) for picture in pictures]
        return np.stack(made)
