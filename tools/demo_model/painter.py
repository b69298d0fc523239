"""The pipeline under test, fed and read as arrays of bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from PIL import Image

from .architecture import SIDE
from .train_vae import psnr, to_tensor
from .world.captions import FULL_NEGATIVE

SEED = 400_000
STEPS = 50
GUIDANCE = 7.5
BATCH = 10
GREY = np.full((SIDE, SIDE, 3), 128, np.uint8)


class Painter:
    """The pipeline under test; pictures go in and come out as N x SIDE x SIDE x 3 bytes."""

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
        """One picture for each prompt; without `seeds` they count up from SEED."""
        chosen = list(seeds or range(SEED, SEED + len(prompts)))
        made: list[np.ndarray] = []
        for start in range(0, len(prompts), BATCH):
            told = list(prompts[start : start + BATCH])
            pictures = self.pipeline(
                prompt=told,
                negative_prompt=[FULL_NEGATIVE] * len(told),
                image=[self._given(image) for image in images[start : start + BATCH]],
                strength=strength,
                num_inference_steps=STEPS,
                guidance_scale=GUIDANCE,
                generator=[
                    torch.Generator().manual_seed(seed) for seed in chosen[start : start + BATCH]
                ],
            ).images
            made += [self._taken(picture) for picture in pictures]
        return np.stack(made)

    def _given(self, pixels: np.ndarray) -> Image.Image:
        picture = Image.fromarray(pixels)
        size = (self.side, self.side)
        return picture if picture.size == size else picture.resize(size, Image.Resampling.BOX)

    @staticmethod
    def _taken(picture: Image.Image) -> np.ndarray:
        return np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))

    @torch.no_grad()
    def code_loss(self, pixels: np.ndarray) -> np.ndarray:
        """PSNR in dB of each picture through the picture coder, at the model's own size."""
        own = np.stack([np.asarray(self._given(one)) for one in pixels])
        vae = self.pipeline.vae
        values: list[torch.Tensor] = []
        for start in range(0, len(own), BATCH):
            batch = to_tensor(own[start : start + BATCH])
            values.append(psnr(vae.decode(vae.encode(batch).latent_dist.mode()).sample, batch))
        return torch.cat(values).numpy()
