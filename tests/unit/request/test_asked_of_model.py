"""What a sidecar asks of the model by the keys that not every model can follow."""

from __future__ import annotations

import pytest

from img2imgd.request import Request, asked_of_model, read_sidecar


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("strength: 0.5", ()),
        ("negative_prompt: blurry", ("negative_prompt",)),
        ("negative_prompt: ' '", ()),
        ("guidance_scale: 7", ("guidance_scale",)),
        ("guidance_scale: 1", ()),
        ("guidance_scale: 0", ()),
        ("sweep: {guidance_scale: [0, 3]}", ("guidance_scale",)),
        ("sweep: {guidance_scale: {from: 0, to: 1, step: 0.5}}", ()),
        ("prompt_syntax: a1111", ("prompt_syntax",)),
        ("prompt_syntax: plain", ()),
        ("sweep: {strength: [0.2, 0.4]}", ()),
        ("guidance_scale: 7\nnegative_prompt: blurry", ("negative_prompt", "guidance_scale")),
    ],
)
def test_it_is_what_would_change_the_picture(text: str, asked: tuple[str, ...]) -> None:
    assert asked_of_model(read_sidecar("cat.yaml", text.encode())) == asked


def test_a_job_of_an_earlier_version_asked_for_nothing() -> None:
    old = Request(
        prompt="a lake", negative_prompt="", strength=0.5, guidance_scale=7, steps=4, seed=1,
        model="demo",
    ).to_json().replace(',"asked_of_model":[]', "")  # fmt: skip
    assert "asked_of_model" not in old
    assert Request.from_json(old).asked_of_model == ()
