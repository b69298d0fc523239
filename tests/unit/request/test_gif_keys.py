"""How an animation is asked for: keys, limits, which of duration and total wins, the config."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from img2imgd.config import load_config
from img2imgd.errors import DocumentError
from img2imgd.request import (
    GifKeys,
    GifSettings,
    OutputSettings,
    Request,
    RequestKeys,
    read_sidecar,
    resolve,
    sidecar_text,
)


def keys_of(gif: str) -> RequestKeys:
    return read_sidecar("cat.yaml", f"prompt: a\ngif: {gif}\n".encode())


def gif_of(gif: str) -> GifKeys:
    keys = keys_of(gif).gif
    assert isinstance(keys, GifKeys)
    return keys


def problem_of(gif: str) -> str:
    with pytest.raises(DocumentError) as caught:
        keys_of(gif)
    (problem,) = caught.value.problems
    return str(problem)


def settled(layers: list[RequestKeys], config: GifSettings | None = None) -> GifSettings:
    request = resolve(
        layers, default_model="demo", models={"demo"}, draw_seed=lambda: 7, max_frames=400,
        name="cat.yaml", outputs=OutputSettings(gif=config or GifSettings()),
    )  # fmt: skip
    assert Request.from_json(request.to_json()) == request
    assert request.gif is not None
    return request.gif


def test_every_key_is_taken() -> None:
    text = (
        "{format: webp, total: 8000, loop: 2, pingpong: true, hold: [0, 1500], labels: true, "
        "quality: 80, max_mb: 7.5, size: 512}"
    )
    assert gif_of(text) == GifKeys(
        format="webp", total=8000, loop=2, pingpong=True, hold=(0, 1500), labels=True,
        quality=80, max_mb=7.5, size=512,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "hold"),
    [("1000", (1000, 1000)), ("[0, 700]", (0, 700)), ("0", (0, 0)), ("null", None)],
)
def test_a_hold_is_for_both_ends_or_for_each(written: str, hold: tuple[int, int] | None) -> None:
    assert gif_of(f"{{hold: {written}}}").hold == hold


@pytest.mark.parametrize(
    "text",
    ["{hold: [5, 700], total: 900}", "{hold: 300, duration: 50}", "{max_mb: 3, format: apng}"],
)
def test_keys_that_are_written_as_a_sidecar_read_back_the_same(text: str) -> None:
    keys = keys_of(text)
    assert read_sidecar("cat.yaml", sidecar_text(keys).encode()) == keys


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{format: mp4}", "'gif', 'webp' or 'apng'"),
        ("{duration: 19}", "at least 20"),
        ("{total: 600001}", "at most 600000"),
        ("{loop: 65536}", "at most 65535"),
        ("{hold: [1]}", "a pair [first, last]"),
        ("{hold: [1, 2, 3]}", "a pair [first, last]"),
        ("{hold: true}", "a pair [first, last]"),
        ("{hold: 0.5}", "a pair [first, last]"),
        ("{hold: 60001}", "from 0 to 60000"),
        ("{hold: [-1, 5]}", "from 0 to 60000"),
        ("{labels: 3}", "true or false"),
        ("{quality: 0}", "at least 1"),
        ("{quality: 101}", "at most 100"),
        ("{max_mb: 0}", "at least 0.1"),
        ("{size: 32}", "at least 64"),
        ("{boomerang: true}", "Did you mean `pingpong`?"),
        ("{fps: 25}", "Did you mean `duration`?"),
        ("{caption: true}", "Did you mean `labels`?"),
        ("{max_size: 8}", "Did you mean `max_mb`?"),
    ],
)
def test_what_is_refused_says_what_would_be_right(text: str, words: str) -> None:
    assert words in problem_of(text)


def test_duration_and_total_in_one_place_are_refused() -> None:
    problem = problem_of("{duration: 50, total: 900}")
    assert "line 2, gif: " in problem
    assert "cannot both be given" in problem
    assert gif_of("{duration: 50, total: null}") == GifKeys(duration=50)


@pytest.mark.parametrize(
    ("near", "far", "merged"),
    [
        ("{duration: 50}", "{total: 900, loop: 2}", GifKeys(duration=50, loop=2)),
        ("{total: 900}", "{duration: 50, loop: 2}", GifKeys(total=900, loop=2)),
        ("{loop: 3}", "{total: 900}", GifKeys(total=900, loop=3)),
        ("{hold: 0}", "{hold: 500, duration: 30}", GifKeys(duration=30, hold=(0, 0))),
    ],
)
def test_the_nearer_of_duration_and_total_wins(near: str, far: str, merged: GifKeys) -> None:
    assert keys_of(near).over(keys_of(far)).gif == merged


def test_a_total_replaces_the_configs_duration_and_the_other_way_round() -> None:
    assert settled([keys_of("{total: 900}")]) == GifSettings(duration=None, total=900)
    config = GifSettings(duration=None, total=900, loop=1)
    assert settled([keys_of("{duration: 50}")], config) == GifSettings(duration=50, loop=1)
    assert settled([keys_of("{loop: 2}")], config) == GifSettings(
        duration=None, total=900, loop=2
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "settings"),
    [
        ("{}", GifSettings()),
        ("{total: 900}", GifSettings(duration=None, total=900)),
        ("{duration: null}", GifSettings()),
        ("{duration: 50, total: null, hold: 100}", GifSettings(duration=50, hold=(100, 100))),
    ],
)
def test_the_config_has_one_of_duration_and_total(
    tmp_path: Path, written: str, settings: GifSettings
) -> None:
    (tmp_path / "config.yaml").write_text(f"root: {tmp_path}\noutputs: {{gif: {written}}}\n")
    assert load_config(tmp_path / "config.yaml", None, env={}).outputs.gif == settings


def test_the_config_refuses_both_of_duration_and_total(tmp_path: Path) -> None:
    text = f"root: {tmp_path}\noutputs:\n  gif: {{duration: 50, total: 900}}\n"
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(DocumentError, match=r"line 3, outputs\.gif: .*cannot both be given"):
        load_config(tmp_path / "config.yaml", None, env={})


def test_a_job_of_an_older_version_plays_as_it_was_asked() -> None:
    request = resolve(
        [keys_of("true")], default_model="demo", models={"demo"}, draw_seed=lambda: 7,
        max_frames=400, name="cat.yaml",
    )  # fmt: skip
    old = json.loads(request.to_json()) | {"gif": {"duration": 70, "loop": 2, "pingpong": True}}
    assert Request.from_json(json.dumps(old)).gif == GifSettings(
        duration=70, loop=2, pingpong=True
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "suffix"), [("gif", ".gif"), ("webp", ".webp"), ("apng", ".png")])
def test_each_format_has_the_suffix_that_viewers_know(kind: str, suffix: str) -> None:
    assert settled([keys_of(f"{{format: {kind}}}")]).suffix == suffix
