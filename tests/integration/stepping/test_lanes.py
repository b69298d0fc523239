"""Parts of a UNet call side by side on two cores: the same pictures, a fault costs one frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from pathlib import Path

import numpy as np
import pytest
import torch
from engines import difference, events_of, spec, task
from PIL import Image
from plainly import calls_of, stepped

from conftest import FAMILIES, Model, loaded_both_ways
from img2imgd.engine import speed
from img2imgd.engine.diffusers_engine import DiffusersEngine
from img2imgd.engine.protocol import FramePainted, FrameRefused, FrameTask
from img2imgd.engine.stepping import lanes

# diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """For these tests alone: what it keeps was encoded by two threads, which round otherwise."""
    return loaded_both_ways(request.param, tmp_path_factory.mktemp("model") / request.param)


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def frames(image: Path) -> list[FrameTask]:
    """Five frames of four steps, of which every second has no guidance."""
    return [
        task(image, index=index, seed=index, guidance_scale=(7.5, 1.0)[index % 2], job_frames=5)
        for index in range(5)
    ]


def test_the_frames_of_a_call_are_shared_out_and_paint_the_same_pictures(
    model: Model, image: Path
) -> None:
    with calls_of(model.engine._pipe.unet) as rows:
        pictures = stepped(model.engine, frames(image)[:2])
    assert sorted(rows) == [1] * 4 + [2] * 4, "each call in two parts"
    for one, picture in zip(frames(image), pictures, strict=False):
        assert difference(picture, model.plain.paint(one)) <= 1
    pictures = stepped(model.engine, frames(image))
    for one, picture in zip(frames(image), pictures, strict=True):
        assert difference(picture, model.plain.paint(one)) <= 1
    assert torch.get_num_threads() == 2, "the lanes' threads are their own"


def test_a_frame_alone_is_one_call_and_bit_for_bit_the_plain_pipelines(
    model: Model, image: Path
) -> None:
    (one, *_) = frames(image)
    with calls_of(model.engine._pipe.unet) as rows:
        (picture,) = stepped(model.engine, [one])
    assert rows == [2] * 4
    assert np.array_equal(picture, model.plain.paint(one))


def test_with_a_frame_a_call_each_is_bit_for_bit_what_it_is_alone(
    model: Model, image: Path
) -> None:
    engine = DiffusersEngine()
    engine.load(spec(model.folder, max_batch=1))
    with calls_of(engine._pipe.unet) as rows:
        pictures = stepped(engine, frames(image))
    assert sorted(rows) == [1] * 8 + [2] * 12
    for one, picture in zip(frames(image), pictures, strict=True):
        assert difference(picture, model.plain.paint(one)) == 0


def test_a_lane_that_fails_costs_its_own_frame_alone(model: Model, image: Path) -> None:
    engine = DiffusersEngine()
    engine.load(spec(model.folder))

    def look(_: object, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0].shape[0] % 2:  # the part with a frame without guidance, and that frame alone
            raise ValueError("an odd number of rows")

    engine._pipe.unet.register_forward_pre_hook(look)
    events = events_of(engine, *frames(image)[:3])
    assert [event.index for event in events if isinstance(event, FrameRefused)] == [1]
    assert {event.index for event in events if isinstance(event, FramePainted)} == {0, 2}


def threads_of_decoding(engine: DiffusersEngine, tasks: Sequence[FrameTask]) -> list[int]:
    """With how many of torch's threads each picture was decoded."""
    used: list[int] = []
    hook = engine._pipe.vae.decoder.register_forward_pre_hook(
        lambda *_: used.append(torch.get_num_threads())
    )
    try:
        stepped(engine, tasks)
    finally:
        hook.remove()
    return used


def test_frames_of_a_sweep_wait_to_be_decoded_side_by_side(model: Model, image: Path) -> None:
    sweep = [
        task(image, index=index, steps=5, strength=strength, job_frames=3)
        for index, strength in enumerate((0.2, 0.6, 1.0))
    ]
    assert threads_of_decoding(model.engine, sweep) == [1, 1, 2], "the last has none beside it"


def test_a_single_picture_waits_for_none(model: Model, image: Path) -> None:
    single = task(image, job="j2", steps=5, strength=0.2)
    sweep = [task(image, index=n, steps=5, strength=1.0, job_frames=2) for n in (0, 1)]
    assert threads_of_decoding(model.engine, [single, *sweep]) == [2, 1, 1]


def test_the_last_frame_of_a_sweep_waits_for_no_other_job(model: Model, image: Path) -> None:
    ended = task(image, steps=5, strength=0.2, job_frames=2)
    other = task(image, job="j2", steps=5, strength=1.0)
    assert threads_of_decoding(model.engine, [ended, other]) == [2, 2]


def test_memory_that_runs_out_in_two_lanes_refuses_neither_frame(
    model: Model, tmp_path: Path
) -> None:
    image = tmp_path / "in.png"
    Image.radial_gradient("L").resize((64, 64)).convert("RGB").save(image)
    whole: list[int] = []

    def look(_: object, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0].shape[-1] == 32:
            whole.append(torch.get_num_threads())
            raise torch.OutOfMemoryError("out of memory")

    hook = model.engine._pipe.vae.decoder.register_forward_pre_hook(look)
    sweep = [task(image, index=index, seed=index, job_frames=2) for index in (0, 1)]
    try:
        pictures = stepped(model.engine, sweep)
    finally:
        hook.remove()
        model.engine._painter._sparingly._otherwise.clear()
    assert sorted(whole) == [1, 1, 2], "both in lanes, one of them alone, then in tiles"
    for one, picture in zip(sweep, pictures, strict=True):
        assert difference(picture, model.plain.paint(one)) < 100


def test_lanes_have_all_threads_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    given: list[int] = []
    monkeypatch.setattr(lanes, "_with_threads", lambda threads, *_: given.append(threads))
    wait(lanes.Lanes(4).each(lambda one: one, range(4)))
    assert given == [2, 2, 1, 1]


def test_a_large_unet_has_one_lane(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "_MOST_BYTES", 1000)
    engine = DiffusersEngine()
    engine.load(spec(model.folder))
    assert engine._painter._lanes._most == 1


def test_compiled_code_runs_in_one_lane(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_compile", lambda *_: None)  # which another test does
    engine = DiffusersEngine()
    engine.load(spec(model.folder, compile=True))
    assert engine._painter._lanes._most == 1
