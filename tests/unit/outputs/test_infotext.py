"""Infotext as A1111's readers want it; our own reader takes it back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imgd.outputs.infotext import infotext
from img2imgd.request import parse_infotext

PARAMETERS = {
    "Steps": 50, "Sampler": "Euler", "Schedule type": None, "CFG scale": 9.0, "Seed": 187,
    "Size": "768x512", "Model hash": "", "Model": "sd21", "Denoising strength": 0.75,
}  # fmt: skip


def test_absent_values_are_left_out_and_numbers_are_short() -> None:
    assert infotext("a lake", "blurry", PARAMETERS) == (
        "a lake\nNegative prompt: blurry\n"
        "Steps: 50, Sampler: Euler, CFG scale: 9, Seed: 187, Size: 768x512, Model: sd21, "
        "Denoising strength: 0.75"
    )


def test_a_text_without_prompts_begins_with_a_newline() -> None:
    assert infotext("", "", {"Steps": 3, "Seed": 1}) == "\nSteps: 3, Seed: 1"


@pytest.mark.parametrize("name", ["a, b", "a: b", 'say "a"', "two\nlines", "C:\\model, 1"])
def test_values_that_would_break_the_line_are_quoted(name: str) -> None:
    text = infotext("a", "", {**PARAMETERS, "Model": name})
    assert len(text.splitlines()) == 2
    read = parse_infotext(text)
    assert (read.seed, read.strength) == (187, 0.75)


@given(
    prompt=st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=40),
    strength=st.floats(0.01, 1).map(lambda value: round(value, 3)),
    seed=st.integers(0, 2**32 - 1),
)
def test_our_own_reader_takes_it_back(prompt: str, strength: float, seed: int) -> None:
    parameters = {**PARAMETERS, "Seed": seed, "Denoising strength": strength}
    keys = parse_infotext(infotext(prompt, "blurry", parameters))
    assert (keys.seed, keys.strength, keys.steps) == (seed, strength, 50)
    assert (keys.size, keys.guidance_scale) == ((768, 512), 9)
    assert keys.negative_prompt == "blurry"
