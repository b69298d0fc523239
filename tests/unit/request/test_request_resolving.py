"""Layers of keys to one frozen request."""

from __future__ import annotations

import time
from typing import Any

import pytest

from img2imgd.errors import DocumentError, Problem
from img2imgd.job import plan_frames
from img2imgd.request import (
    BUILT_IN,
    GifSettings,
    OutputSettings,
    Request,
    RequestKeys,
    SheetSettings,
    read_defaults,
    read_sidecar,
    resolve,
)


def request_of(*texts: str, **options: Any) -> Request:
    layers = [read_sidecar("cat.yaml", text.encode()) for text in texts]
    return resolve(layers, **{**OPTIONS, **options})


OPTIONS: dict[str, Any] = {
    "default_model": "demo",
    "models": ("demo", "sd21"),
    "draw_seed": lambda: 4242,
    "max_frames": 400,
    "name": "cat.yaml",
}


def problems_of(*texts: str, **options: Any) -> tuple[Problem, ...]:
    with pytest.raises(DocumentError) as caught:
        request_of(*texts, **options)
    return caught.value.problems


def test_a_prompt_alone_gets_the_built_in_values() -> None:
    request = request_of("prompt: a cat")
    assert request == Request(
        prompt="a cat",
        negative_prompt=BUILT_IN.negative_prompt or "",
        strength=0.8,
        guidance_scale=9.0,
        steps=50,
        seed=4242,
        model="demo",
        seed_drawn=True,
    )
    assert request.size is None
    assert request.scheduler is None
    assert request.fit == "cover"
    assert request.frame_count == 1


def test_the_strongest_layer_wins_key_by_key() -> None:
    request = request_of(
        "strength: 0.3",
        "strength: 0.4\nsteps: 7\nscheduler: ddim",
        "prompt: a cat\nsteps: 8\nmodel: sd21\nscheduler: euler",
    )
    assert (request.strength, request.steps, request.prompt) == (0.3, 7, "a cat")
    assert (request.model, request.scheduler) == ("sd21", "ddim")


@pytest.mark.parametrize("text", ["", "strength: 0.5", "prompt: '  '", "prompt: |\n  \n"])
def test_a_request_without_a_prompt_is_refused_with_an_example(text: str) -> None:
    (problem,) = problems_of(text)
    assert problem.key == "prompt"
    assert "prompt: a cottage" in problem.advice


def test_an_unknown_model_is_answered_with_the_nearest() -> None:
    (problem,) = problems_of("prompt: a\nmodel: sd12")
    assert "sd12" in problem.message
    assert problem.advice == "Did you mean `sd21`?"
    (problem,) = problems_of("prompt: a\nmodel: ../../etc/passwd")
    assert problem.advice == "It has: demo, sd21."


def test_problems_found_late_still_name_their_line() -> None:
    problems = problems_of("n: 500\n# two\nmodel: foo\nprompt: a\n")
    assert [(p.line, p.key) for p in problems] == [(1, "n"), (3, "model")]


def test_a_mistake_in_the_folders_defaults_is_told_to_stand_there() -> None:
    defaults = read_defaults("_defaults.yaml", b"prompt: a\nmodel: foo\n")
    with pytest.raises(DocumentError) as caught:
        resolve([RequestKeys(n=1), defaults], **OPTIONS)
    (problem,) = caught.value.problems
    assert problem.line == 0
    assert "It stands in _defaults.yaml, line 2." in problem.message


def test_too_many_frames_are_refused_with_both_numbers() -> None:
    text = "prompt: a\nn: 10\nstyle: [x, y]\nsweep: {strength: {from: 0.1, to: 0.4, step: 0.01}}"
    (problem,) = problems_of(text)
    assert "620 frames (31 × 2 × 10)" in problem.message
    assert "400" in problem.message


def test_a_million_million_frames_are_counted_and_never_made() -> None:
    before = time.monotonic()
    (problem,) = problems_of(
        "prompt: a\nsweep: {seed: {from: 0, to: 4294967295, step: 1},"
        " strength: {from: 0.1, to: 1, step: 1e-300}}"
    )
    assert "more than a million million" in problem.message
    assert time.monotonic() - before < 5


def test_as_many_frames_as_allowed_are_allowed() -> None:
    assert request_of("prompt: a\nn: 400").frame_count == 400
    assert problems_of("prompt: a\nn: 401")[0].key == "n"


def test_a_given_seed_is_kept_and_none_is_drawn() -> None:
    def never() -> int:
        raise AssertionError("a seed was drawn")

    request = request_of("prompt: a\nseed: 0", draw_seed=never)
    assert (request.seed, request.seed_drawn) == (0, False)
    request = request_of("prompt: a\nsweep: {seed: [5, 6]}", draw_seed=never)
    assert (request.seed, request.seed_drawn) == (5, False)


@pytest.mark.parametrize(
    ("text", "wants"),
    [
        ("sweep: {strength: [0.1, 0.2]}", True),
        ("sweep: {strength: [0.1]}", False),
        ("sweep: {strength: [0.1, 0.2], steps: [3, 4]}", False),
        ("sweep: {strength: [0.1, 0.2]}\ngif: false", False),
        ("n: 4", False),
        ("n: 4\ngif: true", True),
        ("n: 4\ngif: {duration: 100}", True),
        ("gif: true", False),
        ("sweep: {strength: [0.1, 0.2], steps: [3, 4]}\ngif: true", True),
        ("sweep: {seed: [1, 2]}\nstyle: [x, y]", True),
    ],
)
def test_a_gif_is_made_for_one_axis_or_when_asked_for(text: str, wants: bool) -> None:
    assert request_of(f"prompt: a\n{text}").wants_gif is wants


def test_gif_timing_comes_from_the_request_then_the_config() -> None:
    base = GifSettings(duration=200, loop=2, pingpong=True)
    config = OutputSettings(gif=base)
    assert request_of("prompt: a", outputs=config).gif == base
    assert request_of("prompt: a\ngif: true", outputs=config).gif == base
    assert request_of("prompt: a\ngif: {duration: 50}", outputs=config).gif == GifSettings(
        duration=50, loop=2, pingpong=True
    )
    assert request_of("prompt: a\ngif: false", outputs=config).gif is None
    assert request_of("prompt: a").gif == GifSettings(duration=400, loop=0, pingpong=False)


@pytest.mark.parametrize(
    ("text", "config", "sheet"),
    [
        ("", True, SheetSettings()),
        ("", False, None),
        ("", SheetSettings(input=True), SheetSettings(input=True)),
        ("sheet: false", True, None),
        ("sheet: true", False, SheetSettings()),
        ("sheet: true", SheetSettings(input=True), SheetSettings(input=True)),
        ("sheet: {input: true}", False, SheetSettings(input=True)),
        ("sheet: {max_side: 900}", SheetSettings(input=True), SheetSettings(True, 900)),
    ],
)
def test_a_sheet_is_as_the_request_says_then_as_the_config_does(
    text: str, config: bool | SheetSettings, sheet: SheetSettings | None
) -> None:
    asked = request_of(f"prompt: a\nn: 2\n{text}", outputs=OutputSettings(sheet=config))
    assert asked.sheet == sheet
    assert asked.wants_sheet is (sheet is not None)


def test_parts_of_a_sheets_settings_are_merged_over_those_of_the_folder() -> None:
    merged = request_of("prompt: a\nsheet: {input: true}", "sheet: {max_side: 600}")
    assert merged.sheet == SheetSettings(input=True, max_side=600)


def test_one_frame_has_no_sheet() -> None:
    assert not request_of("prompt: a\nsheet: true").wants_sheet


def test_files_are_as_the_request_says_then_as_the_config_does() -> None:
    config = OutputSettings(format="webp", quality=80, metadata="minimal", restore_size=True)
    plain = request_of("prompt: a", outputs=config)
    assert (plain.format, plain.quality, plain.metadata) == ("webp", 80, "minimal")
    assert (plain.restore_size, plain.suffix) == (True, ".webp")
    own = request_of(
        "prompt: a\nformat: jpg\nquality: 70\nmetadata: none\nrestore_size: false", outputs=config
    )
    assert (own.format, own.quality, own.metadata) == ("jpeg", 70, "none")
    assert (own.restore_size, own.suffix) == (False, ".jpg")


def test_a_style_is_appended_and_the_prompt_made_one_line() -> None:
    request = request_of("prompt: |\n  a cottage\n  by a lake\nstyle: [carl rungius, '']")
    lake = "a cottage by a lake"
    prompt = request.prompt
    assert request.drawn(prompt, "carl rungius", 0).prompt == f"{lake} by carl rungius"
    assert request.drawn(prompt, "", 0).prompt == lake
    assert request.styles == ("carl rungius", "")


@pytest.mark.parametrize("style", ["''", "' '", "[]"])
def test_an_empty_style_is_no_style(style: str) -> None:
    request = request_of(f"prompt: a\nstyle: {style}", "style: ink")
    assert request.styles == ()
    assert request.frame_count == 1


def test_a_request_survives_its_json() -> None:
    request = request_of(
        "prompt: 'a “cat” 猫 🐈'\nstyle: [x, y]\nsize: [512, 768]\nseed: 4294967295\nsheet: false\n"
        "sweep: {seed: [1, 2], strength: {from: 0.05, to: 0.95, step: 0.03}}\ngif: {loop: 3}"
    )
    again = Request.from_json(request.to_json())
    assert again == request
    assert list(again.sweep) == ["seed", "strength"]
    assert all(type(value) is int for value in again.sweep["seed"])
    assert again.sweep["strength"][-1] == 0.95


@pytest.mark.parametrize("size", ["512", "keep", "[512, 768]", ""])
def test_every_form_of_size_survives_json(size: str) -> None:
    request = request_of(f"prompt: a\nsize: {size}")
    assert Request.from_json(request.to_json()).size == request.size


def test_json_of_a_newer_version_is_read_and_broken_json_refused() -> None:
    text = request_of("prompt: a").to_json()
    assert Request.from_json(text[:-1] + ', "mood": 3}').prompt == "a"
    for broken in ("", "{", "[]", '{"prompt": 3}', text.replace("0.8", '"x"')):
        with pytest.raises(DocumentError):
            Request.from_json(broken)


def test_the_frame_count_is_that_of_the_plan() -> None:
    request = request_of(
        "prompt: a\nn: 3\nstyle: [x, y]\nsweep: {strength: [0.1, 0.2], steps: [5, 6, 7]}"
    )
    assert request.frame_count == len(plan_frames(request)) == 36


def test_without_layers_the_built_in_one_is_still_there() -> None:
    with pytest.raises(DocumentError, match="no prompt"):
        resolve([], **OPTIONS)
    assert resolve([RequestKeys(prompt="a")], **OPTIONS).steps == 50


@pytest.mark.parametrize("key", ["negative_prompt", "style", "prompt"])
def test_a_text_with_more_options_than_can_be_drawn_is_refused(key: str) -> None:
    def asking(bars: int) -> str:
        text = "{" + "|" * bars + "}"
        return f'prompt: a\n{key}: "{text}"' if key != "prompt" else f'prompt: "{text}"'

    assert request_of(asking(999)).has_choices
    (problem,) = problems_of(asking(1000))
    assert "1,001 options" in problem.message
    assert "1,000 are taken" in problem.message
    assert (problem.key, problem.line) == (key, 1 if key == "prompt" else 2)
