"""Between the autoencoder's latents and the UNet's, in numbers and in number formats."""

from __future__ import annotations

from typing import Any

import torch


class LatentScale:
    """Scales latents as the model's pipeline does, which differs between families.

    SDXL's autoencoder overflows in fp16 and says so by ``force_upcast``. diffusers turns it to fp32
    and back for each picture; here it stays in fp32, which gives the same numbers.
    """

    def __init__(self, pipe: Any, device: torch.device) -> None:
        self.device = device
        self.dtype: torch.dtype = pipe.unet.dtype
        vae = pipe.vae
        is_xl = hasattr(pipe, "text_encoder_2")
        if is_xl and vae.config.force_upcast and vae.dtype != torch.float32:
            vae.to(torch.float32)
        self.vae_dtype: torch.dtype = vae.dtype
        self._factor: float = vae.config.scaling_factor
        mean = getattr(vae.config, "latents_mean", None) if is_xl else None
        std = getattr(vae.config, "latents_std", None) if is_xl else None
        self._spread = None if mean is None or std is None else (mean, std)

    def to_unet(self, latents: torch.Tensor) -> torch.Tensor:
        """From the autoencoder's latents, N×C×H×W."""
        latents = latents.to(self.dtype)
        if self._spread is None:
            return self._factor * latents
        mean, std = (self._channels(values, latents) for values in self._spread)
        return (latents - mean) * self._factor / std

    def to_vae(self, latents: torch.Tensor) -> torch.Tensor:
        """Back to the autoencoder's latents."""
        latents = latents.to(self.vae_dtype)
        if self._spread is None:
            return latents / self._factor
        mean, std = (self._channels(values, latents) for values in self._spread)
        return latents * std / self._factor + mean

    def _channels(self, values: Any, latents: torch.Tensor) -> torch.Tensor:
        return torch.tensor(values).view(1, -1, 1, 1).to(latents)
