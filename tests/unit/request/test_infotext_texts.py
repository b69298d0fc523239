"""A1111 infotext: what is understood, what is passed over, and what stays a prompt."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imgd.errors import DocumentError
from img2imgd.request import RequestKeys, draw, parse_infotext

FULL = (
    "a cottage by a lake, (masterpiece:1.2)\n"
    "at sunset\n"
    "Negative prompt: blurry\n"
    "ugly\n"
    "Steps: 50, Sampler: Euler, CFG scale: 9.5, Seed: 187, Size: 768x512, Model hash: ad2a33c361, "
    'Model: "a, b: c", Denoising strength: 0.75, Version: v1.10'
)


def test_all_parameters_that_mean_something_here_are_read() -> None:
    infotext = parse_infotext(FULL)
    assert infotext == RequestKeys(
        prompt="a cottage by a lake, (masterpiece:1.2)\nat sunset",
        negative_prompt="blurry\nugly",
        steps=50,
        guidance_scale=9.5,
        seed=187,
        size=(768, 512),
        strength=0.75,
        scheduler="euler",
    )
    assert infotext.passed_over == ("Model hash", "Model", "Version")


def test_windows_line_ends_are_read_alike() -> None:
    assert parse_infotext(FULL.replace("\n", "\r\n")) == parse_infotext(FULL)


def test_a_seed_of_minus_one_is_none() -> None:
    assert parse_infotext("a\nSteps: 20, Seed: -1, Sampler: Euler") == RequestKeys(
        prompt="a", steps=20, scheduler="euler"
    )


def test_a_text_may_begin_with_the_negative_prompt() -> None:
    keys = parse_infotext("Negative prompt: ugly\nSteps: 20, Sampler: Euler, Seed: 3")
    assert keys == RequestKeys(negative_prompt="ugly", steps=20, seed=3, scheduler="euler")


@pytest.mark.parametrize("before", ["", "\n", " \n\n"])
def test_a_text_may_begin_with_the_parameters(before: str) -> None:
    keys = parse_infotext(f"{before}Steps: 20, CFG scale: 7, Seed: 3\n")
    assert keys == RequestKeys(steps=20, guidance_scale=7.0, seed=3)


@pytest.mark.parametrize(
    "text",
    [
        "a cat",
        "a cat\non a mat",
        "Steps: 20, Seed: 3",
        "a cat\nSteps: 20, Seed: 3",
        "portrait, subject: cat, mood: calm, light: soft",
        "left: a cat, right: a dog, sky: grey",
        "a: b, c: d",
    ],
)
def test_a_text_without_a_real_parameter_line_is_all_prompt(text: str) -> None:
    infotext = parse_infotext(text)
    assert infotext == RequestKeys(prompt=text)
    assert infotext.passed_over == ()


def test_prompts_beside_parameters_are_literal_and_others_are_drawn() -> None:
    text = "a {cat|dog} (x:1.2) {prompt}"
    keys = parse_infotext(f"{text}\nNegative prompt: {{a|b}}\nSteps: 2, Seed: 3, Size: 64x64")
    assert isinstance(keys.prompt, str)
    assert [draw(keys.prompt, seed) for seed in range(9)] == [text] * 9
    assert draw(keys.negative_prompt or "", 1) == "{a|b}"
    assert parse_infotext(text).prompt == text


@pytest.mark.parametrize("text", ["", "  \n \n"])
def test_an_empty_text_asks_for_nothing(text: str) -> None:
    assert parse_infotext(text) == RequestKeys()


def test_quoted_values_may_hold_commas_colons_and_quotes() -> None:
    line = r'Steps: 20, Seed: 3, Lora hashes: "a: 1, \"b\": 2, Seed: 9", Sampler: Euler'
    infotext = parse_infotext("a\n" + line)
    assert infotext.seed == 3
    assert infotext.passed_over == ("Lora hashes",)


@pytest.mark.parametrize(
    ("pairs", "scheduler", "ignored"),
    [
        ("Sampler: DPM++ 2M, Schedule type: Karras", "dpm++_2m_karras", ()),
        ("Sampler: DPM++ 2M Karras", "dpm++_2m_karras", ()),
        ("Sampler: DPM++ 2M", "dpm++_2m", ()),
        ("Schedule type: Automatic, Sampler: DPM++ 2M", "dpm++_2m_karras", ()),
        ("Sampler: Euler a, Schedule type: Automatic", "euler_a", ()),
        ("Sampler: Euler a, Schedule type: Karras", "euler_a", ("Schedule type",)),
        ("Sampler: Euler, Schedule type: KL Optimal", "euler", ("Schedule type",)),
        ("Sampler: Restart, Schedule type: Karras", None, ("Sampler", "Schedule type")),
        ("Sampler: DPM++ 2S a Karras", None, ("Sampler",)),
        ("Schedule type: Karras, Model: x", None, ("Schedule type", "Model")),
    ],
)
def test_sampler_and_schedule_type_are_the_scheduler_or_told_as_passed_over(
    pairs: str, scheduler: str | None, ignored: tuple[str, ...]
) -> None:
    infotext = parse_infotext(f"a cat\nSteps: 20, CFG scale: 7, Seed: 3, {pairs}")
    assert infotext.scheduler == scheduler
    assert infotext.passed_over == ignored
    assert infotext.prompt == "a cat"


@pytest.mark.parametrize(
    ("pair", "key"),
    [
        ("Steps: many", "steps"),
        ("Steps: 5000", "steps"),
        ("CFG scale: .nan", "guidance_scale"),
        ("Denoising strength: 0", "strength"),
        ("Size: 9x9", "size"),
        ("Size: big", "size"),
        ("Seed: " + "9" * 5000, "seed"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_on_its_line(pair: str, key: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_infotext(f"a\nNegative prompt: b\nSampler: Euler, Model: x, {pair}", "cat.txt")
    (problem,) = caught.value.problems
    assert (problem.key, problem.line) == (key, 3)
    assert caught.value.name == "cat.txt"


@pytest.mark.parametrize("line", ["x" * 60_000, "x: " * 20_000, '"' * 60_000, "a:," * 20_000])
def test_long_lines_are_read_in_linear_time(line: str) -> None:
    before = time.monotonic()
    with contextlib.suppress(DocumentError):  # most are prompts that are too long
        parse_infotext(f"Steps: 1, Seed: 2, {line}")
    assert time.monotonic() - before < 10


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(DocumentError):
        assert isinstance(parse_infotext(text), RequestKeys)


def test_a_model_of_the_config_is_taken_by_its_name_and_another_passed_over() -> None:
    text = "a cat\nSteps: 20, CFG scale: 7, Seed: 3, Model: SD21"
    known = parse_infotext(text, models=("demo", "sd21"))
    assert (known.model, known.passed_over) == ("sd21", ())
    unknown = parse_infotext(text, models=("demo",))
    assert (unknown.model, unknown.passed_over) == (None, ("Model",))


def test_tags_that_add_a_network_are_taken_out_of_the_prompts_and_told() -> None:
    text = (
        "a cat <lora:ink:0.8> on a mat\nNegative prompt: <lyco:bad:1>dog\n"
        "Steps: 20, CFG scale: 7, Seed: 3"
    )
    keys = parse_infotext(text)
    assert " ".join((keys.prompt or "").split()) == "a cat on a mat"  # type: ignore[union-attr]
    assert keys.negative_prompt == "dog"
    assert keys.passed_over == ("<lora:ink:0.8>", "<lyco:bad:1>")
    plain = parse_infotext("a cat <lora:ink:0.8>")
    assert (plain.prompt, plain.passed_over) == ("a cat <lora:ink:0.8>", ())


def test_a_line_of_many_spaces_is_read_at_once() -> None:
    """Were the time to grow with their square, this would take hours."""
    keys = parse_infotext(f"a\nSteps: 20, Sampler: x{' ' * 1_000_000}y, CFG scale: 7, Seed: 3")
    assert keys.seed == 3
