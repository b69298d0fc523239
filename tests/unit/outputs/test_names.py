"""Names of outputs: safe, short, unique, and in frame order when sorted."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imgd.job import Frame, plan_frames
from img2imgd.outputs.names import (
    MAX_BYTES,
    cut_bytes,
    first_free,
    folder_name,
    frame_names,
    numbered,
    safe_stem,
    slug,
)
from img2imgd.request import Request

TEMPLATE = "{stem}_{prompt:.40}_{index:02}_{seed}"
DEVICES = ("CON", "con", "PRN", "aux.png", "NUL", "com1", "LPT9.txt")


def frames(count: int = 1, seed: int = 7, **changes: object) -> tuple[Frame, ...]:
    values: dict[str, object] = {
        "prompt": "x", "negative_prompt": "", "strength": 0.5, "guidance_scale": 7.5, "steps": 10,
        "seed": seed, "model": "demo", "n": count,
    }  # fmt: skip
    return plan_frames(Request(**(values | changes)))  # type: ignore[arg-type]


def names(
    stem: str, prompt: str, count: int = 1, template: str = TEMPLATE, seed: int = 7
) -> tuple[str, ...]:
    return frame_names(template, ".png", "JOB", stem, prompt, frames(count, seed))


def test_a_name_holds_stem_prompt_index_and_seed() -> None:
    assert names("cat", "a cottage by a lake") == ("cat_a-cottage-by-a-lake_00_7.png",)
    assert folder_name(TEMPLATE, "JOB", "cat", "a lake", frames()[0]) == "cat_a-lake_7"


@pytest.mark.parametrize("count", [4, 31, 101, 400])
def test_sorted_by_name_they_are_in_frame_order(count: int) -> None:
    made = names("cat", "a lake", count)
    assert list(made) == sorted(made)
    assert len(set(made)) == count


@pytest.mark.parametrize("seed", [95, 999_995])
def test_long_names_sort_too_where_the_seeds_differ_in_length(seed: int) -> None:
    made = names(
        "s" * 150, "\u6f22\u5b57" * 60, 12, template=TEMPLATE.replace(":.40", ""), seed=seed
    )
    assert list(made) == sorted(made)
    assert len({name[:100] for name in made}) == 1


@pytest.mark.parametrize(
    ("stem", "safe"),
    [
        ("cat", "cat"),
        ("a/b\\c", "a-b-c"),
        ("..", "picture"),
        ("../../etc/passwd", "etc-passwd"),
        ("", "picture"),
        ("line\nbreak", "line-break"),
        ("-rf", "rf"),
        ("-.hidden", "hidden"),
        ("~$x", "$x"),
        ("trailing. ", "trailing"),
        ("\udcff", "picture"),
        ("a\u202egnp.exe", "a-gnp.exe"),
        ("cafe\u0301", "caf\u00e9"),
        ("what?*", "what-"),
    ],
)
def test_stems_that_are_no_safe_names(stem: str, safe: str) -> None:
    assert safe_stem(stem) == safe


@pytest.mark.parametrize("name", DEVICES)
def test_windows_device_names_are_avoided(name: str) -> None:
    assert safe_stem(name) == f"_{name}"
    made = names(name, "", template="{stem}{index}")
    assert made[0].partition(".")[0].casefold() not in {"con", "prn", "aux", "nul"}


def test_a_name_that_becomes_a_device_only_when_filled_is_avoided() -> None:
    assert names("", "con", template="{prompt}") == ("_con.png",)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("A cottage, by a lake!", "A-cottage-by-a-lake"),
        ("\U0001f431\U0001f408 \u2764\ufe0f", ""),
        ("\u6f22\u5b57 \u3072\u3089", "\u6f22\u5b57-\u3072\u3089"),
        ("\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e",
         "\u0928\u092e\u0938\u094d\u0924\u0947-\u0926\u0941\u0928\u093f\u092f\u093e"),
        ("../../x\n\udcff", "x"),
        ("--__--", ""),
    ],
)  # fmt: skip
def test_a_prompt_as_part_of_a_name(prompt: str, words: str) -> None:
    assert slug(prompt) == words


def test_a_prompt_of_emoji_alone_leaves_no_gap() -> None:
    assert names("cat", "\U0001f431") == ("cat_00_7.png",)


def test_names_are_unique_though_the_template_lacks_what_tells_frames_apart() -> None:
    made = names("cat", "x", 3, template="{stem}")
    assert made == ("cat.png", "cat~2.png", "cat~3.png")


def test_the_prompt_is_shortened_before_the_stem() -> None:
    (name,) = names("s" * 100, "word " * 60, template="{stem}_{prompt}_{index}")
    assert name.startswith("s" * 100 + "_word-word")


def test_a_long_style_does_not_push_the_index_out() -> None:
    planned = frames(styles=("baroque " * 40,), n=12)
    made = frame_names("{stem}_{style}_{index}", ".png", "JOB", "s" * 190, "x", planned)
    assert list(made) == sorted(made)
    assert [int(name.rpartition("_")[2][:-4]) for name in made] == list(range(12))


def test_frames_with_words_of_their_own_are_named_by_them_behind_the_index() -> None:
    planned = frames(prompt="a cat", more_prompts=("the dog", "a boat"))
    made = frame_names(TEMPLATE, ".png", "JOB", "pic", "a cat", planned)
    assert made == ("pic_00_a-cat_7.png", "pic_01_the-dog_7.png", "pic_02_a-boat_7.png")
    assert folder_name(TEMPLATE, "JOB", "pic", planned[0].words, planned[0]) == "pic_a-cat_7"


def test_drawn_words_name_their_frames() -> None:
    planned = frames(prompt="{oil|ink|gouache} lake", n=12)
    made = frame_names(TEMPLATE, ".png", "JOB", "pic", planned[0].words, planned)
    assert list(made) == sorted(made)
    for name, frame in zip(made, planned, strict=True):
        assert name == f"pic_{frame.index:02}_{slug(frame.words)}_{frame.seed}.png"
    assert len({frame.words for frame in planned}) == 3


@pytest.mark.parametrize(
    ("template", "made"),
    [
        ("{index:03}-{prompt}", "000-a-cat 001-the-dog"),
        ("{prompt}{index}_{stem}", "0a-cat_pic 1the-dog_pic"),
        ("{prompt}_{stem}", "a-cat_pic a-cat_pic~2"),
        ("{stem}_{seed}_{index}", "pic_7_0 pic_7_1"),
    ],
)
def test_the_index_leads_only_where_the_template_has_it_behind_the_prompt(
    template: str, made: str
) -> None:
    planned = frames(prompt="a cat", more_prompts=("the dog",))
    found = frame_names(template, "", "JOB", "pic", "a cat", planned)
    assert found == tuple(made.split())


def test_long_words_of_their_own_are_cut_and_leave_the_order() -> None:
    planned = frames(prompt="z" * 300, more_prompts=("a", "\u6f22" * 300, "m " * 90), n=30, seed=95)
    template = TEMPLATE.replace(":.40", "")
    made = frame_names(template, ".png", "JOB", "s" * 150, "z", planned)
    assert list(made) == sorted(made)
    assert len(set(made)) == 120
    assert max(len(name.encode()) for name in made) <= MAX_BYTES


def test_the_first_free_name_is_found_before_the_suffix() -> None:
    taken = {"cat.png", "cat~2.png"}
    assert first_free("cat.png", taken.__contains__) == "cat~3.png"
    assert first_free("cat", {"cat"}.__contains__) == "cat~2"
    assert first_free("v1.beautiful", {"v1.beautiful"}.__contains__) == "v1.beautiful~2"


def test_files_of_a_drop_are_numbered_alike_and_still_pair() -> None:
    drop = ["cat.png", "cat.yaml", "cat.png.yaml", "cat.png.reason.txt"]
    assert numbered(drop, 1) == drop
    assert numbered(drop, 3) == [
        "cat~3.png",
        "cat~3.yaml",
        "cat~3.png.yaml",
        "cat~3.png.reason.txt",
    ]
    assert numbered(["README"], 2) == ["README~2"]


@given(st.text(min_size=1, max_size=255), st.integers(2, 9999))
def test_a_numbered_name_stays_within_what_a_filesystem_takes(name: str, number: int) -> None:
    name = cut_bytes(name, 255) or "x"
    (made,) = numbered([name], number)
    assert len(os.fsencode(made)) <= 255
    assert f"~{number}" in made


_TEXTS = st.text(st.characters(codec=None), max_size=300)
_TEMPLATES = st.sampled_from(
    [TEMPLATE, "{stem}_{index}", "{prompt}{stem}{index:03}", "{style}_{strength}_{job}_{index}"]
)


@given(_TEXTS, _TEXTS, _TEXTS, _TEMPLATES, st.integers(0, 2**32 - 1))
def test_no_name_is_long_hidden_or_reaches_elsewhere(
    stem: str, prompt: str, style: str, template: str, seed: int
) -> None:
    planned = frames(n=3, seed=seed, styles=("x",))
    planned = tuple(replace(frame, style=style) for frame in planned)
    made = frame_names(template, ".png", "20260101T000000-00000000", stem, prompt, planned)
    folder = folder_name(template, "JOB", stem, prompt, planned[0])
    assert len({name.casefold() for name in made}) == 3
    for name in (*made, f"{folder}_morph.gif"):
        assert 0 < len(name.encode()) <= MAX_BYTES
        assert not set(name) & set('/\\\0\n\r<>:"|?*')
        assert not name.startswith((".", "-", "~", " "))
        assert name.isprintable() or not any(ord(sign) < 32 for sign in name)
        assert name not in (".", "..")


POINT = "{stem}_{prompt:.12}_{index:02}_{point}_{seed}"


def test_a_prompt_is_cut_between_words() -> None:
    (name,) = frame_names(POINT, ".png", "J", "cat", "a watercolour of a lake", frames(1))
    assert name == "cat_a_00_7.png"
    (name,) = frame_names(POINT, ".png", "J", "cat", "a lake house by the sea", frames(1))
    assert name == "cat_a-lake-house_00_7.png"
    (name,) = frame_names(POINT, ".png", "J", "cat", "extraordinarily", frames(1))
    assert name == "cat_extraordinar_00_7.png"


def test_names_tell_what_varies_in_a_job() -> None:
    sweep = {"strength": (0.05, 0.1), "guidance_scale": (7.5, 9.0)}
    planned = frames(styles=("carl rungius", "ink"), sweep=sweep)
    made = frame_names(POINT, ".png", "J", "cat", "a lake", planned)
    assert made[0] == "cat_a-lake_00_carl-rungius_strength-0.05_guidance_scale-7.5_7.png"
    assert made[7] == "cat_a-lake_07_ink_strength-0.10_guidance_scale-9.0_7.png"
    assert list(made) == sorted(made)
    assert folder_name(POINT, "J", "cat", "a lake", planned[0]) == "cat_a-lake_7"


def test_what_does_not_vary_is_not_in_the_names() -> None:
    made = frame_names(POINT, ".png", "J", "cat", "a lake", frames(2))
    assert made == ("cat_a-lake_00_7.png", "cat_a-lake_01_8.png")
