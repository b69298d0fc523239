"""What the stepper does once for many frames, who shares whose calls, and who pays for a fault."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engines import difference, events_of, spec, task
from PIL import Image
from plainly import calls_of, pixels, stepped
from tiny_families import save_family

from img2imgd.engine.diffusers_engine import DiffusersEngine
from img2imgd.engine.protocol import (
    EngineEvent,
    FrameGivenBack,
    FramePainted,
    FrameRefused,
    FrameTask,
    StepDone,
)
from img2imgd.engine.stepping import images, stepper, texts
from img2imgd.engine.stepping.stepper import Stepper

pytestmark = [
    # diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
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


def sweep(image: Path, **changes: object) -> list[FrameTask]:
    """Eight frames of one job, one of each strength, of at most ten steps."""
    strengths = [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 1.0]
    return [
        task(image, index=index, strength=strength, steps=10, job_frames=8, **changes)
        for index, strength in enumerate(strengths)
    ]


def test_a_sweep_encodes_its_picture_and_its_texts_once(
    engine: DiffusersEngine, image: Path
) -> None:
    pipe = engine._pipe
    with calls_of(pipe.text_encoder) as read, calls_of(pipe.vae.encoder) as seen:
        stepped(engine, sweep(image))
    assert (len(read), len(seen)) == (2, 1)


def test_the_same_picture_under_another_name_is_not_encoded_again(
    engine: DiffusersEngine, image: Path, tmp_path: Path
) -> None:
    first, *_ = stepped(engine, [task(image)])
    shutil.copy(image, tmp_path / "again.png")
    with calls_of(engine._pipe.vae.encoder) as seen:
        again, *_ = stepped(engine, [task(tmp_path / "again.png", job="j2")])
    assert seen == []
    assert difference(first, again) == 0


def test_another_picture_under_the_same_name_is_another(
    engine: DiffusersEngine, image: Path, wide: Path, tmp_path: Path
) -> None:
    shutil.copy(image, tmp_path / "in.png")
    first, *_ = stepped(engine, [task(tmp_path / "in.png")])
    (tmp_path / "in.png").unlink()
    Image.open(wide).resize((32, 32)).save(tmp_path / "in.png")
    with calls_of(engine._pipe.vae.encoder) as seen:
        second, *_ = stepped(engine, [task(tmp_path / "in.png")])
    assert seen == [1]
    assert difference(first, second) > 0


def test_no_more_encodings_are_kept_than_is_said(
    engine: DiffusersEngine, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "KEPT", 3)
    monkeypatch.setattr(images, "KEPT", 1)
    prompts = ["a", "b", "c", "d", "d"]
    with calls_of(engine._pipe.text_encoder) as read:
        for prompt in prompts:
            stepped(engine, [task(image, prompt=prompt)])
    assert len(read) == 5, "four prompts, and the negative one, which was asked for each time"
    assert len(engine._painter._texts._made) == 3
    stepped(engine, [task(image, prompt="lake " * 90, guidance_scale=1.0)])
    (left,) = engine._painter._texts._made.values()
    assert left.chunks > 3, "it takes the room of several"
    assert len(engine._painter._images._encoded) == 1


def test_a_picture_that_comes_amid_a_sweep_is_in_the_next_call_and_finished_first(
    engine: DiffusersEngine, image: Path
) -> None:
    events: list[EngineEvent] = []
    for one in sweep(image):
        engine.admit(one)
    engine.step(events.append)
    engine.step(events.append)
    engine.admit(task(image, job="late", steps=5))
    engine._painter._pictures.open(task(image)).result()
    engine.step(events.append)
    assert StepDone("late", 0, 1, 4) in events
    while not engine.idle():
        engine.step(events.append)
    order = [event.job for event in events if isinstance(event, FramePainted)]
    assert order.index("late") < len(order) - 1, "not behind the whole sweep"


@pytest.fixture
def bad_prompt(engine: DiffusersEngine) -> Callable[[Exception], Any]:
    """Has every UNet call fail that holds a frame with the prompt ``bad``."""

    def fail(error: Exception) -> Any:
        with torch.inference_mode():
            bad = engine._painter._texts.embedding("bad").hidden

        def look(_: object, __: object, given: dict[str, Any]) -> None:
            hidden = given["encoder_hidden_states"]
            if any(torch.equal(row, bad[0]) for row in hidden):
                raise error

        return engine._pipe.unet.register_forward_pre_hook(look, with_kwargs=True)

    return fail


def test_a_frame_that_fails_costs_no_other_frame_of_its_calls(
    engine: DiffusersEngine, image: Path, bad_prompt: Callable[[Exception], Any]
) -> None:
    good = sweep(image)
    undisturbed = stepped(engine, good)
    bad_prompt(ValueError("an odd prompt"))
    bad = task(image, job="j2", prompt="bad", steps=10)
    events = events_of(engine, *good[:4], bad, *good[4:])
    (refused,) = [event for event in events if isinstance(event, FrameRefused)]
    assert refused == FrameRefused(
        "j2", 0, "The model could not paint it (ValueError: an odd prompt)."
    )
    painted = {event.index: pixels(event) for event in events if isinstance(event, FramePainted)}
    assert len(painted) == 8
    for index, picture in painted.items():
        assert difference(picture, undisturbed[index]) <= 1


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_a_picture_of_numbers_out_of_range_is_refused_alone(
    engine: DiffusersEngine, image: Path, number: str
) -> None:
    """As fp16 does that overflows: a black picture would come of it, or a white one."""

    def spoil(_: object, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        nonlocal decoded
        decoded += 1
        return output + float(number) if decoded == 3 else output

    decoded = 0
    engine._pipe.vae.decoder.register_forward_hook(spoil)
    events = events_of(engine, *sweep(image))
    (refused,) = [event for event in events if isinstance(event, FrameRefused)]
    assert "would be black" in refused.reason
    assert sum(isinstance(event, FramePainted) for event in events) == 7


@pytest.mark.parametrize("file", ["missing.png", "cut.png"])
def test_frames_of_a_picture_that_cannot_be_opened_have_an_event_each(
    engine: DiffusersEngine, image: Path, tmp_path: Path, file: str
) -> None:
    (tmp_path / "cut.png").write_bytes(image.read_bytes()[:-200])
    path = tmp_path / file
    frames = [task(path, job=job, index=index) for job in ("j1", "j2") for index in range(3)]
    events = events_of(engine, *frames, task(image, job="j3"))
    ends = [event for event in events if not isinstance(event, StepDone)]
    of_those = FrameRefused if file == "cut.png" else FrameGivenBack
    told = sorted((event.job, event.index) for event in ends if isinstance(event, of_those))
    assert told == [(frame.job, frame.index) for frame in frames]
    assert [event.job for event in ends if isinstance(event, FramePainted)] == ["j3"]


def test_a_lost_device_asks_for_a_new_process_at_once(
    engine: DiffusersEngine, image: Path, bad_prompt: Callable[[Exception], Any]
) -> None:
    bad_prompt(torch.AcceleratorError("CUDA error: unspecified launch failure"))
    for one in [*sweep(image), task(image, job="j2", prompt="bad")]:
        engine.admit(one)
    events: list[EngineEvent] = []
    while not any(isinstance(event, FrameGivenBack) for event in events):
        engine.step(events.append)
    assert events[-1].engine_lost  # type: ignore[union-attr]


def test_frames_given_up_from_within_a_report_say_nothing_more(
    engine: DiffusersEngine, image: Path
) -> None:
    events: list[EngineEvent] = []

    def report(event: EngineEvent) -> None:
        events.append(event)
        if event == StepDone("j1", 1, 2, 2):
            engine.cancel("j1")

    for one in [*sweep(image), task(image, job="j2")]:
        engine.admit(one)
    while not engine.idle():
        engine.step(report)
    cut = events.index(StepDone("j1", 1, 2, 2))
    assert {event.job for event in events[cut + 1 :]} == {"j2"}
    assert isinstance(events[-1], FramePainted)


def test_one_frame_is_encoded_ahead_and_no_more(engine: DiffusersEngine, image: Path) -> None:
    """A folder of pictures: the first is not to wait until all others are encoded."""
    engine._painter._capping.most_rows = lambda _: 2
    encoded: list[int] = []
    engine._pipe.vae.encoder.register_forward_pre_hook(lambda *_: encoded.append(1))
    most: list[int] = []
    for index in range(6):
        path = image.with_name(f"ahead{index}.png")
        Image.new("RGB", (32, 32), (40 * index, 0, 0)).save(path)
        engine.admit(task(path, job=f"j{index}"))
    painted: list[EngineEvent] = []

    def report(event: EngineEvent) -> None:
        if isinstance(event, FramePainted):
            painted.append(event)
            most.append(len(encoded) - len(painted))

    while not engine.idle():
        engine.step(report)
    assert len(encoded) == 6
    assert max(most) <= 1


def test_a_phase_of_an_offloaded_model_has_an_end(
    folder: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stepper, "PHASE", 3)
    phased = DiffusersEngine()
    phased.load(spec(folder))
    phased._painter = Stepper(phased._pipe, torch.device("cpu"), phased=True)
    single = task(image, job="j2", strength=0.2)
    events = events_of(phased, *sweep(image), single)
    order = [event.job for event in events if isinstance(event, FramePainted)]
    assert order.index("j2") < 3, "it is of the first phase, since it is short"
    assert len(order) == 9


def test_with_offload_each_part_of_the_model_has_its_turn(folder: Path, image: Path) -> None:
    """A part that is not in use waits in main memory: turns cost a copy of its weights each."""
    plain, phased = DiffusersEngine(), DiffusersEngine()
    plain.load(spec(folder))
    phased.load(spec(folder))
    pipe = phased._pipe
    phased._painter = Stepper(pipe, torch.device("cpu"), phased=True)
    turns: list[str] = []
    parts = {
        "text": pipe.text_encoder, "encoder": pipe.vae.encoder, "unet": pipe.unet,
        "decoder": pipe.vae.decoder,
    }  # fmt: skip
    for name, part in parts.items():
        part.register_forward_pre_hook(lambda *_, name=name: turns.append(name))
    tasks = [
        dataclasses.replace(one, prompt=f"a lake {one.index}", job=f"j{one.index}")
        for one in sweep(image)
    ]
    pictures = stepped(phased, tasks)
    assert [one for one, before in zip(turns, ["", *turns], strict=False) if one != before] == [
        "text", "encoder", "unet", "decoder",
    ]  # fmt: skip
    for one, other in zip(pictures, stepped(plain, tasks), strict=True):
        assert difference(one, other) <= 1
    assert np.std(pictures[-1]) > 2
