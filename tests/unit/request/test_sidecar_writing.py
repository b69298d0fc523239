"""A sidecar that is written reads back to the same keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imgd.document.encoding import BREAKS_OF_YAML_1_1, FORBIDDEN
from img2imgd.request import RequestKeys, read_sidecar, sidecar_text


def again(keys: RequestKeys) -> RequestKeys:
    return read_sidecar("cat.yaml", sidecar_text(keys).encode())


def test_every_key_but_images_survives() -> None:
    text = (
        "prompt: a\nnegative_prompt: b\nstyle: [x, y]\nstrength: 0.05\nguidance_scale: 9\n"
        "steps: 5\nseed: 4294967295\nn: 2\nsize: [512, 768]\nfit: contain\nmodel: demo\n"
        "sweep: {seed: [1, 2], strength: {from: 0.05, to: 0.95, step: 0.03}}\n"
        "gif: {duration: 100}\nsheet: false\n"
    )
    keys = read_sidecar("cat.yaml", text.encode())
    assert again(keys) == keys
    assert again(RequestKeys(images=("a.png",))) == RequestKeys()


@pytest.mark.parametrize(
    "text",
    [
        "prompt: [a, '{b|c}', '1984']",
        "prompt: {from: _prompts.txt, choose: 3}",
        "prompt: {from: a.csv}",
        "style: {name: Oil, prompt: 'oil of {prompt}', negative_prompt: photo}",
        "style: [ink, {prompt: oil}, {from: artists.csv, choose: 2}, '']",
        "style: []",
        "style: ''",
        "sweep: {}",
    ],
)
def test_every_form_of_prompts_and_styles_survives(text: str) -> None:
    keys = read_sidecar("cat.yaml", text.encode())
    assert keys != RequestKeys()
    assert again(keys) == keys


@pytest.mark.parametrize("size", [512, (64, 8192), "keep", "native", None])
def test_every_form_of_size_survives(size: int | tuple[int, int] | None) -> None:
    assert again(RequestKeys(size=size)).size == size


@pytest.mark.parametrize(
    "prompt",
    [
        *["1e3", "0o17", "1984", "no", "null", "~", ".inf", "16:9", "*bold*", "!wow", "@x", "%x"],
        *("", "1" * 50, "a: b", "cat #1", "& more", "- item", "'quoted' \"twice\"", "two\nlines"),
        *(" padded ", "\ufeffa", "x" * 300, "tab\there", "back\\slash", "猫 🐈"),
    ],
)
def test_any_prompt_survives_as_text(prompt: str) -> None:
    assert again(RequestKeys(prompt=prompt)).prompt == prompt


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85"])
def test_line_separators_become_spaces_as_they_do_when_read(sign: str) -> None:
    assert again(RequestKeys(prompt=f"a{sign}b")).prompt == "a b"


@given(st.text(max_size=60).filter(lambda text: not FORBIDDEN.search(text)))
def test_whatever_a_sidecar_may_hold_survives(prompt: str) -> None:
    keys = RequestKeys(prompt=prompt.translate(BREAKS_OF_YAML_1_1))
    assert again(keys) == keys
