"""What is shown of a frame while it is painted: it comes near to the picture and costs no bit."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engines import events_of, spec, task
from plainly import pixels
from tiny_families import save_family

from img2imgd.engine.diffusers_engine import DiffusersEngine
from img2imgd.engine.protocol import EngineEvent, FramePainted, Glimpse
from img2imgd.engine.stepping import glimpses

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_family("sd1", tmp_path_factory.mktemp("model") / "sd1")


@pytest.fixture
def engine(folder: Path) -> DiffusersEngine:
    made = DiffusersEngine()
    made.load(spec(folder))
    return made


def shown(glimpse: Glimpse) -> np.ndarray[Any, Any]:
    flat = np.frombuffer(glimpse.pixels, np.uint8)
    return flat.reshape(glimpse.height, glimpse.width, 3).astype(np.int16)


def watched(engine: DiffusersEngine) -> tuple[list[Glimpse], list[FramePainted]]:
    """Steps until the engine is idle, with a look after each."""
    seen: list[Glimpse] = []
    painted: list[FramePainted] = []

    def report(event: EngineEvent) -> None:
        if isinstance(event, FramePainted):
            painted.append(event)

    while not engine.idle():
        engine.step(report)
        if glimpse := engine.glimpse("j1"):
            seen.append(glimpse)
    return seen, painted


@pytest.mark.parametrize("scheduler", ["euler", "euler_a", "ddim", "dpm++_2m", "unipc", "heun"])
def test_a_glimpse_after_each_step_comes_ever_nearer_to_the_picture(
    engine: DiffusersEngine, image: Path, scheduler: str
) -> None:
    engine.admit(task(image, scheduler=scheduler, steps=12, strength=1.0))

    seen, [picture] = watched(engine)

    assert len(seen) >= 11
    assert [one.step for one in seen] == sorted(one.step for one in seen)
    away = [np.abs(shown(one) - pixels(picture)).mean() for one in seen]
    assert away[-1] < 0.5 * away[0], away


def test_a_look_changes_no_bit_of_the_picture(engine: DiffusersEngine, image: Path) -> None:
    frames = [task(image, index=index, steps=6, seed=index) for index in range(3)]
    unwatched = [e for e in events_of(engine, *frames) if isinstance(e, FramePainted)]
    for frame in frames:
        engine.admit(frame)

    _, painted = watched(engine)

    assert {e.key: e.pixels for e in painted} == {e.key: e.pixels for e in unwatched}


def test_the_frame_nearest_to_its_end_is_shown(engine: DiffusersEngine, image: Path) -> None:
    engine.admit(task(image, index=0, steps=10, strength=1.0))
    engine.admit(task(image, index=1, steps=10, strength=0.4))

    seen, _ = watched(engine)

    assert seen[0].index == 1
    assert seen[-1].index == 0


def test_of_a_large_frame_a_smaller_picture_is_decoded(
    engine: DiffusersEngine, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glimpses, "MOST_CELLS", 8)
    engine.admit(task(image, steps=4, strength=1.0))

    seen, [picture] = watched(engine)

    assert (seen[0].width, seen[0].height) == (picture.width // 2, picture.height // 2)


def test_nothing_is_shown_of_what_a_safety_checker_has_not_seen(
    engine: DiffusersEngine, image: Path
) -> None:
    engine._painter._glimpses._can = True
    engine._painter._pipe.safety_checker = object()
    made = glimpses.Glimpses(engine._painter._pipe, engine._painter._scale, offloaded=False)
    engine._painter._glimpses = made
    engine._painter._pipe.safety_checker = None
    engine.admit(task(image, steps=4))

    seen, painted = watched(engine)

    assert not seen
    assert len(painted) == 1


def test_a_decoder_that_fails_costs_the_glimpses_and_not_the_picture(
    engine: DiffusersEngine,
    image: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(engine._painter._glimpses, "_decode", fail)
    engine.admit(task(image, steps=4))

    with caplog.at_level(logging.WARNING, "img2imgd"):
        seen, painted = watched(engine)

    assert not seen
    assert len(painted) == 1
    assert [r.message for r in caplog.records].count(
        "no glimpses of pictures under way are shown with this model"
    ) == 1
