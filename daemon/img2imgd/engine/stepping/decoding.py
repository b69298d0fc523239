"""From finished latents to pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from img2imgd.engine.stepping.latents import LatentScale


class Flagged(Exception):
    """The model's safety checker flagged the picture."""


def decode(pipe: Any, scale: LatentScale, latents: torch.Tensor) -> NDArray[np.uint8]:
    """The H×W×3 picture of 1×C×H×W latents, as the pipeline finishes it.

    Raises:
        Flagged: the safety checker, where the pipeline has one, flagged it.
        FloatingPointError: it would hold what is not a number, which numpy makes black.
    """
    image = pipe.vae.decode(scale.to_vae(latents), return_dict=False)[0]
    if getattr(pipe, "safety_checker", None) is not None:
        image, flagged = pipe.run_safety_checker(image, scale.device, scale.dtype)
        if any(flagged):
            raise Flagged
    if getattr(pipe, "watermark", None) is not None:
        image = pipe.watermark.apply_watermark(image)
    with np.errstate(invalid="raise"):
        (picture,) = pipe.image_processor.postprocess(image, output_type="pil")
    return np.asarray(picture.convert("RGB"))
