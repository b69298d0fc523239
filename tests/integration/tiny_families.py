"""Tiny models of every family, saved as diffusers folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import tiny_transformers
import tiny_unets
import torch

BUILDERS: Mapping[str, Callable[[], Any]] = {
    **{
        family: partial(build, tiny_unets.small_tokenizer)
        for family, build in tiny_unets.BUILDERS.items()
    },
    "lcm": tiny_unets.lcm,
    **tiny_transformers.BUILDERS,
}


def save_family(family: str, folder: Path) -> Path:
    """Save a model of the family, with the same weights every time; give its folder back."""
    torch.manual_seed(len(family))
    BUILDERS[family]().save_pretrained(folder)
    return folder
