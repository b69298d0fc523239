"""The world that the embedded model learns: scenes, their paintings, sketches and captions."""

from __future__ import annotations

import numpy as np
import pytest
from tools.demo_model.dataset import MEMBERS, make_family
from tools.demo_model.world.canvas import CANVAS
from tools.demo_model.world.captions import TIME_NAMES, caption, unconditional
from tools.demo_model.world.looks import LOOKS, render
from tools.demo_model.world.paint import paint
from tools.demo_model.world.scenes import GROUNDS, MAINS, TIMES, Scene, sample_scene
from tools.demo_model.world.sketching import KINDS, sketch


def scene_with(ground: str | None = None, main: str | None = None) -> Scene:
    rng = np.random.default_rng(1)
    while True:
        scene = sample_scene(rng)
        if ground in (None, scene.ground) and main in (None, scene.main_kind):
            return scene


def test_every_ground_and_thing_is_drawn_by_lot() -> None:
    rng = np.random.default_rng(2)
    scenes = [sample_scene(rng) for _ in range(3_000)]
    assert {scene.ground for scene in scenes} == set(GROUNDS)
    assert {scene.main_kind for scene in scenes} == set(MAINS)
    assert {scene.time for scene in scenes} == set(TIMES)


@pytest.mark.parametrize("main", [main for main in MAINS if main != "none"])
def test_the_main_thing_stands_where_the_scene_says(main: str) -> None:
    scene = scene_with(main=main).at("day")
    assert scene.main is not None
    others = tuple(thing for thing in scene.things if thing is not scene.main)
    with_it = paint(scene).lines.astype(int)
    without = paint(Scene(**{**vars(scene), "main": None, "things": others})).lines.astype(int)
    changed = np.abs(with_it - without) > 60
    half = scene.main.size * (2.6 if main == "bridge" else 1.0)
    left, right = scene.main.x - half, scene.main.x + half
    top, foot = scene.main.y - scene.main.size, scene.main.y
    area = np.zeros_like(changed)
    rows = slice(max(0, int((top - 0.05) * CANVAS)), int((foot + 0.05) * CANVAS))
    area[rows, max(0, int(left * CANVAS)) : int(right * CANVAS)] = True
    assert (changed & area).sum() > 400
    assert (changed & area).sum() > 0.55 * changed.sum()


@pytest.mark.parametrize("ground", GROUNDS)
def test_the_places_do_not_hang_on_the_time(ground: str) -> None:
    scene = scene_with(ground=ground)
    lines = [paint(scene.at(time)).lines.astype(int) for time in ("day", "night", "fog", "storm")]
    assert np.abs(lines[0] - lines[1]).mean() < 2
    assert np.abs(lines[0] - lines[2]).mean() < 4  # sun and clouds hide in fog
    assert np.abs(lines[0] - lines[3]).mean() < 4


@pytest.mark.parametrize("time", ["night", "storm"])
def test_night_and_storm_are_darker_than_day(time: str) -> None:
    scene = scene_with(ground="hills")
    light = {name: paint(scene.at(name)).colour.mean() for name in (time, "day")}
    assert light[time] < 0.75 * light["day"]


def test_every_look_differs_from_every_other_in_more_than_tone() -> None:
    canvas = paint(scene_with(main="house").at("day"))
    pictures = {look: render(canvas, look, np.random.default_rng(3)) for look in LOOKS}
    for name, picture in pictures.items():
        assert picture.shape == (CANVAS // 2, CANVAS // 2, 3)
        assert picture.dtype == np.uint8
        for other, second in pictures.items():
            if other != name:
                edges = [np.abs(np.diff(one.astype(int), axis=1)) for one in (picture, second)]
                assert np.abs(edges[0] - edges[1]).mean() > 1, (name, other)


@pytest.mark.parametrize("kind", KINDS)
def test_sketches_are_mostly_light_paper(kind: str) -> None:
    canvas = paint(scene_with(ground="sea").at("day"))
    drawn = sketch(canvas, np.random.default_rng(4), kind)
    assert np.median(drawn[:60].mean(-1)) > 0.78  # the sky is left white


def test_a_family_is_the_same_from_its_seed() -> None:
    pictures, facts = make_family(5)
    again, told = make_family(5)
    assert pictures.shape == (MEMBERS, 256, 256, 3)
    assert np.array_equal(pictures, again)
    assert facts == told
    assert [fact["look"] == "sketch" for fact in facts] == [True, False, False, False]
    assert len({fact["time"] for fact in facts[1:]}) == 3
    assert len({fact["look"] for fact in facts[1:]}) == 3


def test_captions_name_the_look_and_the_time_most_of_the_time() -> None:
    rng = np.random.default_rng(6)
    scene = scene_with(ground="sea", main="boat").at("night")
    told = [caption(rng, scene, "oil") for _ in range(300)]
    assert len(set(told)) > 150
    night = ("night", "dark", "starry", "moonlight")
    assert sum(any(word in text for word in night) for text in told) > 240
    oil = ("oil", "painting", "rembrandt", "constable", "impasto", "canvas")
    assert sum(any(word in text for word in oil) for text in told) > 260


def test_captions_of_sketches_tell_no_time() -> None:
    rng = np.random.default_rng(8)
    scene = scene_with(ground="hills", main="castle").at("sunset")
    told = [caption(rng, scene, "sketch") for _ in range(300)]
    assert not [text for text in told if any(word in text for word in TIME_NAMES["sunset"])]


def test_the_unconditional_branch_reads_nothing_half_of_the_time() -> None:
    rng = np.random.default_rng(7)
    texts = [unconditional(rng) for _ in range(400)]
    assert 140 < texts.count("") < 260
