"""A running job: its tasks, staged paths, equal frames and GIFs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from img2imgd.config import Config
from img2imgd.config.sections import (
    EmbeddingConfig,
    EngineConfig,
    LoraConfig,
    ModelConfig,
    RefinerConfig,
)
from img2imgd.dispatch import model_spec
from img2imgd.dispatch.running import RunningJob
from img2imgd.engine.protocol import RefinerSpec
from img2imgd.job import FrameState, JobState, plan_frames
from img2imgd.ledger import FileEntry, JobRow, JobSpec, Outputs
from img2imgd.outputs.names import folder_name, frame_names
from img2imgd.request import GifSettings, Request

TEMPLATE = "{stem}_{index:02}"


def job_of(outbox: Path, **changes: object) -> RunningJob:
    values: dict[str, object] = {
        "prompt": "a lake", "negative_prompt": "", "strength": 0.5, "guidance_scale": 7.5,
        "steps": 10, "seed": 7, "model": "demo",
    }  # fmt: skip
    request = Request(**(values | changes))  # type: ignore[arg-type]
    frames = plan_frames(request)
    names = frame_names(TEMPLATE, ".png", "JOB", "cat", "a lake", frames)
    folder = folder_name(TEMPLATE, "JOB", "cat", "a lake", frames[0])
    spec = JobSpec(
        id="JOB", inbox="/in", rel="cat.png", mode="move",
        files=(FileEntry("picture", "cat.png", "/in/cat.png", "move", 1, 1, 1),),
        request=request, outputs=Outputs("", folder if names[1:] else names[0], names),
    )  # fmt: skip
    row = JobRow(spec, JobState.QUEUED, 0, None, None, 0, False, "", "", None, False)
    return RunningJob.begin(row, outbox, Path("/in/prepared.png"))


def stage(job: RunningJob, *indexes: int) -> None:
    for index in indexes:
        job.staged_path(index).write_bytes(f"frame {index}".encode())


def test_a_single_frame_is_a_file_and_several_are_a_folder(tmp_path: Path) -> None:
    single = job_of(tmp_path)
    assert single.staged_path(0) == tmp_path / ".img2imgd/JOB/cat_00.png"
    several = job_of(tmp_path, n=2)
    assert several.staged_path(1) == tmp_path / ".img2imgd/JOB/cat/cat_01.png"
    assert several.staged_path(1).parent.is_dir()


def test_a_task_is_the_frame_with_the_prepared_picture(tmp_path: Path) -> None:
    task = job_of(tmp_path, n=2, styles=("ink",), strength=0.75).task(1)
    assert (task.job, task.index, task.image) == ("JOB", 1, Path("/in/prepared.png"))
    assert (task.prompt, task.seed, task.steps, task.effective_steps) == ("a lake by ink", 8, 10, 7)


def test_frames_that_are_staged_are_not_to_be_painted(tmp_path: Path) -> None:
    job = job_of(tmp_path, sweep={"strength": (0.2, 0.4, 0.45, 0.6)})
    assert job.to_paint == [0, 1, 3]
    stage(job, 1)
    assert job_of(tmp_path, sweep={"strength": (0.2, 0.4, 0.45, 0.6)}).to_paint == [0, 3]


def test_equal_frames_get_files_of_their_own_or_the_same_refusal(tmp_path: Path) -> None:
    job = job_of(tmp_path, sweep={"strength": (0.2, 0.25, 0.4, 0.45)})
    stage(job, 0)
    job.refused[2] = "no room"
    assert job.copy_equal_frames() == {1: FrameState.STAGED, 3: FrameState.FAILED}
    assert job.staged_path(1).read_bytes() == b"frame 0"
    assert job.refused == {2: "no room", 3: "no room"}
    assert sorted(path.name for path in job.staged_path(0).parent.iterdir()) == [
        "cat_00.png", "cat_01.png",
    ]  # fmt: skip


def test_a_sweep_has_a_gif_for_each_style_and_variation(tmp_path: Path) -> None:
    job = job_of(tmp_path, styles=("ink", "oil"), n=2, sweep={"strength": (0.2, 0.4)})
    made = [
        (target.name, [path.name for path in paths]) for target, paths in job.animations_to_make()
    ]
    assert made == [
        (f"cat_morph_{number}.gif", [f"cat_0{2 * number}.png", f"cat_0{2 * number + 1}.png"])
        for number in range(4)
    ]


def test_a_gif_that_is_there_is_not_made_again_and_refused_frames_are_not_in_it(
    tmp_path: Path,
) -> None:
    job = job_of(tmp_path, sweep={"strength": (0.2, 0.4, 0.6)})
    job.refused[1] = "no room"
    ((target, paths),) = job.animations_to_make()
    assert (target.name, len(paths)) == ("cat_morph.gif", 2)
    target.touch()
    assert job.animations_to_make() == []


@pytest.mark.parametrize(
    "changes",
    [{}, {"n": 3}, {"sweep": {"strength": (0.2, 0.4)}, "gif": None},
     {"sweep": {"strength": (0.2, 0.4), "guidance_scale": (3, 9)}}],
)  # fmt: skip
def test_no_gif_where_none_is_wanted(tmp_path: Path, changes: dict[str, object]) -> None:
    assert job_of(tmp_path, **changes).animations_to_make() == []


def test_a_gif_asked_for_without_a_sweep_shows_the_variations(tmp_path: Path) -> None:
    job = job_of(tmp_path, n=3, gif=GifSettings(), gif_asked=True)
    ((target, paths),) = job.animations_to_make()
    assert (target.name, len(paths)) == ("cat_morph.gif", 3)


def test_a_model_is_its_row_of_the_table_with_the_engines_settings(
    make_config: Callable[..., Config],
) -> None:
    loras = (LoraConfig(source="ink.safetensors", weight=0.5),)
    row = ModelConfig(source="weights.safetensors", scheduler="ddim", size=512, loras=loras)
    spec = model_spec(make_config(models={"mine": row}, offline=True), "mine")
    assert (spec.name, spec.source, spec.scheduler) == ("mine", "weights.safetensors", "ddim")
    assert [(lora.source, lora.weight) for lora in spec.loras] == [("ink.safetensors", 0.5)]
    assert (spec.offline, spec.device, spec.dtype, spec.offload) == (True, "auto", "auto", "none")


def test_a_models_extras_reach_the_engine(make_config: Callable[..., Config]) -> None:
    row = ModelConfig(
        source="a/b",
        embeddings=(
            EmbeddingConfig(source="/e/EasyInk.v2.safetensors"),
            EmbeddingConfig(source="ada/word"),
            EmbeddingConfig(source="/e/x.safetensors", token="<x>"),  # noqa: S106 - a word, no password
        ),
        refiner=RefinerConfig(source="/r.safetensors", start=0.7, config="/c"),
        prediction="v_prediction",
        safety_checker=True,
    )
    engine = EngineConfig(attention="eager", vae_slicing=True, vae_tiling=False)
    config = make_config(models={"mine": row}, engine=engine)
    spec = model_spec(config, "mine")
    assert [one.token for one in spec.embeddings] == ["EasyInk.v2", "word", "<x>"]
    assert spec.refiner == RefinerSpec("/r.safetensors", 0.7, config="/c")
    assert (spec.prediction, spec.safety_checker) == ("v_prediction", True)
    assert (spec.attention, spec.vae_slicing, spec.vae_tiling) == ("eager", True, False)
    assert spec.cache == config.state
