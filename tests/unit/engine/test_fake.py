"""The fake engine paints pictures that depend on everything a real one's depend on."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from img2imgd.engine.factory import create_engine
from img2imgd.engine.fake import FakeEngine
from img2imgd.engine.protocol import (
    EngineEvent,
    FrameGivenBack,
    FramePainted,
    FrameRefused,
    FrameTask,
    ModelSpec,
    ModelUnavailable,
    StepDone,
)
from img2imgd.errors import UsageError


def picture(folder: Path, colour: tuple[int, int, int] = (10, 200, 90)) -> Path:
    path = folder / f"{'-'.join(map(str, colour))}.png"
    Image.linear_gradient("L").resize((64, 48)).convert("RGB").save(path)
    with Image.open(path) as gradient:
        Image.blend(gradient, Image.new("RGB", (64, 48), colour), 0.5).save(path)
    return path


def task(image: Path, **changes: object) -> FrameTask:
    plain = FrameTask(
        job="j1",
        index=0,
        image=image,
        prompt="a lake",
        negative_prompt="blurry",
        seed=7,
        strength=0.5,
        guidance_scale=7.5,
        steps=4,
        effective_steps=2,
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def paint(engine: FakeEngine, *tasks: FrameTask) -> list[EngineEvent]:
    events: list[EngineEvent] = []
    for one in tasks:
        engine.admit(one)
    while not engine.idle():
        engine.step(events.append)
    return events


def pixels(one: FrameTask) -> bytes:
    painted = paint(FakeEngine(), one)[-1]
    assert isinstance(painted, FramePainted)
    return painted.pixels


def test_the_same_task_gives_the_same_picture(tmp_path: Path) -> None:
    image = picture(tmp_path)
    assert pixels(task(image)) == pixels(task(image, job="another", index=5))


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "a wood"},
        {"negative_prompt": ""},
        {"seed": 8},
        {"strength": 0.6},
        {"guidance_scale": 1.0},
        {"steps": 5},
        {"scheduler": "euler_a"},
    ],
)
def test_another_request_gives_another_picture(tmp_path: Path, change: dict[str, object]) -> None:
    image = picture(tmp_path)
    assert pixels(task(image, **change)) != pixels(task(image))


def test_another_input_gives_another_picture(tmp_path: Path) -> None:
    assert pixels(task(picture(tmp_path))) != pixels(task(picture(tmp_path, (250, 0, 0))))


def test_the_output_has_the_size_of_the_input(tmp_path: Path) -> None:
    painted = paint(FakeEngine(), task(picture(tmp_path)))[-1]
    assert isinstance(painted, FramePainted)
    assert (painted.width, painted.height, len(painted.pixels)) == (64, 48, 64 * 48 * 3)


def test_each_step_is_one_denoising_step_of_the_oldest_frame(tmp_path: Path) -> None:
    image = picture(tmp_path)
    events = paint(FakeEngine(), task(image), task(image, index=1, effective_steps=1))
    assert [(type(event), event.index) for event in events] == [
        (StepDone, 0),
        (StepDone, 0),
        (FramePainted, 0),
        (StepDone, 1),
        (FramePainted, 1),
    ]
    assert events[1] == StepDone("j1", 0, 2, 2)


def test_a_job_cancelled_within_a_report_says_no_more(tmp_path: Path) -> None:
    image = picture(tmp_path)
    engine = FakeEngine()
    for index in range(3):
        engine.admit(task(image, index=index))
    engine.admit(task(image, job="j2", effective_steps=1))
    events: list[EngineEvent] = []

    def report(event: EngineEvent) -> None:
        events.append(event)
        if event.job == "j1":
            engine.cancel("j1")

    while not engine.idle():
        engine.step(report)
    assert [(type(event), event.job) for event in events] == [
        (StepDone, "j1"),
        (StepDone, "j2"),
        (FramePainted, "j2"),
    ]
    assert events[1] == StepDone("j2", 0, 1, 1)


def test_a_file_that_is_no_picture_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n")
    refused = paint(FakeEngine(), task(tmp_path / "broken.png"))[-1]
    assert isinstance(refused, FrameRefused)
    assert "broken.png" in refused.reason


def test_a_picture_that_is_gone_gives_the_frame_back(tmp_path: Path) -> None:
    event = paint(FakeEngine(), task(tmp_path / "gone.png"))[-1]
    assert isinstance(event, FrameGivenBack)
    assert "gone.png: No such file or directory" in event.reason
    assert not event.engine_lost


def test_a_model_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"nothing at .*absent"):
        FakeEngine().load(ModelSpec("mine", str(tmp_path / "absent")))


def test_a_backend_of_no_engine_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UsageError, match="diffusers, fake"):
        create_engine("tea")


def test_the_engine_of_a_process_can_be_chosen_without_importing_torch() -> None:
    program = (
        "import sys, img2imgd.engine, img2imgd.engine.factory as f; f.create_engine('fake');"
        "print([m for m in ('torch', 'diffusers', 'transformers', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
