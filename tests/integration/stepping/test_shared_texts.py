"""Rows of a call that have the same text share its keys and values."""

from __future__ import annotations

from pathlib import Path

import pytest
from diffusers.models.attention_processor import Attention
from engines import difference, task
from plainly import calls_of, stepped

from conftest import Model

pytestmark = [
    # diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread"),
]


def cross_attention(model: Model) -> Attention:
    """The first that the UNet has."""
    modules = model.engine._pipe.unet.modules()
    return next(one for one in modules if isinstance(one, Attention) and one.is_cross_attention)


@pytest.mark.parametrize(
    ("prompts", "texts"),
    [
        (("a cat", "a cat", "a cat"), 2),  # one and the negative prompt
        (("a cat", "a dog", "a cat"), 3),
        (("a cat", "blurry", "blurry"), 2),  # which is the negative prompt too
        (("a cat", "a dog", "a fox"), 4),
    ],
)
def test_each_text_of_a_call_is_projected_once_and_painted_as_ever(
    model: Model, image: Path, prompts: tuple[str, ...], texts: int
) -> None:
    frames = [
        task(image, index=index, seed=index, prompt=prompt, job_frames=len(prompts))
        for index, prompt in enumerate(prompts)
    ]
    across = cross_attention(model)
    with calls_of(across.to_k) as keys, calls_of(across.to_v) as values:
        pictures = stepped(model.engine, frames)
    assert keys == values == [texts] * 4
    for one, picture in zip(frames, pictures, strict=True):
        assert difference(picture, model.plain.paint(one)) <= 1


def test_a_call_that_fails_leaves_the_next_as_it_is(model: Model, image: Path) -> None:
    frames = [task(image, index=index, seed=index, job_frames=2) for index in (0, 1)]
    failing = [True, False]

    def look(*_: object) -> None:
        if failing and failing.pop(0):
            raise ValueError("once")

    hook = cross_attention(model).to_v.register_forward_pre_hook(look)
    try:
        pictures = stepped(model.engine, frames)
    finally:
        hook.remove()
    for one, picture in zip(frames, pictures, strict=True):
        assert difference(picture, model.plain.paint(one)) <= 1


def test_a_frame_alone_is_left_as_it_is(model: Model, image: Path) -> None:
    one = task(image, prompt="blurry")  # as its negative prompt
    with calls_of(cross_attention(model).to_k) as keys:
        (picture,) = stepped(model.engine, [one])
    assert keys == [2] * 4
    assert (picture == model.plain.paint(one)).all()
