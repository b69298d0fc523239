"""Prompts and styles of a request: several, from lists, named, drawn; frozen without the files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from img2imgd.errors import DocumentError, Problem
from img2imgd.job import plan_frames
from img2imgd.request import (
    Request,
    RequestKeys,
    StyleKeys,
    StyleTexts,
    canonical_keys,
    read_defaults,
    read_sidecar,
    resolve,
)
from img2imgd.request.lists import read_lines

ARTISTS = "artist\ncarl rungius\nthomas moran\nalbert bierstadt\nwinslow homer\n"
STYLES = 'name,prompt,negative_prompt\nOil,"oil painting of {prompt}",photo\nInk,ink drawing,\n'
PROMPTS = "# some\na cottage\n\na {misty|clear} lake\na boat\n"


@dataclass
class Folder:
    """Lists by name; remembers which were read."""

    files: dict[str, str]
    read_names: list[str] = field(default_factory=list[str])

    def read(self, name: str, *, needed: bool) -> bytes | None:
        self.read_names.append(name)
        assert needed or name == "styles.csv"
        text = self.files.get(name)
        return None if text is None else text.encode()

    def names(self) -> Sequence[str]:
        return list(self.files)


FOLDER = {"artists.csv": ARTISTS, "styles.csv": STYLES, "_prompts.txt": PROMPTS}


def request_of(text: str, *, files: dict[str, str] | None = None, **options: Any) -> Request:
    keys = read_sidecar("cat.yaml", text.encode())
    return resolve([keys], **(options_for(FOLDER if files is None else files) | options))


def options_for(files: dict[str, str]) -> dict[str, Any]:
    return {
        "default_model": "demo",
        "models": ("demo",),
        "draw_seed": lambda: 4242,
        "max_frames": 400,
        "name": "cat.yaml",
        "lists": Folder(files),
    }


def problems_of(text: str, **options: Any) -> tuple[Problem, ...]:
    with pytest.raises(DocumentError) as caught:
        request_of(text, **options)
    return caught.value.problems


def test_several_prompts_give_a_frame_each_before_style_variation_and_sweep() -> None:
    request = request_of(
        "prompt: [a, ' b ']\nstyle: [x, y]\nn: 2\nsweep: {strength: [0.2, 0.4]}\nseed: 7\n"
    )
    assert (request.prompt, request.prompts) == ("a", ("a", "b"))
    frames = plan_frames(request)
    assert request.frame_count == len(frames) == 16
    assert [(f.prompt_index, f.style, f.variation, f.strength) for f in frames] == [
        (prompt, style, variation, strength)
        for prompt in (0, 1)
        for style in ("x", "y")
        for variation in (0, 1)
        for strength in (0.2, 0.4)
    ]
    assert [f.prompt for f in frames[::4]] == ["a by x", "a by y", "b by x", "b by y"]
    assert {(f.variation, f.seed) for f in frames} == {(0, 7), (1, 8)}


def test_a_choice_is_drawn_for_each_variation_and_holds_over_styles_and_sweep() -> None:
    options = "|".join("abcdefghij")
    request = request_of(
        f'prompt: "{{{options}}} lake"\nnegative_prompt: "{{{options}}}"\nn: 8\nseed: 1\n'
        f'style: ["{{{options}}}", {{prompt: "in {{{options}}}"}}]\nsweep: {{strength: [0.2, 0.9]}}'
    )
    frames = plan_frames(request)
    assert len(frames) == 32
    for style in request.styles:
        of_style = [frame for frame in frames if frame.style == style]
        words = {(frame.variation, frame.words) for frame in of_style}
        assert len(words) == 8
        assert len({word for _, word in words}) > 2
        assert {(f.variation, f.words) for f in frames if f.style != style} == words
        assert len({(f.variation, f.prompt, f.negative_prompt) for f in of_style}) == 8
        assert len({f.prompt.removeprefix(f.words) for f in of_style}) > 2
    assert plan_frames(request) == frames


def test_variations_that_draw_otherwise_are_other_pictures_and_seeds_are_the_draws() -> None:
    both = request_of('prompt: "{a|b|c|d|e|f|g} lake"\nseed: 41\nn: 5')
    alone = [request_of(f'prompt: "{{a|b|c|d|e|f|g}} lake"\nseed: {41 + v}') for v in range(5)]
    assert [f.prompt for f in plan_frames(both)] == [plan_frames(r)[0].prompt for r in alone]


def test_equal_texts_of_two_styles_are_painted_once() -> None:
    frames = plan_frames(
        request_of("prompt: a\nstyle: [{name: x, prompt: p}, {name: y, prompt: p}]")
    )
    assert [frame.painted_by for frame in frames] == [0, 0]
    frames = plan_frames(
        request_of(
            "prompt: a\nstyle: [{name: x, prompt: p}, {name: y, prompt: p, negative_prompt: photo}]"
        )
    )
    assert [frame.painted_by for frame in frames] == [0, 1]


@pytest.mark.parametrize(
    ("style", "prompt", "negative"),
    [
        ("ink", "a lake by ink", "ugly"),
        ("'{prompt} in ink'", "a lake in ink", "ugly"),
        ("{prompt: watercolour}", "a lake, watercolour", "ugly"),
        ("{prompt: 'oil of {prompt}, {prompt}'}", "oil of a lake, a lake", "ugly"),
        ("{negative_prompt: photo}", "a lake", "ugly, photo"),
        ("{prompt: x, negative_prompt: 'no {prompt}!'}", "a lake, x", "no ugly!"),
        ("{prompt: '{0::{prompt} by day|by night}'}", "a lake, by night", "ugly"),
        ("{prompt: '\\{prompt\\} by night'}", "a lake, {prompt} by night", "ugly"),
        ("''", "a lake", "ugly"),
        ("'{0::ink|}'", "a lake", "ugly"),
    ],
)
def test_a_style_joins_the_prompts_as_in_the_web_ui(style: str, prompt: str, negative: str) -> None:
    request = request_of(f"prompt: a lake\nnegative_prompt: ugly\nstyle: {style}", files={})
    (frame,) = plan_frames(request)
    assert (frame.prompt, frame.negative_prompt, frame.words) == (prompt, negative, "a lake")


def test_an_empty_negative_prompt_leaves_no_comma() -> None:
    request = request_of(
        "prompt: a\nnegative_prompt: ''\nstyle: {prompt: x, negative_prompt: '{prompt}, photo'}"
    )
    assert plan_frames(request)[0].negative_prompt == "photo"


def test_styles_are_called_by_name_or_by_their_text() -> None:
    request = request_of(
        "prompt: a\nstyle: [ink wash, {name: Oil 2, prompt: oil}, {prompt: gouache}, "
        "{negative_prompt: photo}, '']"
    )
    assert request.styles == ("ink wash", "Oil 2", "gouache", "photo", "")
    assert [frame.style for frame in plan_frames(request)] == list(request.styles)


def test_two_different_styles_of_one_name_are_refused() -> None:
    (problem,) = problems_of("prompt: a\nstyle: [ink, {name: ink, prompt: x}]", files={})
    assert "two different styles are called “ink”" in problem.message
    assert (problem.line, problem.key) == (2, "style")


def test_every_line_of_a_list_is_a_prompt() -> None:
    request = request_of("prompt: {from: _prompts.txt}\nseed: 3")
    assert request.prompts == ("a cottage", "a {misty|clear} lake", "a boat")
    assert plan_frames(request)[1].prompt in ("a misty lake", "a clear lake")


def test_lines_are_chosen_by_the_seed_in_the_order_of_the_file() -> None:
    order = ["carl rungius", "thomas moran", "albert bierstadt", "winslow homer"]
    chosen = {
        request_of(f"prompt: a\nstyle: {{choose: 2, from: artists.csv}}\nseed: {seed}").styles
        for seed in range(60)
    }
    assert len(chosen) == 6
    assert all(list(names) == sorted(names, key=order.index) for names in chosen)
    text = "prompt: a\nstyle: {choose: 2, from: artists.csv}\n"
    drawn = request_of(text)
    assert drawn == request_of(text)
    assert drawn.styles == request_of(text + "seed: 4242").styles


def test_texts_and_lists_of_styles_may_stand_together() -> None:
    request = request_of(
        "prompt: a\nstyle: [x, {from: styles.csv}, {from: artists.csv, choose: 1}]\nseed: 1"
    )
    assert request.styles[:3] == ("x", "Oil", "Ink")
    assert len(request.styles) == request.frame_count == 4
    assert request.style_texts["Oil"] == StyleTexts("oil painting of {prompt}", "photo")


@pytest.mark.parametrize("name", ["Oil", "oil", "OIL", "' oil '"])
def test_a_text_that_names_a_style_of_the_folder_stands_for_it(name: str) -> None:
    request = request_of(f"prompt: a lake\nnegative_prompt: ugly\nstyle: [{name}, gouache]")
    assert request.styles == ("Oil", "gouache")
    frames = plan_frames(request)
    assert [f.prompt for f in frames] == ["oil painting of a lake", "a lake by gouache"]
    assert [f.negative_prompt for f in frames] == ["ugly, photo", "ugly"]


def test_lines_of_a_list_name_styles_too() -> None:
    files = FOLDER | {"_styles.txt": "ink\ngouache\n"}
    request = request_of("prompt: a\nstyle: {from: _styles.txt}", files=files)
    assert [f.prompt for f in plan_frames(request)] == ["a, ink drawing", "a by gouache"]


def test_a_style_without_any_text_is_no_style_of_a_list() -> None:
    files = {"s.csv": "name,prompt,negative_prompt\n---,,\nInk,ink,\n"}
    assert request_of("prompt: a\nstyle: {from: s.csv}", files=files).styles == ("Ink",)
    files["styles.csv"] = files["s.csv"]
    named = request_of("prompt: a\nstyle: '---'", files=files)
    assert [frame.prompt for frame in plan_frames(named)] == ["a"]
    assert canonical_keys(named).style == (StyleKeys("---", "{prompt}"),)
    files = {"s.csv": "name,prompt,negative_prompt\n---,,\n"}
    (problem,) = problems_of("prompt: a\nstyle: {from: s.csv}", files=files)
    assert "has no styles" in problem.message


def test_without_lists_no_file_is_looked_for() -> None:
    options = options_for(FOLDER)
    resolve([RequestKeys(prompt="a", style=("",))], **options)
    resolve([read_sidecar("c.yaml", b"prompt: a\nstyle: {prompt: x}")], **options)
    assert options["lists"].read_names == []


def test_a_broken_table_of_styles_is_told_where_a_style_is_asked_for() -> None:
    files = {"styles.csv": 'name,prompt\nOil,"oil\n'}
    (problem,) = problems_of("prompt: a\nstyle: oil", files=files)
    assert (problem.line, problem.key) == (2, "style")
    assert "styles.csv cannot be used: line 2" in problem.message
    assert request_of("prompt: a", files=files).styles == ()


def test_a_missing_list_is_answered_with_the_nearest_and_the_line() -> None:
    problems = problems_of(
        "n: 2\nprompt: {from: _promts.txt}\nstyle: {from: qqqqqqq.csv, choose: 3}"
    )
    assert [(p.line, p.key, p.advice) for p in problems] == [
        (2, "prompt", "Did you mean `_prompts.txt`?"),
        (3, "style", "There is _prompts.txt, artists.csv, styles.csv."),
    ]
    (problem,) = problems_of("prompt: {from: a.csv}", files={})
    assert problem.advice == "There is none at all."


def test_more_than_there_are_cannot_be_chosen() -> None:
    (problem,) = problems_of("prompt: {from: _prompts.txt, choose: 4}")
    assert problem.message == "4 are to be chosen, and _prompts.txt has 3."
    assert request_of("prompt: {from: _prompts.txt, choose: 3}").frame_count == 3


def test_prompts_and_chosen_lines_count_as_frames() -> None:
    (problem,) = problems_of(
        "style: {from: artists.csv, choose: 3}\nprompt: {from: _prompts.txt}\nn: 50",
    )
    assert "450 frames (3 × 3 × 50)" in problem.message
    assert (problem.line, problem.key) == (3, "n")
    (problem,) = problems_of(f"prompt: [{', '.join(f'p{i}' for i in range(401))}]")
    assert (problem.line, problem.key) == (1, "prompt")


@pytest.mark.parametrize("text", ["prompt: []", "prompt: ''"])
def test_no_prompt_at_all_is_refused_in_every_form(text: str) -> None:
    (problem,) = problems_of(text)
    assert "no prompt" in problem.message


def test_a_layers_own_lists_come_first_and_a_list_in_defaults_is_told_there() -> None:
    mine = read_sidecar("cat.yaml", b"style: {from: a.csv}").looking_in(Folder({"a.csv": "mine\n"}))
    base = read_defaults("_defaults.yaml", b"prompt: {from: a.csv}\n").looking_in(
        Folder({"a.csv": "theirs\n"})
    )
    request = resolve([mine, base], **options_for({"a.csv": "the picture's\n"}))
    assert (request.styles, request.prompts) == (("mine",), ("theirs",))
    request = resolve([RequestKeys(style=("x",)), base], **options_for({}))
    assert request.styles == ("x",)
    with pytest.raises(DocumentError) as caught:
        resolve([base.looking_in(Folder({}))], **options_for({}))
    (problem,) = caught.value.problems
    assert problem.line == 0
    assert "It stands in _defaults.yaml, line 1." in problem.message


def test_a_list_that_is_overridden_may_be_missing() -> None:
    mine = read_sidecar("cat.yaml", b"prompt: a")
    base = read_defaults("_defaults.yaml", b"prompt: {from: gone.csv}\n")
    assert resolve([mine, base], **options_for({})).prompts == ("a",)


def test_a_request_with_all_of_it_survives_its_json() -> None:
    request = request_of(
        "prompt: {from: _prompts.txt}\nstyle: [ink, {name: Q, negative_prompt: photo}]"
    )
    again = Request.from_json(request.to_json())
    assert again == request
    assert plan_frames(again) == plan_frames(request)


def test_a_request_of_an_older_version_still_means_the_same() -> None:
    old = (
        '{"prompt":"a lake","negative_prompt":"ugly","styles":["ink","oil"],"strength":0.8,'
        '"guidance_scale":9.0,"steps":50,"seed":7,"n":1,"size":null,"fit":"cover","model":"demo",'
        '"sweep":{},"gif":null,"gif_asked":false,"sheet":null,"seed_drawn":true}'
    )
    frames = plan_frames(Request.from_json(old))
    assert [(f.prompt, f.negative_prompt) for f in frames] == [
        ("a lake by ink", "ugly"),
        ("a lake by oil", "ugly"),
    ]


def test_native_is_the_models_own_size_whatever_the_defaults_say() -> None:
    layers = [read_sidecar("c.yaml", b"prompt: a\nsize: native"), RequestKeys(size=512)]
    assert resolve(layers, **options_for({})).size is None


def test_a_table_with_semicolons_is_refused_whatever_its_columns() -> None:
    with pytest.raises(DocumentError, match="separated by semicolons"):
        read_lines("artists.csv", b"artist;born\nMonet;1840\n")
    assert read_lines("artists.csv", b"a; b\nMonet\n") == ("a; b", "Monet")
