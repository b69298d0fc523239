"""A stepped frame is what the plain pipeline makes of its seed, whoever shares its UNet calls."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from engines import difference, spec, task
from PIL import Image
from plainly import Plain, calls_of, stepped

from conftest import FAMILIES, Model, let_all_share
from img2imgd.config.sections import DEMO_FOLDER
from img2imgd.engine.diffusers_engine import DiffusersEngine
from img2imgd.engine.protocol import FrameTask

pytestmark = [
    # diffusers' schedulers call numpy on tensors in ways that numpy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread"),
]

# LMS and the two PNDMs are mended here and differ from the plain pipeline below strength 1, which
# tests of the schedulers show.
MENDED = ("lms", "pndm", "plms")
SCHEDULERS = (
    "euler", "euler_a", "ddim", "ddpm", "heun", "dpm2_a", "dpm++_2m", "dpm++_2m_sde_karras",
    "dpm++_2s", "unipc", "deis_karras", "lcm", "tcd", *MENDED,
)  # fmt: skip
STEPS = 6
# What a scheduler does is the same for every family: one has them all, the others one of each kind.
OF_EVERY_FAMILY = ("euler", "euler_a", "dpm2_a", "dpm++_2m", "unipc")
PAIRS = [
    (family, scheduler)
    for family in FAMILIES
    for scheduler in (SCHEDULERS if family == FAMILIES[0] else OF_EVERY_FAMILY)
]


def frames(image: Path, scheduler: str, **changes: object) -> Iterator[FrameTask]:
    """One frame for each of three strengths, with guidance and without."""
    strengths = (1.0,) if scheduler in MENDED else (0.34, 0.67, 1.0)
    for index, (strength, guidance) in enumerate(itertools.product(strengths, (7.5, 1.0))):
        yield task(
            image, index=index, scheduler=scheduler, strength=strength, guidance_scale=guidance,
            steps=STEPS, seed=40 + index, job_frames=6, **changes,
        )  # fmt: skip


@pytest.mark.parametrize(("model", "scheduler"), PAIRS, indirect=["model"])
def test_a_frame_is_the_plain_pipelines_alone_and_nearly_so_in_company(
    model: Model, image: Path, scheduler: str
) -> None:
    """Bit for bit alone; one of 255 at most where it shares its calls."""
    together = list(frames(image, scheduler))
    with calls_of(model.engine._pipe.unet) as rows:
        pictures = stepped(model.engine, together)
    assert max(rows) == sum(2 if one.guidance_scale > 1 else 1 for one in together)
    for one, picture in zip(together, pictures, strict=True):
        plain = model.plain.paint(one)
        (alone,) = stepped(model.engine, [one])
        assert np.array_equal(alone, plain), one
        assert difference(picture, plain) <= 1, one
    another_seed = model.plain.paint(dataclasses.replace(one, seed=one.seed + 100))
    assert difference(picture, another_seed) > 30, "so this test can fail"


def test_any_mixture_differs_by_one_of_255_at_most(model: Model, image: Path, wide: Path) -> None:
    """Schedulers, strengths, numbers of steps, prompts, sizes and guidance all at once."""
    mixture = [
        dataclasses.replace(
            one, job=f"{scheduler}-{picture.stem}", steps=steps, prompt=f"a {scheduler} lake",
            effective_steps=max(1, int(steps * one.strength)),
        )
        for scheduler, steps in zip(SCHEDULERS, itertools.cycle((3, 5, 8)), strict=False)
        for picture in (image, wide)
        for one in itertools.islice(frames(picture, scheduler), 0, None, 3)
    ]  # fmt: skip
    with calls_of(model.engine._pipe.unet) as rows:
        pictures = stepped(model.engine, mixture)
    passes = sum(one.effective_steps for one in mixture)
    assert len(rows) < passes / 3, "the calls were shared"
    for one, picture in zip(mixture, pictures, strict=True):
        assert difference(picture, model.plain.paint(one)) <= 1, one


def test_frames_that_come_and_go_change_no_neighbour(model: Model, image: Path) -> None:
    """One joins at each step, one is cancelled, and one fails: the first is as if it were alone."""
    engine = model.engine
    first = task(image, job="first", steps=30, seed=7)
    (alone,) = stepped(engine, [first])
    assert difference(alone, model.plain.paint(first)) == 0
    events: list[object] = []
    engine.admit(first)
    joined = 0
    while not engine.idle():
        engine.step(events.append)
        joined += 1
        if joined < 20:
            engine.admit(task(image, job=f"j{joined}", seed=joined, steps=joined, strength=0.9))
        if joined == 6:
            engine.cancel("j4")
    painted = {event.key[0]: event for event in events if type(event).__name__ == "FramePainted"}
    assert "j4" not in painted
    assert len(painted) == 19
    got = np.frombuffer(painted["first"].pixels, np.uint8).astype(np.int16)
    assert np.abs(got - alone.ravel()).max() <= 1


def test_the_embedded_model_too(image: Path, tmp_path: Path) -> None:
    """A strength sweep with guidance as people ask for it, at half the model's size."""
    Image.open(image).resize((128, 128)).save(tmp_path / "in.png")
    engine, plain = DiffusersEngine(), Plain(DEMO_FOLDER)
    engine.load(spec(DEMO_FOLDER))
    let_all_share(engine)
    sweep = [
        task(
            tmp_path / "in.png", index=index, prompt="a house by a lake at sunset", steps=12,
            strength=strength, guidance_scale=7.5, job_frames=6,
        )
        for index, strength in enumerate((0.1, 0.25, 0.4, 0.6, 0.8, 0.95))
    ]  # fmt: skip
    (alone,) = stepped(engine, sweep[2:3])
    assert np.array_equal(alone, plain.paint(sweep[2]))
    with calls_of(engine._pipe.unet) as rows:
        pictures = stepped(engine, sweep)
    assert len(rows) == 11, "as many calls as the strongest frame has steps"
    for one, picture in zip(sweep, pictures, strict=True):
        assert difference(picture, plain.paint(one)) <= 1, one
        other = plain.paint(dataclasses.replace(one, seed=99))
        assert one.strength < 0.3 or difference(picture, other) > 30


def test_frames_that_share_no_calls_are_the_plain_pipelines_in_company_too(
    image: Path, tmp_path: Path
) -> None:
    """As docs/sidecar.md promises of ``engine.max_batch: 1``."""
    Image.open(image).resize((128, 128)).save(tmp_path / "in.png")
    engine, plain = DiffusersEngine(), Plain(DEMO_FOLDER)
    engine.load(spec(DEMO_FOLDER, max_batch=1))
    sweep = [
        task(tmp_path / "in.png", index=index, steps=8, strength=strength, job_frames=4)
        for index, strength in enumerate((0.3, 0.5, 0.7, 0.9))
    ]
    with calls_of(engine._pipe.unet) as rows:
        pictures = stepped(engine, sweep)
    assert set(rows) == {2}, "a frame and its guidance"
    for one, picture in zip(sweep, pictures, strict=True):
        assert np.array_equal(picture, plain.paint(one)), one
