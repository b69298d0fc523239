"""Every scheduler paints through the engine: at every strength, with few steps and many."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    UNet2DConditionModel,
)
from engines import events_of
from numpy.typing import NDArray
from PIL import Image
from tiny_model import save_tiny_model

from img2imgd.engine.diffusers_engine import DiffusersEngine
from img2imgd.engine.protocol import (
    FramePainted,
    FrameRefused,
    FrameTask,
    ModelSpec,
    StepDone,
)
from img2imgd.engine.schedulers import TCD_ETA, Schedulers
from img2imgd.job import effective_steps
from img2imgd.request.schedulers import BASES, SCHEDULER_NAMES, Base

# diffusers' schedulers call numpy on tensors in ways that numpy 2 deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread"),
]

STRENGTHS = (0.1, 0.5, 1.0)
FEW = (1, 2, 3, 4, 5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a UNet of one block: a thousand frames are painted here."""
    folder = save_tiny_model(tmp_path_factory.mktemp("model"))
    torch.manual_seed(0)
    UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8,),
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        mid_block_type=None,  # pyright: ignore[reportArgumentType] - it may be
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=16,
    ).save_pretrained(folder / "unet")
    return folder


@pytest.fixture(scope="module")
def engine(folder: Path) -> DiffusersEngine:
    engine = DiffusersEngine()
    engine.load(ModelSpec("tiny", str(folder)))
    return engine


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "in.png"
    Image.radial_gradient("L").resize((16, 16)).convert("RGB").save(path)
    return path


def task(image: Path, scheduler: str | None, steps: int, strength: float) -> FrameTask:
    effective = effective_steps(steps, strength)
    return FrameTask("j1", 0, image, "a", "", 11, strength, 1.0, steps, effective, scheduler)


def pixels(engine: DiffusersEngine, one: FrameTask) -> NDArray[np.uint8]:
    painted = events_of(engine, one)[-1]
    assert isinstance(painted, FramePainted), painted
    return np.frombuffer(painted.pixels, np.uint8).reshape(16, 16, 3)


@pytest.mark.parametrize("name", SCHEDULER_NAMES)
def test_every_scheduler_paints_at_every_strength(
    engine: DiffusersEngine, image: Path, name: str
) -> None:
    """numpy's warning of what is not a number is an error here, and the engine refuses it."""
    grid = [*itertools.product(FEW, STRENGTHS), (50, 0.1), (50, 0.5)]
    tasks = [task(image, name, steps, strength) for steps, strength in grid]
    for one in {(one.steps, one.effective_steps): one for one in tasks}.values():
        *steps, painted = events_of(engine, one)
        assert isinstance(painted, FramePainted), (one, painted)
        assert np.frombuffer(painted.pixels, np.uint8).std() > 2, one
        done = [event.step for event in steps if isinstance(event, StepDone)]
        assert done == sorted(done)
        assert set(done) == set(range(1, one.effective_steps + 1)), one
    again = task(image, name, 3, 1.0)
    assert np.array_equal(pixels(engine, again), pixels(engine, again))


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.name)
def test_a_seed_gives_its_picture_whatever_was_drawn_before(
    engine: DiffusersEngine, image: Path, base: Base
) -> None:
    one = task(image, base.name, 50, 1.0)
    torch.manual_seed(1)
    first = pixels(engine, one)
    torch.manual_seed(2)
    pixels(engine, task(image, "euler_a", 3, 1.0))
    assert np.array_equal(first, pixels(engine, one))
    other = pixels(engine, dataclasses.replace(one, seed=12))
    assert np.abs(first.astype(int) - other).max() > 30


def test_every_scheduler_paints_another_picture(engine: DiffusersEngine, image: Path) -> None:
    """But PLMS, which is PNDM, and DDPM, which is Euler's ancestral sampling in other words."""
    names = [base.name for base in BASES if base.name not in ("plms", "ddpm")]
    painted = {pixels(engine, task(image, name, 12, 1.0)).tobytes() for name in names}
    assert len(painted) == len(names)


def test_a_frame_without_a_scheduler_has_the_models(folder: Path, image: Path) -> None:
    engine = DiffusersEngine()
    engine.load(ModelSpec("tiny", str(folder), scheduler="euler_a"))
    before = pixels(engine, task(image, None, 5, 1.0))
    assert np.array_equal(before, pixels(engine, task(image, "euler_a", 5, 1.0)))
    assert not np.array_equal(before, pixels(engine, task(image, "own", 5, 1.0)))
    assert np.array_equal(before, pixels(engine, task(image, None, 5, 1.0)))


SETTINGS: dict[str, dict[str, Any]] = {
    "ddim": {"set_alpha_to_one": False, "clip_sample": False},
    "ddpm": {"clip_sample": False},
    "dpm++_2m_sde": {"algorithm_type": "sde-dpmsolver++"},
    "dpm++_3m_sde": {"algorithm_type": "sde-dpmsolver++", "solver_order": 3},
    "dpm++_2s": {"lower_order_final": True},
    "dpm++_sde": {"algorithm_type": "sde-dpmsolver++", "lower_order_final": True},
    "pndm": {"skip_prk_steps": True},
    "plms": {"skip_prk_steps": True},
}


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.name)
@pytest.mark.parametrize("strength", [0.4, 1.0])
def test_a_frame_is_bit_for_bit_what_a_plain_call_paints_with_the_class(
    engine: DiffusersEngine, folder: Path, image: Path, base: Base, strength: float
) -> None:
    """But for LMS and PNDM where they begin in the middle: diffusers leaves noise there."""
    pipe = StableDiffusionImg2ImgPipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = getattr(diffusers, base.diffusers).from_config(
        pipe.scheduler.config, **SETTINGS.get(base.name, {})
    )
    output: Any = pipe(
        "a",
        image=Image.open(image),
        strength=strength,
        num_inference_steps=10,
        guidance_scale=1.0,
        generator=torch.Generator().manual_seed(11),
        eta=TCD_ETA if base.name == "tcd" else 0.0,
    )
    same = np.array_equal(output.images[0], pixels(engine, task(image, base.name, 10, strength)))
    assert same == (strength == 1.0 or base.name not in ("lms", "pndm", "plms"))


def reason(engine: DiffusersEngine, one: FrameTask) -> str:
    refused = events_of(engine, one)[-1]
    assert isinstance(refused, FrameRefused)
    assert not refused.out_of_memory
    return refused.reason


def test_a_scheduler_that_the_model_cannot_have_refuses_the_frame_and_the_next_is_painted(
    folder: Path, image: Path
) -> None:
    engine = DiffusersEngine()
    engine.load(ModelSpec("tiny", str(folder)))
    engine._painter._schedulers = Schedulers(FlowMatchEulerDiscreteScheduler())
    assert reason(engine, task(image, "heun", 5, 1.0)) == (
        "The model cannot be run with the scheduler heun. Ask for one of: own, euler."
    )
    engine._painter._schedulers = Schedulers(engine._pipe.scheduler)
    pixels(engine, task(image, "heun", 5, 1.0))


def test_more_steps_than_a_distilled_schedule_has_are_refused(
    engine: DiffusersEngine, image: Path
) -> None:
    assert reason(engine, task(image, "lcm", 60, 0.5)) == (
        "The scheduler lcm runs at most 50 steps, not 60. Ask for fewer."
    )


def test_what_is_not_a_number_is_refused_and_never_published_black(
    engine: DiffusersEngine, image: Path
) -> None:
    """diffusers spaces a thousand steps with a gap of zero here, and divides by it."""
    told = reason(engine, task(image, "dpm++_2m_leading", 1000, 0.003))
    assert "would be black" in told
    assert "fp32" in told
