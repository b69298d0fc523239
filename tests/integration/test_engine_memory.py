"""Memory that runs out under a real pipeline: painted in tiles, remembered, refused at the end."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from engines import difference, events_of, paint, spec, task
from PIL import Image
from tiny_model import save_tiny_model

from img2imgd.engine import sparing
from img2imgd.engine.diffusers_engine import DiffusersEngine
from img2imgd.engine.protocol import FramePainted, FrameRefused

# diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def engine(folder: Path) -> DiffusersEngine:
    made = DiffusersEngine()
    made.load(spec(folder))
    return made


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return picture(tmp_path / "in.png", 64)


def picture(path: Path, side: int) -> Path:
    Image.radial_gradient("L").resize((side, side)).convert("RGB").save(path)
    return path


@contextmanager
def memory_of(module: Any, most: Callable[[Any], bool]) -> Generator[list[tuple[int, ...]]]:
    """Let ``module`` run out of memory for inputs that do not pass; the shapes of all it is asked.

    What is raised is what torch's allocator raises, from within the module's own forward.
    """
    asked: list[tuple[int, ...]] = []

    def hook(_: object, inputs: tuple[Any, ...]) -> None:
        asked.append(tuple(inputs[0].shape))
        if not most(inputs[0]):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.")

    handle = module.register_forward_pre_hook(hook)
    try:
        yield asked
    finally:
        handle.remove()


def test_a_picture_that_memory_does_not_hold_is_painted_in_tiles_and_says_so(
    engine: DiffusersEngine, image: Path
) -> None:
    whole, _ = paint(engine, task(image))
    decoder = engine._pipe.vae.decoder
    with memory_of(decoder, lambda latents: latents.shape[-1] <= 16) as asked:
        *_, painted = events_of(engine, task(image))
    assert isinstance(painted, FramePainted)
    assert "64×64" in painted.note
    assert "autoencoder in tiles" in painted.note
    assert asked[0][-1] == 32, "first it is tried whole"
    pixels = np.frombuffer(painted.pixels, np.uint8).reshape(64, 64, 3).astype(np.int16)
    assert 0 < difference(pixels, whole) < 100


def test_tiles_fit_together_where_half_a_side_is_no_multiple_of_four_latents(
    engine: DiffusersEngine, tmp_path: Path
) -> None:
    one = task(picture(tmp_path / "in.png", 40))
    whole, _ = paint(engine, one)
    with memory_of(engine._pipe.vae.decoder, lambda latents: latents.shape[-1] <= 10):
        *_, painted = events_of(engine, one)
    assert isinstance(painted, FramePainted), painted
    pixels = np.frombuffer(painted.pixels, np.uint8).reshape(40, 40, 3).astype(np.int16)
    assert 0 < difference(pixels, whole) < 100


def test_what_memory_did_not_hold_is_remembered_for_that_size_alone(
    engine: DiffusersEngine, image: Path, tmp_path: Path
) -> None:
    small = task(picture(tmp_path / "small.png", 32))
    plain, _ = paint(engine, small)
    decoder = engine._pipe.vae.decoder
    with memory_of(decoder, lambda latents: latents.shape[-1] <= 16) as asked:
        events = events_of(engine, task(image), task(image, index=1))
        assert [shape[-1] for shape in asked].count(32) == 1, "the second is not tried whole"
        after, _ = paint(engine, small)
    first, second = [event for event in events if isinstance(event, FramePainted)]
    assert first.pixels == second.pixels
    assert first.note == second.note != ""
    assert difference(after, plain) == 0, "another size is painted as ever"


def test_a_model_that_is_loaded_anew_is_tried_whole(
    engine: DiffusersEngine, folder: Path, image: Path
) -> None:
    with memory_of(engine._pipe.vae.decoder, lambda latents: latents.shape[-1] <= 16):
        events_of(engine, task(image))
    engine.load(spec(folder))
    *_, painted = events_of(engine, task(image))
    assert isinstance(painted, FramePainted)
    assert painted.note == ""


def test_a_denoiser_that_runs_out_once_paints_the_same_frame_on_the_second_try(
    engine: DiffusersEngine, image: Path
) -> None:
    calls: list[None] = []

    def all_but_the_third(_: Any) -> bool:
        calls.append(None)
        return len(calls) != 3

    with memory_of(engine._pipe.unet, all_but_the_third):
        *_, painted = events_of(engine, task(image))
    assert isinstance(painted, FramePainted)


def test_a_frame_for_which_memory_never_suffices_is_refused_with_its_size_and_the_next_painted(
    engine: DiffusersEngine, image: Path, tmp_path: Path
) -> None:
    small = task(picture(tmp_path / "small.png", 32), index=1)
    with memory_of(engine._pipe.unet, lambda latents: latents.shape[-1] < 32) as asked:
        events = events_of(engine, task(image), small)
    refused, painted = events[0], events[-1]
    assert isinstance(refused, FrameRefused)
    assert refused.out_of_memory
    assert "ran out at 64×64" in refused.reason
    assert "smaller size" in refused.reason
    assert [shape[-1] for shape in asked].count(32) == 2, "tried twice, no more"
    assert isinstance(painted, FramePainted)
    assert painted.note == ""


def test_nothing_of_a_try_that_failed_is_kept_by_what_the_log_says_of_it(
    engine: DiffusersEngine, image: Path, caplog: pytest.LogCaptureFixture
) -> None:
    held: list[weakref.ref[torch.Tensor]] = []

    def hold(latents: torch.Tensor) -> bool:
        held.append(weakref.ref(latents))
        return len(held) > 1

    with memory_of(engine._pipe.unet, hold):
        events_of(engine, task(image))
    assert "CUDA out of memory" in caplog.text
    assert held[0]() is None


def test_an_autoencoder_that_tells_no_size_is_spared_too(
    folder: Path, image: Path, tmp_path: Path
) -> None:
    tiny = AutoencoderTiny(
        encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4,
        num_encoder_blocks=(1,) * 4, num_decoder_blocks=(1,) * 4,
    )  # fmt: skip
    tiny.save_pretrained(tmp_path / "tiny")
    engine = DiffusersEngine()
    engine.load(replace(spec(folder), vae=str(tmp_path / "tiny")))
    tries: list[None] = []

    def all_but_the_first(_: Any) -> bool:
        tries.append(None)
        return len(tries) > 1

    with memory_of(engine._pipe.unet, all_but_the_first):
        *_, painted = events_of(engine, task(image))
    assert isinstance(painted, FramePainted)
    assert "autoencoder in tiles" in painted.note


def test_a_model_that_cannot_be_spared_costs_the_frame_alone(
    engine: DiffusersEngine, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> bool:
        raise AttributeError("no such thing as a tile")

    monkeypatch.setattr(sparing, "_tile", unknown)
    with memory_of(engine._pipe.unet, lambda _: False):
        (refused,) = events_of(engine, task(image))
    assert isinstance(refused, FrameRefused)


@pytest.mark.parametrize(("attention", "sliced"), [("eager", True), ("sdpa", False)])
def test_attention_that_is_computed_as_written_is_sliced_meanwhile(
    folder: Path, image: Path, attention: str, sliced: bool
) -> None:
    engine = DiffusersEngine()
    engine.load(spec(folder, attention=attention))
    before = kinds(engine)
    seen: list[set[str]] = []

    def fail_first(_: Any) -> bool:
        seen.append(kinds(engine))
        return len(seen) > 1

    with memory_of(engine._pipe.unet, fail_first):
        *_, painted = events_of(engine, task(image))
    assert isinstance(painted, FramePainted)
    assert ("attention in slices" in painted.note) == sliced
    assert seen[1] == ({"SlicedAttnProcessor"} if sliced else before)
    assert kinds(engine) == before


def kinds(engine: DiffusersEngine) -> set[str]:
    return {type(processor).__name__ for processor in engine._pipe.unet.attn_processors.values()}
