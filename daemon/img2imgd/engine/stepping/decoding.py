"""From finished latents to pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import wait
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from img2imgd.engine.stepping.lanes import Lanes
from img2imgd.engine.stepping.latents import LatentScale


class Flagged(Exception):
    """The model's safety checker flagged the picture."""


class Decoder:
    """Decodes pictures as the pipeline finishes them, one by one or in lanes."""

    def __init__(self, pipe: Any, scale: LatentScale, lanes: Lanes) -> None:
        self._pipe = pipe
        self._scale = scale
        self._lanes = lanes

    def picture(self, latents: torch.Tensor) -> NDArray[np.uint8]:
        """The H×W×3 picture of 1×C×H×W latents.

        Raises:
            Flagged: the safety checker, where the pipeline has one, flagged it.
            FloatingPointError: its numbers are infinite or none, which becomes black or white.
        """
        pipe, scale = self._pipe, self._scale
        image = pipe.vae.decode(scale.to_vae(latents), return_dict=False)[0]
        if not torch.isfinite(image).all():
            raise FloatingPointError("the decoded picture")
        if getattr(pipe, "safety_checker", None) is not None:
            image, flagged = pipe.run_safety_checker(image, scale.device, scale.dtype)
            if any(flagged):
                raise Flagged
        if getattr(pipe, "watermark", None) is not None:
            image = pipe.watermark.apply_watermark(image)
        (picture,) = pipe.image_processor.postprocess(image, output_type="pil")
        return np.asarray(picture.convert("RGB"))

    def beside(self, latents: Sequence[torch.Tensor]) -> list[Callable[[], NDArray[np.uint8]]]:
        """What gives the picture of each; lanes have made those already that they could."""
        if self._lanes.number(len(latents)) <= 1:
            return [partial(self.picture, one) for one in latents]
        # In this layout convolutions are faster, and round otherwise than the plain pipeline's.
        fast = [one.contiguous(memory_format=torch.channels_last) for one in latents]
        made = self._lanes.each(self.picture, fast)
        wait(made)  # the pipeline's settings, which what follows may change, are theirs so long
        return [
            future.result if future.exception() is None else partial(self.picture, one)
            for future, one in zip(made, latents, strict=True)
        ]
