"""A tiny pipeline of each family with single files, as a diffusers folder and as one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from original_format import save_original_file
from tiny_unets import BUILDERS, Tokenizers, small_tokenizer


@dataclass(frozen=True)
class Forms:
    """One model in both forms."""

    family: str
    folder: Path
    file: Path


def save_forms(family: str, into: Path, tokenizers: Tokenizers = small_tokenizer) -> Forms:
    """Build the family's tiny model and save it both ways."""
    torch.manual_seed(len(family))
    pipe = BUILDERS[family](tokenizers)
    folder, file = into / family, into / f"{family}.safetensors"
    pipe.save_pretrained(folder)
    save_original_file(pipe, family, file)
    return Forms(family, folder, file)
