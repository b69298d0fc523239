"""Prompts from names of pictures and folders."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from img2imgd.errors import DocumentError
from img2imgd.request import RequestKeys, draw, read_name, resolve
from img2imgd.request.names import words_of
from img2imgd.request.styles import StyleKeys

OPTIONS: dict[str, Any] = {
    "default_model": "demo", "models": ["demo"], "draw_seed": lambda: 1, "max_frames": 9,
    "name": "cat.png",
}  # fmt: skip


def asked(stem: str) -> dict[str, Any]:
    keys = structs.asdict(read_name(stem, f"{stem}.png"))
    return {key: value for key, value in keys.items() if value is not None}


@pytest.mark.parametrize(
    ("stem", "keys"),
    [
        ("a red barn__s0.7__seed12", {"prompt": "a red barn", "strength": 0.7, "seed": 12}),
        ("a_red_barn__s0,7", {"prompt": "a red barn", "strength": 0.7}),
        ("a barn__g9__steps30", {"prompt": "a barn", "guidance_scale": 9.0, "steps": 30}),
        ("a barn__n4", {"prompt": "a barn", "n": 4}),
        ("a barn__S0.5__cfg=7.5", {"prompt": "a barn", "strength": 0.5, "guidance_scale": 7.5}),
        ("a barn__style=ink wash", {"prompt": "a barn", "style": ("ink wash",)}),
        ("a barn__neg=blurry__size512",
         {"prompt": "a barn", "negative_prompt": "blurry", "size": 512}),
        ("a barn__scheduler=dpm++_2m", {"prompt": "a barn", "scheduler": "dpm++_2m"}),
        ("a barn__", {"prompt": "a barn"}),
        ("a barn (2)", {"prompt": "a barn"}),
        ("a barn__seed7 - Copy (3)", {"prompt": "a barn", "seed": 7}),
        ("a barn~2", {"prompt": "a barn"}),
        ("a {red|blue} barn", {"prompt": "a red blue barn"}),
        ("facade 2", {"prompt": "facade 2"}),
        ("new york", {"prompt": "new york"}),
        ("猫", {"prompt": "猫"}),
    ],
)  # fmt: skip
def test_a_name_is_a_prompt_and_settings_behind_two_underscores(
    stem: str, keys: dict[str, Any]
) -> None:
    assert asked(stem) == keys


@pytest.mark.parametrize(
    "stem",
    ["IMG_2034", "IMG_2034 (2)", "DSC00012", "SCAN0001", "scan__0003", "P1010234", "0001", "p",
     "20260101_120000", "PXL_20260101_123456789", "IMG-20260101-WA0003", "Scan 2026-11-27 14.03",
     "Screenshot 2026-11-01 at 12.00.01", "Screenshot from 2026-11-01 12-00-01",
     "Bildschirmfoto vom 2026-11-01 12-00-01", "WhatsApp Image 2026-11-01 at 12.00.01", "page 3",
     "8f14e45f-ceea-467f-a83c", "__", ""],
)  # fmt: skip
def test_what_a_device_calls_a_picture_is_no_prompt(stem: str) -> None:
    assert asked(stem) == {}


@pytest.mark.parametrize(
    ("stem", "told"),
    [
        ("a barn__strenght0.5", "“strenght0.5” is no setting. Did you mean `strength`?"),
        ("a barn__s2", "strength: must be more than 0 and at most 1; found the number 2."),
        ("a barn__seed-1", "“seed-1” is no setting"),
        ("a barn__images=cat.png", "“images=cat.png” is no setting"),
        ("a barn__n2.5", "n: must be a whole number"),
        ("a barn__q__z9", "“z9” is no setting"),
    ],
)
def test_a_setting_that_cannot_be_is_told_with_the_name(stem: str, told: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_name(stem, f"{stem}.png")
    assert f"{stem}.png" in str(caught.value)
    assert told in str(caught.value)


@given(st.text(alphabet=st.characters(blacklist_characters="/\0"), max_size=60))
def test_any_name_is_a_prompt_or_refused(stem: str) -> None:
    try:
        keys = read_name(stem, "name.png")
    except DocumentError:
        return
    if keys.prompt is not None:
        assert isinstance(keys.prompt, str)
        assert draw(keys.prompt, 3) == keys.prompt
        assert keys.prompt.strip() == keys.prompt != ""


def test_a_name_of_many_copies_takes_no_time() -> None:
    assert asked("a" + " - copy (1)" * 22 + "x")["prompt"].endswith("copy 1 x")
    assert asked("a" + " - copy (1)" * 22) == {"prompt": "a"}


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert words_of("caf\udce9") == "caf?"


def test_a_folder_gives_its_name_to_prompts_and_styles() -> None:
    keys = RequestKeys(
        prompt="a {folder} of {a|a} barn",
        negative_prompt="no {folder}",
        style=("{folder}", StyleKeys("Oil", "{folder} of {prompt}")),
    )
    request = resolve([keys], folder="oil_painting (old)", **OPTIONS)
    first, second = (request.drawn(request.prompt, style, 0) for style in request.styles)
    assert first.prompt == "a oil painting old of a barn by oil painting old"
    assert second.prompt == "oil painting old of a oil painting old of a barn"
    assert first.negative_prompt == "no oil painting old"


def test_many_prompts_of_a_folder_each_have_its_name() -> None:
    request = resolve([RequestKeys(prompt=("{folder} a", "b"))], folder="ink", **OPTIONS)
    assert request.prompts == ("ink a", "b")


def test_without_a_folder_the_word_stays() -> None:
    assert resolve([RequestKeys(prompt="{folder}")], **OPTIONS).prompt == "{folder}"
