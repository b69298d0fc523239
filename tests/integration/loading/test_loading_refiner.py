"""SDXL's base and refiner as an ensemble: what diffusers' own two calls paint, counted through."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLImg2ImgPipeline
from engines import Pixels, difference, paint, pixels, refusal, spec, task
from forms import Forms
from PIL import Image

from img2imgd.engine.factory import create_engine
from img2imgd.engine.identity import WeightHashes
from img2imgd.engine.loading import load_pipeline
from img2imgd.engine.protocol import (
    Engine,
    EngineEvent,
    FrameTask,
    ModelSpec,
    RefinerSpec,
    StepDone,
)

pytestmark = [
    # diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread", "no_network"),
]


def refined(forms: Mapping[str, Forms], start: float = 0.6, **changes: object) -> ModelSpec:
    refiner = RefinerSpec(str(forms["sdxl_refiner"].folder), start)
    return spec(forms["sdxl"].folder, refiner=refiner, **changes)


@pytest.fixture(scope="module")
def engine(forms: Mapping[str, Forms]) -> Engine:
    made = create_engine("diffusers")
    made.load(refined(forms))
    return made


def two_plain_calls(forms: Mapping[str, Forms], frame: FrameTask, start: float) -> Pixels:
    """The ensemble as diffusers' documentation writes it."""
    generator = torch.Generator().manual_seed(frame.seed)
    shared: dict[str, Any] = {
        "prompt": frame.prompt, "negative_prompt": frame.negative_prompt,
        "num_inference_steps": frame.steps, "guidance_scale": frame.guidance_scale,
        "generator": generator,
    }  # fmt: skip
    base, refiner = (
        StableDiffusionXLImg2ImgPipeline.from_pretrained(forms[family].folder)
        for family in ("sdxl", "sdxl_refiner")
    )
    refiner.vae = base.vae
    for pipe in (base, refiner):
        pipe.scheduler = EulerDiscreteScheduler.from_config(base.scheduler.config)
        pipe.set_progress_bar_config(disable=True)
    latents = base(
        image=Image.open(frame.image), strength=frame.strength, denoising_end=start,
        output_type="latent", **shared,
    ).images  # fmt: skip
    image = refiner(image=latents, denoising_start=start, **shared).images[0]
    return np.asarray(image).astype(np.int16)


def steps_of(events: list[EngineEvent]) -> list[tuple[int, int]]:
    return [(event.step, event.steps) for event in events if isinstance(event, StepDone)]


def test_neither_draws_a_progress_bar(
    engine: Engine, image: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    paint(engine, task(image, steps=10))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("strength", [1.0, 0.7])
def test_both_paint_bit_for_bit_what_two_plain_calls_paint(
    forms: Mapping[str, Forms], engine: Engine, image: Path, strength: float
) -> None:
    frame = task(image, steps=10, strength=strength)
    painted, events = paint(engine, frame)
    assert difference(painted, two_plain_calls(forms, frame, 0.6)) == 0
    count = frame.effective_steps
    assert steps_of(events) == [(step, count) for step in range(1, count + 1)]


def test_a_refiner_changes_the_picture(
    forms: Mapping[str, Forms], engine: Engine, image: Path
) -> None:
    painted, _ = paint(engine, task(image))
    assert difference(painted, pixels(spec(forms["sdxl"].folder), image)) > 5


def test_a_frame_that_begins_behind_the_start_is_the_refiners_alone(
    forms: Mapping[str, Forms], engine: Engine, image: Path
) -> None:
    late = task(image, steps=10, strength=0.3)
    painted, events = paint(engine, late)
    assert steps_of(events) == [(1, 3), (2, 3), (3, 3)]
    alone = create_engine("diffusers")
    alone.load(spec(forms["sdxl_refiner"].folder, vae=str(forms["sdxl"].folder / "vae")))
    assert difference(painted, paint(alone, late)[0]) == 0


def test_a_frame_with_no_timestep_behind_the_start_is_the_bases_alone(
    forms: Mapping[str, Forms], image: Path
) -> None:
    only = task(image, steps=1, strength=1.0)
    engine = create_engine("diffusers")
    engine.load(refined(forms, start=0.999))
    painted, events = paint(engine, only)
    assert steps_of(events) == [(1, 1)]
    assert difference(painted, pixels(spec(forms["sdxl"].folder), image, steps=1, strength=1)) == 0


@pytest.mark.parametrize("scheduler", ["heun", "euler_a", "pndm"])
def test_every_kind_of_scheduler_counts_through_both(
    forms: Mapping[str, Forms], image: Path, scheduler: str
) -> None:
    engine = create_engine("diffusers")
    engine.load(refined(forms, scheduler=scheduler))
    for strength in (0.1, 0.5, 0.8):
        frame = task(image, steps=10, strength=strength, guidance_scale=1.0)
        _, events = paint(engine, frame)
        steps = steps_of(events)
        assert steps == sorted(steps)
        assert {step for step, _ in steps} == set(range(1, frame.effective_steps + 1))


def test_a_cancelled_frame_stops_in_either_and_the_next_is_painted_as_ever(
    engine: Engine, image: Path
) -> None:
    expected, _ = paint(engine, task(image, steps=10))
    for at in (2, 7):
        engine.admit(task(image, steps=10))
        events: list[EngineEvent] = []

        def cancel(event: EngineEvent, at: int = at, events: list[EngineEvent] = events) -> None:
            events.append(event)
            if isinstance(event, StepDone) and event.step == at:
                engine.cancel("j1")

        engine.step(cancel)
        assert [step for step, _ in steps_of(events)] == list(range(1, at + 1))
        assert len(events) == at
    assert difference(paint(engine, task(image, steps=10))[0], expected) == 0


def test_both_come_as_single_files_too(
    forms: Mapping[str, Forms], engine: Engine, image: Path
) -> None:
    base, refiner = forms["sdxl"], forms["sdxl_refiner"]
    as_files = spec(
        base.file,
        config=str(base.folder),
        refiner=RefinerSpec(str(refiner.file), 0.6, config=str(refiner.folder)),
    )
    made = create_engine("diffusers")
    info = made.load(as_files)
    assert difference(paint(made, task(image))[0], paint(engine, task(image))[0]) <= 1
    assert len({info.weights, info.refiner}) == 2
    assert len(info.refiner) == 64


def test_a_refiners_hash_leaves_out_the_autoencoder_that_it_does_not_use(
    forms: Mapping[str, Forms],
) -> None:
    hashes = WeightHashes(None)
    _, info = load_pipeline(refined(forms))
    expected = hashes.of_model(str(forms["sdxl_refiner"].folder), None, without={"vae"})
    assert info.refiner == expected
    assert info.weights == hashes.of_model(str(forms["sdxl"].folder), None)


def test_only_sdxl_takes_a_refiner(forms: Mapping[str, Forms]) -> None:
    refiner = RefinerSpec(str(forms["sdxl_refiner"].folder))
    assert (
        "is no Stable Diffusion XL" in refusal(spec(forms["sd1"].folder, refiner=refiner)).message
    )
    wrong = RefinerSpec(str(forms["sd1"].folder))
    error = refusal(spec(forms["sdxl"].folder, refiner=wrong))
    assert f"its refiner {forms['sd1'].folder} is no Stable Diffusion XL" in error.message


def test_a_refiner_that_is_not_there_is_named(forms: Mapping[str, Forms], tmp_path: Path) -> None:
    absent = RefinerSpec(str(tmp_path / "absent"))
    error = refusal(spec(forms["sdxl"].folder, refiner=absent))
    assert f"there is no folder {tmp_path / 'absent'}" in error.message
