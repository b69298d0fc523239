"""Canonical keys: whole and self-contained, for a job and for one frame of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from img2imgd.job import plan_frames
from img2imgd.request import (
    BUILT_IN,
    GifKeys,
    GifSettings,
    OutputSettings,
    Request,
    RequestKeys,
    StyleKeys,
    canonical_keys,
    frame_keys,
    read_sidecar,
    resolve,
    sidecar_text,
)
from img2imgd.request.styles import Style
from img2imgd.request.sweep import SweepKeys


class Treacherous:
    """A folder whose styles.csv gives every style of the tests another meaning."""

    def read(self, name: str, *, needed: bool) -> bytes | None:
        assert not needed, "a recipe needs no list"
        assert name == "styles.csv"
        return b"name,prompt\n" + b"".join(b"%s,wrong\n" % style.encode() for style in WORDS)

    def names(self) -> Sequence[str]:
        return ["styles.csv"]


WORDS = ["ink", "oil", "x"]
DEFAULTS = read_sidecar(
    "_defaults.yaml",
    b"prompt: wrong\nnegative_prompt: wrong\nstyle: [wrong, worse]\nstrength: 0.11\nsteps: 3\n"
    b"guidance_scale: 2\nseed: 1\nn: 3\nsize: 64\nfit: stretch\nmodel: other\n"
    b"sweep: {strength: [0.1, 0.2]}\ngif: {duration: 20, loop: 1, pingpong: true}\n",
)
OPTIONS: dict[str, Any] = {
    "default_model": "demo",
    "models": ("demo", "other"),
    "draw_seed": lambda: 4242,
    "max_frames": 100_000,
    "name": "cat.yaml",
}


def name_of(style: str | StyleKeys) -> str:
    """What a style will be called: two of one name are refused."""
    if isinstance(style, str):
        return Style.of_text(style).name
    return Style.named(style.name, style.prompt, style.negative_prompt).name


texts = st.lists(
    st.sampled_from(["{", "}", "|", "\\", "a", "oil", " ", "{prompt}", "{x|y|z}", "2::", "by"]),
    min_size=1, max_size=8,
).map("".join)  # fmt: skip
prompts = texts.filter(str.strip)
styles = st.one_of(
    texts,
    st.sampled_from(WORDS),
    st.builds(StyleKeys, name=st.none() | texts, prompt=prompts, negative_prompt=st.none() | texts),
)
sweeps = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "strength": st.lists(st.sampled_from([0.05, 0.3, 1.0]), min_size=1, max_size=3),
        "steps": st.lists(st.integers(1, 90).map(float), min_size=1, max_size=2),
        "seed": st.lists(st.integers(0, 2**32 - 1).map(float), min_size=1, max_size=2),
        "guidance_scale": st.lists(st.sampled_from([0.0, 7.5]), min_size=1, max_size=2),
    },
).map(lambda axes: SweepKeys.of({name: tuple(values) for name, values in axes.items()}))
keys = st.builds(
    RequestKeys,
    prompt=prompts | st.lists(prompts, min_size=1, max_size=3).map(tuple),
    negative_prompt=st.none() | texts,
    style=st.none() | st.lists(styles, max_size=3, unique_by=name_of).map(tuple),
    strength=st.none() | st.sampled_from([0.1, 0.75, 1.0]),
    guidance_scale=st.none() | st.sampled_from([0.0, 9.5]),
    steps=st.none() | st.integers(1, 1000),
    seed=st.none() | st.integers(0, 2**32 - 1),
    n=st.none() | st.integers(1, 3),
    size=st.none() | st.sampled_from([512, (64, 128), "keep", "native"]),
    fit=st.none() | st.sampled_from(["contain", "stretch"]),
    sweep=sweeps,
    gif=st.none() | st.booleans() | st.just(GifKeys(duration=50, pingpong=True)),
    sheet=st.none() | st.booleans(),
)


def as_made(request: Request) -> Request:
    """A request without what makes no difference to what comes out."""
    gif = request.gif if request.wants_gif else None
    return structs.replace(request, seed_drawn=False, gif=gif, gif_asked=gif is not None)


def resolved(wanted: RequestKeys) -> Request:
    return resolve([wanted], outputs=OutputSettings(gif=GifSettings(duration=300)), **OPTIONS)


def written_and_read(wanted: RequestKeys) -> RequestKeys:
    return read_sidecar("recipe.yaml", sidecar_text(wanted).encode())


@given(keys)
def test_canonical_keys_ask_for_the_same_whatever_the_folder_says(wanted: RequestKeys) -> None:
    request = resolved(wanted)
    recipe = written_and_read(canonical_keys(request))
    assert recipe == canonical_keys(request)
    defaults = structs.replace(DEFAULTS, sheet=None)
    again = resolve([recipe, defaults], lists=Treacherous(), **OPTIONS)
    assert as_made(again) == as_made(request)
    assert plan_frames(again) == plan_frames(request)
    assert canonical_keys(again) == recipe


@given(keys, st.integers(0, 10_000))
def test_the_keys_of_a_frame_make_that_frame_alone(wanted: RequestKeys, pick: int) -> None:
    request = resolved(wanted)
    frames = plan_frames(request)
    frame = frames[pick % len(frames)]
    recipe = written_and_read(frame_keys(request, frame))
    again = resolve([recipe, DEFAULTS], lists=Treacherous(), **OPTIONS)
    (alone,) = plan_frames(again)
    for name in ("prompt", "negative_prompt", "seed", "strength", "guidance_scale", "steps",
                 "effective_steps"):  # fmt: skip
        assert getattr(alone, name) == getattr(frame, name), name
    assert (again.size, again.fit, again.model) == (request.size, request.fit, request.model)
    assert not again.wants_gif
    assert again.sheet is None


def test_every_key_is_written_but_what_is_for_several_pictures_or_left_to_the_config() -> None:
    request = resolve([RequestKeys(prompt="a", style=("x",))], **OPTIONS)
    recipe = canonical_keys(request)
    left_out = {name for name, value in structs.asdict(recipe).items() if value is None}
    assert left_out == {"images", "scheduler"}
    assert recipe.over(BUILT_IN) == recipe
    named = resolve([RequestKeys(prompt="a", scheduler="ddim")], **OPTIONS)
    assert canonical_keys(named).scheduler == "ddim"


def test_keys_that_a_request_has_too_carry_over_by_themselves() -> None:
    both = set(RequestKeys.__struct_fields__) & set(Request.__struct_fields__)
    assert {"strength", "model", "fit", "seed", "n", "format", "metadata", "scheduler"} <= both
    wanted = RequestKeys(prompt="a", fit="contain", n=3, format="webp", quality=70)
    request = resolve([wanted], **OPTIONS)
    written = canonical_keys(request)
    special = {"prompt", "size", "sweep", "gif", "sheet"}
    assert all(getattr(written, name) == getattr(request, name) for name in both - special)


def test_a_prompt_that_was_drawn_empty_has_a_recipe_too() -> None:
    request = resolve([RequestKeys(prompt="{|}")], **OPTIONS)
    recipe = written_and_read(frame_keys(request, plan_frames(request)[0]))
    assert plan_frames(resolve([recipe], **OPTIONS))[0].prompt == ""


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (RequestKeys(prompt="a {cat}", seed=7), "prompt: a {cat}\n"),
        (RequestKeys(prompt="{a|a}", seed=7), "prompt: a\n"),
        (RequestKeys(prompt=r"\{a|b\}", seed=7), "prompt: \\{a\\|b\\}\n"),
        (RequestKeys(prompt="a", seed=7, style=("ink",)), "prompt: a by ink\n"),
    ],
)
def test_a_frames_recipe_reads_as_plainly_as_can_be(wanted: RequestKeys, text: str) -> None:
    request = resolve([wanted], **OPTIONS)
    recipe = sidecar_text(frame_keys(request, plan_frames(request)[0]))
    assert recipe.startswith(text)
    assert recipe.endswith(
        "seed: 7\nn: 1\nsize: native\nfit: cover\nprepare: none\nmodel: demo\nsweep: {}\n"
        "gif: false\nsheet: false\nformat: png\nquality: 92\nmetadata: full\nrestore_size: false\n"
    )
