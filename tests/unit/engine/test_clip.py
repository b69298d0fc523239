"""CLIP's tokenizer is built from its merges alone, and gives the ids that the models know."""

from __future__ import annotations

import hashlib
from importlib import resources

import pytest

from img2imgd.engine.clip import END, START, clip_tokenizer


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("a photo of a cat", [320, 1125, 539, 320, 2368]),
        ("A PHOTO  of\na cat", [320, 1125, 539, 320, 2368]),
        ("a diagram, a dog", [320, 22697, 267, 320, 1929]),
        ("", []),
    ],
)
def test_known_texts_have_their_known_ids(text: str, ids: list[int]) -> None:
    assert clip_tokenizer()(text).input_ids == [49406, *ids, 49407]


def test_prompts_are_filled_up_with_what_the_encoder_was_trained_with() -> None:
    for pad, number in ((END, 49407), ("!", 0)):
        ids = clip_tokenizer(pad)("a cat", padding="max_length", truncation=True).input_ids
        assert ids == [49406, 320, 2368, 49407] + [number] * 73


def test_the_vocabulary_is_clips() -> None:
    words = clip_tokenizer().get_vocab()
    assert len(words) == 49_408
    assert (words["!"], words["a</w>"], words[START], words[END]) == (0, 320, 49_406, 49_407)
    # Every byte has a token, so no text is unknown.
    assert clip_tokenizer().decode(clip_tokenizer()("猫 é ☃").input_ids[1:-1]) == "猫 é ☃"


def test_the_licence_lies_beside_the_merges() -> None:
    folder = resources.files("img2imgd.engine.clip")
    licence = (folder / "LICENSE").read_text(encoding="utf-8")
    assert "Copyright (c) 2021 OpenAI" in licence
    assert "MIT License" in licence
    merges = (folder / "merges.txt.gz").read_bytes()
    assert hashlib.sha256(merges).hexdigest().startswith("616f0306ad91e158")
