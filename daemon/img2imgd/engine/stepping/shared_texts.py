"""Cross-attention's keys and values of a text, computed once a call for all rows that have it.

The frames of a sweep differ in their latents alone; at small sizes texts are a good part of a call.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Hashable, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.models.attention_processor import Attention

from img2imgd.engine.devices import without_waiting


class SharedTexts:
    """Hooks in one UNet, for calls within :meth:`of`; other calls are as ever.

    Each thread's calls have texts of their own.
    """

    def __init__(self, unet: Any) -> None:
        self._rows = threading.local()
        for module in unet.modules():
            if isinstance(module, Attention) and module.is_cross_attention:
                for projection in filter(None, (module.to_k, module.to_v)):
                    projection.register_forward_pre_hook(self._each_once)
                    projection.register_forward_hook(self._to_rows)

    @contextmanager
    def of(self, texts: Sequence[Hashable], device: torch.device) -> Generator[None]:
        """Row by row, what tells the text of a call from others."""
        first = {text: row for row, text in reversed(list(enumerate(texts)))}
        if len(first) == len(texts):
            yield
            return
        place = {text: number for number, text in enumerate(first)}
        rows = torch.tensor(list(first.values())), torch.tensor([place[text] for text in texts])
        self._rows.first, self._rows.place = (without_waiting(one, device) for one in rows)
        try:
            yield
        finally:
            self._rows.__dict__.clear()

    def _each_once(self, _: object, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        first = getattr(self._rows, "first", None)
        return inputs if first is None else (inputs[0].index_select(0, first), *inputs[1:])

    def _to_rows(self, _: object, __: object, output: torch.Tensor) -> torch.Tensor:
        place = getattr(self._rows, "place", None)
        return output if place is None else output.index_select(0, place)
