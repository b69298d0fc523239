"""From a frame's picture to its first latents: the autoencoder's view of it, computed once."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, cast

import torch

from img2imgd.engine.devices import without_waiting
from img2imgd.engine.stepping.latents import LatentScale
from img2imgd.engine.stepping.pictures import Picture

KEPT = 32
"""Encoded pictures that are kept: 0.5 MB each at 1024 pixels with four latent channels."""


class Images:
    """Encodes pictures; the distributions of the ones asked for last are kept, by their content.

    They are kept on the CPU, where the generators draw: a GPU is waited for once a picture, and not
    for each frame that is drawn from it.
    """

    def __init__(self, pipe: Any, scale: LatentScale) -> None:
        # Late: it imports what says needless things until loading a model has quieted it.
        from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion_img2img

        self._pipe = pipe
        self._scale = scale
        self._retrieve_latents: Any = pipeline_stable_diffusion_img2img.retrieve_latents
        self._encoded: OrderedDict[tuple[tuple[int, int], bytes], Any] = OrderedDict()

    def latents(self, picture: Picture, generator: torch.Generator) -> torch.Tensor:
        """Latents of the picture as the UNet knows them, without noise, 1×C×H×W on the CPU.

        They are drawn from what the autoencoder says the picture may be, by ``generator``, where
        it is one that says so.
        """
        drawn = self._retrieve_latents(self._encode(picture), generator=generator)
        return self._scale.to_unet(drawn)

    def _encode(self, picture: Picture) -> Any:
        key = picture.size, picture.digest
        encoded = self._encoded.pop(key, None)
        if encoded is None:
            pixels = self._pipe.image_processor.preprocess(picture.image)
            there = without_waiting(pixels.to(self._scale.vae_dtype), self._scale.device)
            encoded = self._pipe.vae.encode(there)
            _bring_to_cpu(encoded)
        self._encoded[key] = encoded
        if len(self._encoded) > KEPT:
            self._encoded.popitem(last=False)
        return encoded


def _bring_to_cpu(encoded: Any) -> None:
    """What an autoencoder gives back: a distribution, or, the tiny ones, the latents themselves."""
    if hasattr(encoded, "latent_dist"):
        parts = cast("dict[str, Any]", encoded.latent_dist.__dict__)
        for name, part in parts.items():
            parts[name] = part.cpu() if isinstance(part, torch.Tensor) else part
    else:
        encoded.latents = encoded.latents.cpu()
