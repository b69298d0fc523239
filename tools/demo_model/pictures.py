"""Pictures as bytes and as tensors, and how much a picture coder loses of them."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL


def to_tensor(pixels: np.ndarray) -> torch.Tensor:
    """N x H x W x 3 bytes to N x 3 x H x W floats in -1..1."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_bytes(pictures: torch.Tensor) -> np.ndarray:
    """N x 3 x H x W floats in -1..1 to N x H x W x 3 bytes."""
    return ((pictures / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()


def reduced(pixels: np.ndarray, side: int) -> np.ndarray:
    """N x larger x larger x 3 bytes to N x side x side x 3, each pixel the mean of its area."""
    if pixels.shape[1] == side:
        return pixels
    return np.stack([cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in pixels])


def psnr(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio in dB of each picture of two batches of bytes."""
    error = (first.astype(np.float64) - second).reshape(len(first), -1) / 255
    return -10 * np.log10(np.maximum((error**2).mean(1), 1e-10))


@torch.no_grad()
def reconstructed(vae: AutoencoderKL, pixels: np.ndarray) -> np.ndarray:
    """N x side x side x 3 bytes as the coder gives them back from the mean of its posterior."""
    made = [
        to_bytes(vae.decode(vae.encode(to_tensor(pixels[at : at + 8])).latent_dist.mode()).sample)
        for at in range(0, len(pixels), 8)
    ]
    return np.concatenate(made)
