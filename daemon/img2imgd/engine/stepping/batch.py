"""One UNet call for many frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from img2imgd.engine.devices import without_waiting
from img2imgd.engine.stepping.frame import SteppedFrame
from img2imgd.engine.stepping.shared_texts import SharedTexts


class Batch:
    """Calls one UNet; texts are not shared in compiled code, which has no place for hooks."""

    def __init__(self, unet: Any, *, compiled: bool) -> None:
        self._unet = unet
        self._texts = None if compiled else SharedTexts(unet)

    def predict(self, frames: Sequence[SteppedFrame]) -> list[torch.Tensor]:
        """What the UNet predicts for each frame at the frame's own timestep.

        All have latents and conditions of one shape. Gives back a row for each of a frame's
        conditions. A frame alone is computed as the plain pipeline does.
        """
        if self._texts is None or len(frames) == 1:
            return self._call(frames)
        texts = [text for frame in frames for text in frame.conditions.texts]
        with self._texts.of(texts, frames[0].latents.device):
            return self._call(frames)

    def _call(self, frames: Sequence[SteppedFrame]) -> list[torch.Tensor]:
        rows = [frame.rows for frame in frames]
        # Not views of one row: latents would lose their layout in memory, and so exact equality.
        inputs = torch.cat([row for frame in frames for row in [frame.model_input()] * frame.rows])
        # One format: some schedulers have whole numbers, some fractions. The UNet embeds fp32.
        steps = [float(frame.timestep) for frame in frames for _ in range(frame.rows)]
        timesteps = without_waiting(torch.tensor(steps, dtype=torch.float32), inputs.device)
        conditions = [frame.conditions for frame in frames]
        added = None
        if conditions[0].pooled is not None:
            added = {
                "text_embeds": _together([one.pooled for one in conditions]),
                "time_ids": _together([one.time_ids for one in conditions]),
            }
        predicted: torch.Tensor = self._unet(
            inputs,
            timesteps,
            encoder_hidden_states=_together([one.hidden for one in conditions]),
            timestep_cond=_together([one.scale for one in conditions]),
            added_cond_kwargs=added,
            return_dict=False,
        )[0]
        return list(torch.split(predicted, rows))


def _together(tensors: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    there = [tensor for tensor in tensors if tensor is not None]
    return torch.cat(there) if there else None
