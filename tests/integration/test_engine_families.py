"""Families beyond Stable Diffusion up to XL: one pipeline call a frame, by the same five verbs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import AutoPipelineForImage2Image
from engines import Pixels, difference, events_of, paint, spec, task
from PIL import Image
from tiny_families import save_family

from img2imgd.engine.factory import create_engine
from img2imgd.engine.protocol import (
    Engine,
    EngineEvent,
    FrameGivenBack,
    FramePainted,
    FrameRefused,
    FrameTask,
    ModelInfo,
    StepDone,
)

pytestmark = pytest.mark.usefixtures("one_thread")

FAMILIES = {
    "sd3": "StableDiffusion3Img2ImgPipeline",
    "flux": "FluxImg2ImgPipeline",
    "qwenimage": "QwenImageImg2ImgPipeline",
    "zimage": "ZImageImg2ImgPipeline",
}
TRANSFORMERS = {
    "sd3": "SD3Transformer2DModel",
    "flux": "FluxTransformer2DModel",
    "qwenimage": "QwenImageTransformer2DModel",
    "zimage": "ZImageTransformer2DModel",
}
GUIDANCE = {"qwenimage": "true_cfg_scale"}
SIZE = 32


@dataclasses.dataclass(frozen=True)
class Served:
    """A family's engine with its model loaded, and the plain pipeline of the same folder."""

    family: str
    engine: Engine
    info: ModelInfo
    plain: Any


@pytest.fixture(scope="module", params=FAMILIES)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = save_family(request.param, tmp_path_factory.mktemp("model") / request.param)
    engine = create_engine("diffusers")
    info = engine.load(spec(folder))
    plain: Any = AutoPipelineForImage2Image.from_pretrained(folder)
    plain.set_progress_bar_config(disable=True)
    return Served(request.param, engine, info, plain)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "in.png"
    Image.radial_gradient("L").resize((SIZE, SIZE)).convert("RGB").save(path)
    return path


def painted_plainly(served: Served, one: FrameTask, **changes: object) -> Pixels:
    """What the family's pipeline paints when it is called as its own documentation has it."""
    arguments: dict[str, Any] = {
        "prompt": one.prompt,
        "image": Image.open(one.image),
        "height": SIZE,
        "width": SIZE,
        "strength": one.strength,
        "num_inference_steps": one.steps,
        GUIDANCE.get(served.family, "guidance_scale"): one.guidance_scale,
        "generator": torch.Generator().manual_seed(one.seed),
    }
    if served.family != "flux":
        arguments["negative_prompt"] = one.negative_prompt
    output = served.plain(**arguments | changes)
    return np.asarray(output.images[0]).astype(np.int16)


def steps_of(events: list[EngineEvent]) -> list[tuple[int, int]]:
    return [(event.step, event.steps) for event in events if isinstance(event, StepDone)]


def test_the_family_is_told_with_its_sizes(served: Served) -> None:
    assert served.info.family == served.family
    assert served.info.pipeline == FAMILIES[served.family]
    assert served.info.multiple == 4  # an autoencoder of factor 2, patches of side 2
    if served.family == "zimage":  # its files tell no size; Flux and Qwen-Image say 128 latents
        assert served.info.native_size == 1024


@pytest.mark.parametrize("strength", [0.2, 0.6, 1.0])
def test_a_frame_is_bit_for_bit_what_a_plain_call_paints(
    served: Served, image: Path, strength: float
) -> None:
    one = task(image, strength=strength)
    painted, events = paint(served.engine, one)
    assert difference(painted, painted_plainly(served, one)) == 0
    count = one.effective_steps
    assert steps_of(events) == [(step, count) for step in range(1, count + 1)]
    assert len(events) == count


def test_a_picture_that_is_not_square_keeps_its_size(served: Served, tmp_path: Path) -> None:
    wide = tmp_path / "wide.png"
    Image.linear_gradient("L").resize((48, 16)).convert("RGB").save(wide)
    one = task(wide)
    painted, _ = paint(served.engine, one)
    assert painted.shape == (16, 48, 3)
    assert difference(painted, painted_plainly(served, one, height=16, width=48)) == 0


def test_another_seed_or_prompt_paints_another_picture(served: Served, image: Path) -> None:
    first, _ = paint(served.engine, task(image))
    other, _ = paint(served.engine, task(image, seed=4))
    assert difference(first, other) > 30
    told, _ = paint(served.engine, task(image, prompt="zz zz, qq"))
    assert difference(first, told) > 2


@pytest.mark.parametrize("strength", [0.5, 0.75])
def test_as_many_steps_run_as_were_told_where_the_strength_lies_between_two(
    served: Served, image: Path, strength: float
) -> None:
    """Diffusers rounds up in these families; the count is made before a model is known."""
    one = task(image, strength=strength)
    count = int(5 * strength)
    painted, events = paint(served.engine, one)
    assert steps_of(events) == [(step, count) for step in range(1, count + 1)]
    assert difference(painted, painted_plainly(served, one, strength=count / 5)) == 0
    assert difference(painted, painted_plainly(served, one)) > 5


@pytest.mark.parametrize(("steps", "strength"), [(10, 0.05), (49, 1 / 49), (1, 0.5)])
def test_a_strength_too_low_for_a_step_runs_the_last_one(
    served: Served, image: Path, steps: int, strength: float
) -> None:
    one = task(image, steps=steps, strength=strength)
    assert int(steps * strength) == 0
    painted, events = paint(served.engine, one)
    assert steps_of(events) == [(1, 1)]
    assert difference(painted, painted_plainly(served, one, strength=1 / steps)) == 0


def test_a_cancelled_frame_stops_at_the_end_of_its_step_and_the_next_is_painted(
    served: Served, image: Path
) -> None:
    other = task(image, job="j2")
    for frame in (task(image, steps=40), task(image, index=1), other):
        served.engine.admit(frame)
    events: list[EngineEvent] = []

    def cancel_at_the_second_step(event: EngineEvent) -> None:
        events.append(event)
        if event == StepDone("j1", 0, 2, 32):
            served.engine.cancel("j1")

    while not served.engine.idle():
        served.engine.step(cancel_at_the_second_step)
    assert [event.job for event in events] == ["j1"] * 2 + ["j2"] * 5
    painted = events[-1]
    assert isinstance(painted, FramePainted)
    assert painted.pixels == painted_plainly(served, other).astype(np.uint8).tobytes()


@pytest.fixture
def failing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Mapping[int, Exception]], list[int]]:
    """Lets calls of the transformer, counted from 1, raise what a device raises."""
    kind: Any = getattr(diffusers, TRANSFORMERS[served.family])
    forward = kind.forward

    def fail(errors: Mapping[int, Exception]) -> list[int]:
        calls: list[int] = []

        def counted(*args: Any, **kwargs: Any) -> Any:
            calls.append(len(calls) + 1)
            if len(calls) in errors:
                raise errors[len(calls)]
            return forward(*args, **kwargs)

        monkeypatch.setattr(kind, "forward", counted)
        return calls

    return fail


def out_of_memory() -> Exception:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.")


def test_memory_that_runs_out_once_is_answered_with_a_second_try(
    served: Served, tmp_path: Path, failing: Callable[[Mapping[int, Exception]], list[int]]
) -> None:
    """Of a size that no other test paints: what memory did not hold is remembered."""
    Image.radial_gradient("L").resize((40, 40)).convert("RGB").save(tmp_path / "in.png")
    failing({2: out_of_memory()})
    *_, painted = events_of(served.engine, task(tmp_path / "in.png"))
    assert isinstance(painted, FramePainted)
    assert "40×40" in painted.note
    assert "autoencoder in tiles" in painted.note


def test_memory_that_never_suffices_refuses_the_frame_and_the_next_is_painted(
    served: Served, tmp_path: Path, failing: Callable[[Mapping[int, Exception]], list[int]]
) -> None:
    Image.radial_gradient("L").resize((24, 24)).convert("RGB").save(tmp_path / "in.png")
    frame = task(tmp_path / "in.png")
    failing({1: out_of_memory(), 2: out_of_memory()})
    refused, *_, painted = events_of(served.engine, frame, dataclasses.replace(frame, index=1))
    assert isinstance(refused, FrameRefused)
    assert refused.out_of_memory
    assert "ran out at 24×24" in refused.reason
    assert isinstance(painted, FramePainted)


def test_a_lost_device_gives_the_frame_back_and_asks_for_a_new_process(
    served: Served, image: Path, failing: Callable[[Mapping[int, Exception]], list[int]]
) -> None:
    failing({1: torch.AcceleratorError("CUDA error: unspecified launch failure\nmore about it")})
    assert events_of(served.engine, task(image)) == [
        FrameGivenBack(
            "j1", 0, "The device has failed: CUDA error: unspecified launch failure.", True
        )
    ]


def test_any_other_fault_of_one_frame_is_told_and_the_next_is_painted(
    served: Served, image: Path, failing: Callable[[Mapping[int, Exception]], list[int]]
) -> None:
    failing({2: ValueError("odd size\nof latents")})
    events = events_of(served.engine, task(image), task(image, index=1))
    assert [event for event in events if not isinstance(event, StepDone)] == [
        FrameRefused("j1", 0, "The model could not paint it (ValueError: odd size)."),
        events[-1],
    ]
    assert isinstance(events[-1], FramePainted)


def test_a_named_scheduler_is_refused_with_those_that_can_be_had(
    served: Served, image: Path
) -> None:
    for name in ("own", "euler"):
        assert isinstance(
            events_of(served.engine, task(image, scheduler=name))[-1], FramePainted
        ), name
    (refused,) = events_of(served.engine, task(image, scheduler="dpm++_2m_karras"))
    assert isinstance(refused, FrameRefused)
    assert "dpm++_2m_karras" in refused.reason
    assert refused.reason.endswith("Ask for one of: own, euler.")


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_a_picture_of_numbers_out_of_range_is_refused_alone(
    served: Served, image: Path, number: str
) -> None:
    def spoil(_: object, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        spoilt = output.clone()
        spoilt[..., 5, 5] = float(number)
        return spoilt

    before = paint(served.engine, task(image))[0]
    pipe: Any = served.engine._pipe  # type: ignore[attr-defined]
    hook = pipe.vae.decoder.conv_out.register_forward_hook(spoil)
    *_, refused = events_of(served.engine, task(image))
    hook.remove()
    assert isinstance(refused, FrameRefused), refused
    assert "would be black or white" in refused.reason
    assert difference(paint(served.engine, task(image))[0], before) == 0
