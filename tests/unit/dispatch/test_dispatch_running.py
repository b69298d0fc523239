"""A running job: its tasks, staged paths, equal frames and GIFs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from running_jobs import job_of, stage

from img2imgd.config import Config
from img2imgd.config.sections import (
    EmbeddingConfig,
    EngineConfig,
    LoraConfig,
    ModelConfig,
    RefinerConfig,
)
from img2imgd.dispatch import model_spec
from img2imgd.engine.protocol import RefinerSpec
from img2imgd.job import FrameState
from img2imgd.outputs.orders import Tags
from img2imgd.request import StyleTexts


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


def test_a_task_has_the_prompts_as_the_style_makes_them(tmp_path: Path) -> None:
    texts = {"neg": StyleTexts("{prompt}!", "photo")}
    task = job_of(tmp_path, negative_prompt="ugly", styles=("neg",), style_texts=texts).task(0)
    assert (task.prompt, task.negative_prompt) == ("a lake!", "ugly, photo")


def test_frames_that_are_staged_are_not_to_be_painted(tmp_path: Path) -> None:
    job = job_of(tmp_path, sweep={"strength": (0.2, 0.4, 0.45, 0.6)})
    assert job.to_paint == [0, 1, 3]
    stage(job, 1, 2)
    assert job_of(tmp_path, sweep={"strength": (0.2, 0.4, 0.45, 0.6)}).to_paint == [0, 3]


def test_what_is_staged_already_counts_as_painted(tmp_path: Path) -> None:
    sweep = {"sweep": {"strength": (0.2, 0.4, 0.45, 0.6)}}
    job = job_of(tmp_path, **sweep)
    assert job.share_painted == 0
    stage(job, 1, 2)
    job = job_of(tmp_path, **sweep)
    assert job.share_painted == 4 / (2 + 4 + 6)
    job.steps_taken[0] = 1
    assert job.share_painted == 5 / 12


@pytest.mark.parametrize("scheduler", [None, "dpm++_2m_karras"])
def test_a_task_names_the_scheduler_of_its_request(tmp_path: Path, scheduler: str | None) -> None:
    assert job_of(tmp_path, scheduler=scheduler).task(0).scheduler == scheduler


def test_a_painting_is_written_for_every_frame_that_is_equal_with_tags_of_its_own(
    tmp_path: Path,
) -> None:
    job = job_of(tmp_path, sweep={"strength": (0.2, 0.25, 0.4)})
    assert job.to_paint == [0, 2]
    files = job.files(0)
    assert [file.path for file in files] == [job.staged_path(0), job.staged_path(1)]
    assert [float(file.tags.infotext.partition("strength: ")[2].partition(",")[0]) for file in files
            ] == [0.2, 0.25]  # fmt: skip
    assert len(job.files(2)) == 1


def test_a_painting_is_made_again_where_the_file_of_one_equal_frame_is_missing(
    tmp_path: Path,
) -> None:
    job = job_of(tmp_path, sweep={"strength": (0.2, 0.25, 0.4)})
    stage(job, 1, 2)
    assert job_of(tmp_path, sweep={"strength": (0.2, 0.25, 0.4)}).to_paint == [0]


def test_what_was_made_without_a_frame_is_made_again_with_it(tmp_path: Path) -> None:
    job = job_of(tmp_path, n=3)
    stage(job, 0, 2)
    folder = job.staged_path(0).parent
    (folder / "cat_sheet.png").write_bytes(b"without frame 1")
    assert job_of(tmp_path, n=3).to_paint == [1]
    assert sorted(path.name for path in folder.iterdir()) == ["cat_00.png", "cat_02.png"]
    stage(job, 1)
    (folder / "cat_sheet.png").write_bytes(b"with all")
    assert job_of(tmp_path, n=3).to_paint == []
    assert (folder / "cat_sheet.png").exists()


def test_frames_that_another_was_painted_for_share_its_fate(tmp_path: Path) -> None:
    job = job_of(tmp_path, sweep={"strength": (0.2, 0.25, 0.4, 0.45)})
    job.refused[2] = "no room"
    assert job.settle_equal_frames() == {1: FrameState.STAGED, 3: FrameState.FAILED}
    assert job.refused == {2: "no room", 3: "no room"}


def test_files_are_encoded_as_the_request_says(tmp_path: Path) -> None:
    (file,) = job_of(tmp_path, format="webp", quality=80).files(0)
    assert (file.encoding.format, file.encoding.quality) == ("webp", 80)
    assert "<xmp:CreatorTool>img2imgd" in file.tags.xmp
    (silent,) = job_of(tmp_path, metadata="none").files(0)
    assert silent.tags == Tags()


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
