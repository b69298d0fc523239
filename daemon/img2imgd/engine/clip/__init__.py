"""CLIP's tokenizer, built from the merges that are shipped here.

Checkpoints in one file hold no tokenizer, and every Stable Diffusion up to XL was trained with this
one. Its vocabulary follows from the merges (Radford et al., 2021, https://github.com/openai/CLIP):
the 256 bytes, the same at the end of a word, what each merge makes, and the two ends of a text.
"""

from __future__ import annotations

import gzip
from pathlib import Path

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
CONTEXT = 77
"""Tokens that the text encoders take, both ends included."""

_MERGES = Path(__file__).parent / "merges.txt.gz"


def clip_tokenizer(pad: str = END) -> CLIPTokenizer:
    """The tokenizer, with the token that fills a prompt up: the text's end for CLIP-L as OpenAI
    trained it, ``!`` (id 0) for the OpenCLIP encoders of SD 2 and SDXL."""
    lines = gzip.decompress(_MERGES.read_bytes()).decode("utf-8").splitlines()
    merges = [(first, second) for first, _, second in (line.partition(" ") for line in lines)]
    letters = sorted(ByteLevel.alphabet())  # by code point, which is CLIP's order of the bytes
    words = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        *(first + second for first, second in merges),
        START,
        END,
    ]
    return CLIPTokenizer(
        vocab={word: number for number, word in enumerate(words)},
        merges=merges,  # type: ignore[arg-type]  # pairs, as the tokenizers library takes them
        pad_token=pad,
        model_max_length=CONTEXT,
    )
