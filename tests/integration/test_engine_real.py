"""The plain engine paints with real diffusers pipelines exactly what a plain call paints."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from numpy.typing import NDArray
from PIL import Image
from tiny_model import save_tiny_model

import img2imgd
from img2imgd.engine.diffusers_engine import DiffusersEngine
from img2imgd.engine.factory import create_engine
from img2imgd.engine.protocol import (
    Engine,
    EngineEvent,
    FrameGivenBack,
    FramePainted,
    FrameRefused,
    FrameTask,
    ModelSpec,
    StepDone,
)

# diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread"),
]

SIZE = 32
STEPS = 10


@pytest.fixture(scope="module", params=["epsilon", "v_prediction"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("model"), request.param)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Engine:
    made = create_engine("diffusers")
    made.load(ModelSpec("tiny", str(folder)))
    return made


@pytest.fixture(scope="module")
def plain(folder: Path) -> StableDiffusionImg2ImgPipeline:
    pipe = StableDiffusionImg2ImgPipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "in.png"
    Image.radial_gradient("L").resize((SIZE, SIZE)).convert("RGB").save(path)
    return path


def task(image: Path, **changes: object) -> FrameTask:
    """A frame; its effective steps follow from steps and strength."""
    plain = FrameTask("j1", 0, image, "a lake", "blurry", 11, 0.5, 7.5, STEPS, 1)
    changed = dataclasses.replace(plain, **changes)  # type: ignore[arg-type]
    effective = max(1, int(changed.steps * changed.strength))
    return dataclasses.replace(changed, effective_steps=effective)


def paint(engine: Engine, one: FrameTask) -> tuple[NDArray[np.uint8], list[EngineEvent]]:
    events: list[EngineEvent] = []
    engine.admit(one)
    while not engine.idle():
        engine.step(events.append)
    painted = events[-1]
    assert isinstance(painted, FramePainted), painted
    shape = (painted.height, painted.width, 3)
    return np.frombuffer(painted.pixels, np.uint8).reshape(shape), events


def paint_plainly(pipe: StableDiffusionImg2ImgPipeline, one: FrameTask) -> NDArray[np.uint8]:
    output: Any = pipe(
        one.prompt,
        image=Image.open(one.image),
        negative_prompt=one.negative_prompt,
        strength=one.strength,
        num_inference_steps=one.steps,
        guidance_scale=one.guidance_scale,
        generator=torch.Generator().manual_seed(one.seed),
    )
    return np.asarray(output.images[0])


@pytest.mark.parametrize("strength", [0.1, 0.29, 0.5, 0.83, 1.0])
def test_a_frame_is_bit_for_bit_what_a_plain_call_paints(
    engine: Engine, plain: StableDiffusionImg2ImgPipeline, image: Path, strength: float
) -> None:
    one = task(image, strength=strength)
    painted, events = paint(engine, one)
    assert np.array_equal(painted, paint_plainly(plain, one))
    steps = [event for event in events if isinstance(event, StepDone)]
    assert [step.step for step in steps] == list(range(1, one.effective_steps + 1))
    assert {step.steps for step in steps} == {one.effective_steps}


def test_a_guidance_scale_of_one_paints_without_guidance(
    engine: Engine, plain: StableDiffusionImg2ImgPipeline, image: Path
) -> None:
    one = task(image, guidance_scale=1.0)
    painted, _ = paint(engine, one)
    assert np.array_equal(painted, paint_plainly(plain, one))
    other, _ = paint(engine, task(image, guidance_scale=1.0, negative_prompt="a wood"))
    assert np.array_equal(painted, other)


def test_a_picture_that_is_not_square_keeps_its_size(
    engine: Engine, plain: StableDiffusionImg2ImgPipeline, tmp_path: Path
) -> None:
    wide = tmp_path / "wide.png"
    Image.linear_gradient("L").resize((48, 16)).convert("RGB").save(wide)
    one = task(wide)
    painted, _ = paint(engine, one)
    assert painted.shape == (16, 48, 3)
    assert np.array_equal(painted, paint_plainly(plain, one))


@pytest.mark.parametrize("change", [{"seed": 12}, {"strength": 1.0}])
def test_another_seed_or_strength_paints_another_picture(
    engine: Engine, image: Path, change: dict[str, object]
) -> None:
    first, _ = paint(engine, task(image))
    second, _ = paint(engine, task(image, **change))
    assert np.abs(first.astype(int) - second).max() > 30


def test_another_prompt_paints_another_picture(engine: Engine, image: Path) -> None:
    first, _ = paint(engine, task(image, strength=1.0))
    second, _ = paint(engine, task(image, strength=1.0, prompt="zzz"))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(("steps", "strength"), [(10, 0.05), (49, 1 / 49), (1, 0.5)])
def test_a_strength_too_low_for_a_step_runs_the_last_one(
    engine: Engine, plain: StableDiffusionImg2ImgPipeline, image: Path, steps: int, strength: float
) -> None:
    """A plain call at a strength that gives exactly one step is what it must equal."""
    one = task(image, steps=steps, strength=strength)
    assert int(steps * strength) == 0
    painted, events = paint(engine, one)
    assert [type(event) for event in events] == [StepDone, FramePainted]
    one_step = dataclasses.replace(one, strength=1.5 / steps if steps > 1 else 1.0)
    assert np.array_equal(painted, paint_plainly(plain, one_step))


def test_a_cancelled_frame_stops_at_the_end_of_its_step_and_the_next_is_painted(
    engine: Engine, plain: StableDiffusionImg2ImgPipeline, image: Path
) -> None:
    engine.admit(task(image, steps=50))
    engine.admit(task(image, index=1))
    other = task(image, job="j2")
    engine.admit(other)
    events: list[EngineEvent] = []

    def cancel_at_the_second_step(event: EngineEvent) -> None:
        events.append(event)
        if event == StepDone("j1", 0, 2, 25):
            engine.cancel("j1")

    while not engine.idle():
        engine.step(cancel_at_the_second_step)
    after = events.index(StepDone("j1", 0, 2, 25))
    assert {event.job for event in events[after + 1 :]} == {"j2"}
    assert [event for event in events if event.job == "j1" and event.index == 0] == [
        StepDone("j1", 0, 1, 25), StepDone("j1", 0, 2, 25),
    ]  # fmt: skip
    painted = events[-1]
    assert isinstance(painted, FramePainted)
    assert painted.pixels == paint_plainly(plain, other).tobytes()


def test_a_job_that_was_cancelled_can_be_admitted_again(engine: Engine, image: Path) -> None:
    engine.admit(task(image))
    engine.cancel("j1")
    assert engine.idle()
    paint(engine, task(image))


@pytest.mark.parametrize(
    "scheduler", ["euler_a", "ddim", "heun", "lms", "pndm", "unipc", "dpm++_2m_karras", "lcm"]
)
def test_every_kind_of_scheduler_counts_its_steps_to_the_end(
    folder: Path, image: Path, scheduler: str
) -> None:
    engine = create_engine("diffusers")
    engine.load(ModelSpec("tiny", str(folder), scheduler=scheduler))
    for strength in (0.05, 0.5, 1.0):
        one = task(image, strength=strength)
        _, events = paint(engine, one)
        assert events[-2] == StepDone("j1", 0, one.effective_steps, one.effective_steps)
        steps = [event.step for event in events if isinstance(event, StepDone)]
        assert steps == sorted(steps)
        assert set(steps) == set(range(1, one.effective_steps + 1))


def test_a_file_that_is_no_picture_is_refused(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    engine.admit(task(tmp_path / "broken.png"))
    events: list[EngineEvent] = []
    engine.step(events.append)
    (refused,) = events
    assert isinstance(refused, FrameRefused)
    assert "broken.png is no picture" in refused.reason


class Faulty:
    """Stands in front of a pipeline and raises what a device raises, in its first call."""

    def __init__(self, engine: DiffusersEngine, error: Exception) -> None:
        self.engine = engine
        self.error = error

    def first_event(self, one: FrameTask) -> EngineEvent:
        unet: Any = self.engine._pipe.unet

        def fail(*_: object) -> None:
            raise self.error

        hook = unet.register_forward_pre_hook(fail)
        events: list[EngineEvent] = []
        self.engine.admit(one)
        while not self.engine.idle():
            self.engine.step(events.append)
        hook.remove()
        (event,) = events
        return event


def test_memory_that_runs_out_refuses_the_frame_and_says_what_to_do(
    engine: DiffusersEngine, image: Path
) -> None:
    def allocate_too_much() -> Exception:
        try:
            torch.empty(2**60, dtype=torch.uint8)
        except RuntimeError as error:
            return error
        raise AssertionError("there is no machine with that much memory")

    freed: list[None] = []
    free = engine._pipe.maybe_free_model_hooks
    engine._pipe.maybe_free_model_hooks = lambda: freed.append(None) or free()
    for at, error in enumerate((
        allocate_too_much(),
        torch.OutOfMemoryError("CUDA out of memory."),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
    )):  # fmt: skip
        event = Faulty(engine, error).first_event(task(image))
        assert isinstance(event, FrameRefused)
        assert event.out_of_memory
        assert "smaller size" in event.reason
        assert f"{SIZE}×{SIZE}" in event.reason
        assert len(freed) == at + 2, "what accelerate holds on the device is let go"
    del engine._pipe.maybe_free_model_hooks
    paint(engine, task(image))


def test_a_lost_device_gives_the_frame_back_and_asks_for_a_new_process(
    engine: DiffusersEngine, image: Path
) -> None:
    error = torch.AcceleratorError("CUDA error: unspecified launch failure\nmore about it")
    event = Faulty(engine, error).first_event(task(image))
    assert event == FrameGivenBack(
        "j1", 0, "The device has failed: CUDA error: unspecified launch failure.", engine_lost=True
    )


def test_a_fault_that_a_library_tells_in_its_own_words_is_the_lost_device_that_it_is(
    engine: DiffusersEngine, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU after a device-side assertion, when a convolution is what comes next."""

    def synchronize(device: torch.device) -> None:
        raise torch.AcceleratorError("CUDA error: device-side assert triggered")

    def told() -> EngineEvent:
        error = RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED")
        return Faulty(engine, error).first_event(task(image))

    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: None)
    monkeypatch.setattr(engine._painter._judge, "_device", torch.device("cuda"))
    assert isinstance(told(), FrameRefused), "the device answers: it is the frame's own"
    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    assert told() == FrameGivenBack(
        "j1",
        0,
        "The device has failed: CUDA error: device-side assert triggered.",
        engine_lost=True,
    )


def test_any_other_fault_of_one_frame_is_told_and_the_next_is_painted(
    engine: DiffusersEngine, image: Path
) -> None:
    event = Faulty(engine, ValueError("odd size\nof latents")).first_event(task(image))
    assert event == FrameRefused("j1", 0, "The model could not paint it (ValueError: odd size).")
    paint(engine, task(image))


def test_the_embedded_model_paints_in_fp32_at_its_native_size(tmp_path: Path) -> None:
    demo = Path(img2imgd.__file__).parent / "demo_model"
    engine = create_engine("diffusers")
    info = engine.load(ModelSpec("demo", str(demo), offline=True, device="cpu"))
    assert (info.native_size, info.multiple) == (256, 64)
    assert (info.device, info.dtype) == ("cpu", "float32")
    assert info.pipeline == "StableDiffusionImg2ImgPipeline"
    image = tmp_path / "in.png"
    Image.radial_gradient("L").resize((256, 192)).convert("RGB").save(image)
    one = task(image, strength=0.3)
    painted, _ = paint(engine, one)
    assert painted.shape == (192, 256, 3)
    pipe = StableDiffusionImg2ImgPipeline.from_pretrained(demo, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    assert np.array_equal(painted, paint_plainly(pipe, one))
