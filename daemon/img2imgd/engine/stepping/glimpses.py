"""What a frame looks like while it is painted, small and cheap, for people who watch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from img2imgd.engine.devices import free_memory
from img2imgd.engine.protocol import Glimpse
from img2imgd.engine.stepping.admitted import Admitted
from img2imgd.engine.stepping.latents import LatentScale

log = logging.getLogger(__name__)

MOST_CELLS = 32
"""Latents on the longest side of a glimpse; finer ones are shrunk to it before they are decoded."""


class Glimpses:
    """Decodes what a frame's scheduler expects its finished latents to be.

    A model with a safety checker, or whose parts take turns on the device, shows none. Nothing of
    the frame is touched. What fails once is not tried again: a glimpse is worth no trouble.
    """

    def __init__(self, pipe: Any, scale: LatentScale, *, offloaded: bool) -> None:
        self._pipe = pipe
        self._scale = scale
        self._can = not offloaded and getattr(pipe, "safety_checker", None) is None

    def of(self, admitted: Sequence[Admitted], job: str) -> Glimpse | None:
        """The frame of ``job`` that is nearest to its end; None before its first step."""
        frames = [one.started for one in admitted if one.task.job == job and one.frame]
        foreseen = [
            (frame.calls_left, frame, frame.foreseen)
            for frame in frames
            if frame.foreseen is not None and not frame.finished
        ]
        if not foreseen or not self._can:
            return None
        _, frame, latents = min(foreseen, key=lambda one: one[0])
        try:
            pixels = self._decode(latents)
        except Exception:  # the frame itself goes on, or meets the fault in its step
            log.warning(
                "no glimpses of pictures under way are shown with this model", exc_info=True
            )
            self._can = False
            free_memory()
            return None
        height, width = pixels.shape[:2]
        progress = frame.progress
        return Glimpse(job, progress.index, progress.step, width, height, pixels.tobytes())

    def _decode(self, latents: torch.Tensor) -> NDArray[np.uint8]:
        """The H×W×3 picture of 1×C×H×W latents, or of smaller ones."""
        height, width = latents.shape[-2:]
        shrunk = min(MOST_CELLS / max(height, width), 1.0)
        if shrunk < 1:
            size = max(1, round(height * shrunk)), max(1, round(width * shrunk))
            latents = torch.nn.functional.adaptive_avg_pool2d(latents.float(), size)
        image = self._pipe.vae.decode(self._scale.to_vae(latents), return_dict=False)[0]
        pixels = (image[0].float().nan_to_num() / 2 + 0.5).clamp(0, 1) * 255
        return pixels.permute(1, 2, 0).round().to(torch.uint8).cpu().numpy()
