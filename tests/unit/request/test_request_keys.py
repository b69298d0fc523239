"""The keys of a sidecar: what each takes, what it refuses, and how layers merge."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import asdict

from img2imgd.errors import DocumentError, Problem
from img2imgd.request import (
    BUILT_IN,
    FromList,
    GifKeys,
    RequestKeys,
    StyleKeys,
    is_pattern,
    json_schema,
    read_defaults,
    read_sidecar,
)


def keys_of(text: str) -> RequestKeys:
    return read_sidecar("cat.yaml", text.encode())


def problems_of(text: str) -> tuple[Problem, ...]:
    with pytest.raises(DocumentError) as caught:
        keys_of(text)
    return caught.value.problems


def only_problem(text: str) -> Problem:
    problems = problems_of(text)
    assert len(problems) == 1, problems
    return problems[0]


FULL = """\
prompt: a cottage by a lake at sunset
negative_prompt: blurry
prompt_syntax: A1111
style: carl rungius
strength: 0.75
guidance_scale: 9
steps: 50
seed: 187
n: 4
size: 768
fit: cover
prepare: sketch
model: sd21
scheduler: dpm++_2m_karras
sweep:
  strength: {from: 0.05, to: 0.95, step: 0.03}
gif: {duration: 400, loop: 0, pingpong: false}
sheet: true
format: webp
quality: 90
metadata: minimal
restore_size: true
images: ["*.png", cat.jpg]
"""


def test_every_key_of_the_contract_is_read() -> None:
    keys = keys_of(FULL)
    assert keys.prompt == "a cottage by a lake at sunset"
    assert keys.style == ("carl rungius",)
    assert keys.prompt_syntax == "a1111"
    assert keys.guidance_scale == 9
    assert keys.seed == 187
    assert keys.gif == GifKeys(duration=400, loop=0, pingpong=False)
    assert keys.images == ("*.png", "cat.jpg")
    assert None not in asdict(keys).values()


def test_keys_without_a_value_are_absent() -> None:
    assert keys_of("prompt: a\nseed:\nsweep:\ngif: ~\nstyle:\n") == RequestKeys(prompt="a")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("style: ink", ("ink",)),
        ("style: [ink, oil]", ("ink", "oil")),
        ("style: {name: Oil, prompt: oil}", (StyleKeys("Oil", "oil"),)),
        ("style: {from: styles.csv}", (StyleKeys(source="styles.csv"),)),
        ("style: [ink, {choose: 3, from: a.csv}]", ("ink", StyleKeys(source="a.csv", choose=3))),
        ("prompt: [a cat, a dog]", ("a cat", "a dog")),
        ("prompt: {from: _prompts.txt}", FromList("_prompts.txt")),
        ("prompt: {choose: 3, from: a.CSV}", FromList("a.CSV", 3)),
        ("size: 512", 512),
        ("size: [512, 768]", (512, 768)),
        ("size: keep", "keep"),
        ("size: native", "native"),
        ("gif: false", False),
        ("gif: true", True),
        ("strength: 1", 1.0),
        ("strength: 1e-1", 0.1),
        ("guidance_scale: 0", 0.0),
        ("seed: 4294967295", 4294967295),
        ("seed: 0", 0),
        ("images: '*.png'", ("*.png",)),
        ("prompt: 16:9 no", "16:9 no"),
        ("prompt: 'no'", "no"),
        ("prompt: no", "no"),
    ],
)
def test_values_at_the_edges_are_taken(text: str, value: object) -> None:
    assert getattr(keys_of(text), text.partition(":")[0]) == value


@pytest.mark.parametrize(
    "text",
    [
        "strength: 0",
        "strength: 1.01",
        "strength: -0.5",
        "strength: '0.5'",
        "strength: true",
        "guidance_scale: -1",
        "guidance_scale: 50.5",
        "steps: 0",
        "steps: 1001",
        "steps: 2.5",
        "seed: -1",
        "seed: 4294967296",
        "seed: 1.0",
        "n: 0",
        "n: true",
        "size: 63",
        "size: 8193",
        "size: [512]",
        "size: [512, 768, 3]",
        "size: [512, x]",
        "size: big",
        "size: true",
        "size: {w: 3}",
        "fit: fill",
        "model: 3",
        "style: 3",
        "style: [ink, 3]",
        "style: {a: b}",
        "style: {}",
        "style: {name: Oil}",
        "style: {prompt: oil, from: styles.csv}",
        "style: {prompt: oil, choose: 2}",
        "style: [[ink]]",
        "prompt: 1984",
        "prompt: true",
        "prompt: [a cat, 3]",
        "prompt: [a cat, ' ']",
        "prompt: {from: a.csv, a: b}",
        "prompt: {from: 3}",
        "prompt: {from: _a.txt, choose: 0}",
        "prompt: {choose: 3}",
        "gif: 3",
        "gif: [400]",
        "gif: {duration: 10}",
        "gif: {duration: 60001}",
        "gif: {loop: -1}",
        "gif: {pingpong: yes}",
        "sheet: 1",
        "sweep: 3",
        "sweep: [0.1, 0.2]",
        "images: []",
        "images: 3",
    ],
)
def test_values_outside_are_refused_on_their_line_with_their_key(text: str) -> None:
    problem = only_problem("# first\n" + text)
    assert problem.line == 2
    assert problem.key.startswith(text.partition(":")[0])
    assert "msgspec" not in str(problem)


@pytest.mark.parametrize(
    "name",
    [
        "../cat.png",
        "/etc/passwd",
        "sub/cat.png",
        "..",
        ".hidden.png",
        "a\\\\b.png",
        "..\\\\cat.png",
        " ",
        "*/cat.png",
        "x" * 300,
    ],
)
def test_images_cannot_name_anything_outside_the_sidecars_folder(name: str) -> None:
    assert only_problem(f'images: ["{name}"]').key == "images"


def test_a_list_has_any_number_of_names_and_a_hundred_globs() -> None:
    names, globs = [f"p{at}.png" for at in range(3000)], [f"p{at}-*.png" for at in range(101)]
    assert keys_of(f"images: {[*names, *globs[:100]]}").images
    assert "101 globs; at most 100" in only_problem(f"images: {globs}").message


def test_a_prompt_may_have_ten_thousand_characters_and_no_more() -> None:
    assert keys_of("prompt: " + "x" * 10_000).prompt
    assert "10,000" in only_problem("prompt: " + "x" * 10_001).message


def test_a_size_written_as_text_is_told_how_to_write_it() -> None:
    assert only_problem("size: 512x768").advice == "Write [512, 768]."


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("cfg", "guidance_scale"),
        ("cfg_scale", "guidance_scale"),
        ("scale", "guidance_scale"),
        ("negative", "negative_prompt"),
        ("neg", "negative_prompt"),
        ("iterations", "n"),
        ("count", "n"),
        ("variations", "n"),
        ("batch", "n"),
        ("denoise", "strength"),
        ("denoising_strength", "strength"),
        ("Denoising strength", "strength"),
        ("strenght", "strength"),
        ("Prompt", "prompt"),
        ("guidance-scale", "guidance_scale"),
        ("promt", "prompt"),
    ],
)
def test_unknown_keys_are_answered_with_the_one_that_was_meant(wrong: str, right: str) -> None:
    assert only_problem(f"{wrong}: 1").advice == f"Did you mean `{right}`?"


def test_a_key_that_means_nothing_gets_the_list() -> None:
    advice = only_problem("zzz: 1").advice
    assert all(name in advice for name in RequestKeys.__struct_fields__)


def test_all_problems_are_told_at_once() -> None:
    problems = problems_of("prompt: 3\nstrength: 7\nsteps: x\nfoo: 1\ngif: {loop: -1}\n")
    assert [p.line for p in problems] == [1, 2, 3, 4, 5]


def test_explicit_keys_win_over_the_layer_below() -> None:
    mine = RequestKeys(strength=0.5, style=("ink",), gif=False)
    base = RequestKeys(strength=0.7, steps=20, gif=True, prompt="a")
    assert mine.over(base) == RequestKeys(
        strength=0.5, style=("ink",), gif=False, steps=20, prompt="a"
    )


def test_an_empty_text_is_explicit_and_wins() -> None:
    assert RequestKeys(negative_prompt="").over(BUILT_IN).negative_prompt == ""


def test_an_empty_sweep_switches_off_the_one_below() -> None:
    base = keys_of("sweep: {seed: [1, 2]}")
    merged = keys_of("sweep: {}").over(base)
    assert merged.sweep is not None
    assert merged.sweep.axes() == {}


def test_images_are_never_inherited() -> None:
    base = RequestKeys(images=("a.png",), prompt="a")
    assert RequestKeys().over(base).images is None
    assert RequestKeys(images=("b.png",)).over(base).images == ("b.png",)


def test_gif_timing_merges_key_by_key() -> None:
    mine, base = keys_of("gif: {duration: 100}"), keys_of("gif: {loop: 3, duration: 200}")
    assert mine.over(base).gif == GifKeys(duration=100, loop=3)


def test_keys_cannot_be_changed_afterwards() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        setattr(keys_of("prompt: a"), "prompt", "b")  # noqa: B010 - the type checker knows better


def test_defaults_files_take_all_keys_but_images() -> None:
    assert read_defaults("_defaults.yaml", b"prompt: a\nsteps: 3\n").steps == 3
    with pytest.raises(DocumentError) as caught:
        read_defaults("_defaults.yaml", b"prompt: a\nimages: a.png\n")
    (problem,) = caught.value.problems
    assert (problem.line, problem.key) == (2, "images")


@pytest.mark.parametrize(
    ("name", "pattern"), [("*.png", True), ("a?.png", True), ("[ab].png", True), ("a.png", False)]
)
def test_globs_are_told_from_names(name: str, pattern: bool) -> None:
    assert is_pattern(name) is pattern


def test_the_built_in_defaults_are_the_articles() -> None:
    assert (BUILT_IN.strength, BUILT_IN.guidance_scale, BUILT_IN.steps) == (0.8, 9, 50)
    assert BUILT_IN.negative_prompt == (
        "disfigured, bad anatomy, low quality, ugly, tiling, poorly drawn hands, "
        "poorly drawn feet, out of frame"
    )


def test_the_json_schema_describes_every_key_for_editors() -> None:
    schema: dict[str, Any] = json_schema()
    assert set(schema["properties"]) == set(RequestKeys.__struct_fields__)
    assert schema["additionalProperties"] is False
    assert all("description" in field for field in schema["properties"].values())
    style = schema["properties"]["style"]["anyOf"]
    assert [part.get("type", part.get("$ref")) for part in style] == [
        "string", "#/$defs/StyleKeys", "array", "null",
    ]  # fmt: skip
    assert {"name", "prompt", "negative_prompt", "from", "choose"} == set(
        schema["$defs"]["StyleKeys"]["properties"]
    )
    prompt = schema["properties"]["prompt"]["anyOf"]
    assert {"$ref": "#/$defs/FromList"} in prompt
    assert {"string", "array", "null"} <= {part.get("type") for part in prompt}
    assert schema["$defs"]["FromList"]["required"] == ["from"]
    assert {"from", "to", "step", "count"} == set(schema["$defs"]["Axis"]["properties"])
