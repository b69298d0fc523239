"""A UNet's calls alone, in ways that compute several rows at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

Unet = Any
WORDS = 77


@contextlib.contextmanager
def threads(number: int) -> Iterator[None]:
    """So many threads for the time being, and no gradients."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)


class Parts:
    """Each core computes its part of the rows with one thread."""

    def __init__(self, unet: Unet) -> None:
        self._unet = unet
        self.config, self.dtype = unet.config, unet.dtype
        self._cores = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(
            self._cores, initializer=torch.set_num_threads, initargs=(1,)
        )

    def __call__(self, *inputs: torch.Tensor, **options: bool) -> tuple[torch.Tensor]:
        """As the UNet."""
        parts = zip(*(each.chunk(self._cores) for each in inputs), strict=True)
        with threads(1):  # MKL's number is one for the whole process
            outputs = self._pool.map(lambda part: self._call(part, **options), parts)
            return (torch.cat(list(outputs)),)

    def _call(self, part: tuple[torch.Tensor, ...], **options: bool) -> torch.Tensor:
        with torch.inference_mode():
            return self._unet(*part, **options)[0]


def inputs(unet: Unet, rows: int, side: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latents of that side, timesteps and encoded words; the same for the same number of rows."""
    draw = torch.Generator().manual_seed(rows)
    shape = (rows, unet.config.in_channels, side, side)
    latents = torch.randn(shape, generator=draw).to(unet.dtype)
    words = torch.randn((rows, WORDS, unet.config.cross_attention_dim), generator=draw)
    return latents, torch.linspace(1, 999, rows), words.to(unet.dtype)
