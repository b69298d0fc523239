"""The vocabulary: byte-level BPE learnt from this project's own captions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from .architecture import MODEL_DIR, TOKENS
from .world.captions import FILLERS, NEGATIVES, caption
from .world.looks import LOOKS
from .world.scenes import sample_scene

BOS, EOS = "<|startoftext|>", "<|endoftext|>"
WORD_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
SEED = 11


def _texts(number: int) -> list[str]:
    rng = np.random.default_rng(SEED)
    texts = [caption(rng, sample_scene(rng), str(rng.choice(LOOKS))) for _ in range(number)]
    return texts + list(FILLERS + NEGATIVES) * 50


def train_tokenizer(captions: int = 20_000, merges: int = 1_300) -> CLIPTokenizer:
    """Learn a lower-case byte-level BPE; every byte stays spellable, inside and ending a word."""
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD_PATTERN), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=merges, min_frequency=8, end_of_word_suffix="</w>", show_progress=False
    )
    learner.train_from_iterator(_texts(captions), trainer)
    learnt = json.loads(learner.to_str())["model"]["merges"]
    pairs = [tuple(pair) for pair in learnt]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += dict.fromkeys(left + right for left, right in pairs)
    words += [BOS, EOS]
    vocabulary = {word: index for index, word in enumerate(dict.fromkeys(words))}
    return CLIPTokenizer(vocab=vocabulary, merges=pairs, model_max_length=TOKENS)


def load_tokenizer(work: Path) -> CLIPTokenizer:
    """The tokenizer in `work`, which is the shipped model's, or is learnt where that is missing."""
    folder, shipped = work / "tokenizer", MODEL_DIR / "tokenizer"
    if not folder.exists():
        made = CLIPTokenizer.from_pretrained(shipped) if shipped.exists() else train_tokenizer()
        made.save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)
