"""SD 1, SD 2, SDXL and its refiner, each as a folder and as one file, painted by the real path."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from engines import difference, paint, pixels, refusal, spec, task
from forms import Forms, save_forms
from original_format import original_autoencoder
from safetensors.torch import load_file, save_file
from tiny_unets import BUILDERS

from img2imgd.engine.clip import clip_tokenizer
from img2imgd.engine.factory import create_engine
from img2imgd.engine.loading import load_pipeline
from img2imgd.engine.protocol import ModelInfo, StepDone

# diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread", "no_network"),
]


@pytest.fixture
def sd1(forms: Mapping[str, Forms]) -> Forms:
    return forms["sd1"]


PIPELINES = {
    "sd1": "StableDiffusionImg2ImgPipeline",
    "sd2": "StableDiffusionImg2ImgPipeline",
    "sdxl": "StableDiffusionXLImg2ImgPipeline",
    "sdxl_refiner": "StableDiffusionXLImg2ImgPipeline",
}


@pytest.mark.parametrize("family", BUILDERS)
def test_folder_and_single_file_paint_the_same_picture(
    forms: Mapping[str, Forms], image: Path, family: str
) -> None:
    """Run with -s for the table of loaders."""
    form = forms[family]
    painted, infos = [], dict[str, ModelInfo]()
    for name, model in (
        ("folder", spec(form.folder)),
        # Not offline: a file with a local config must not ask the hub even where it may.
        ("single file", spec(form.file, config=str(form.folder), offline=False)),
    ):
        engine = create_engine("diffusers")
        infos[name] = engine.load(model)
        picture, events = paint(engine, task(image))
        assert [event for event in events if not isinstance(event, StepDone)] == []
        assert [event.step for event in events if isinstance(event, StepDone)] == [1, 2, 3, 4]
        painted.append(picture)
    for name, info in infos.items():
        assert (info.family, info.pipeline) == (family, PIPELINES[family])
        assert (info.native_size, info.multiple) == (32, 4)
        sys.stdout.write(
            f"\n{family:12} | {name:11} | {info.pipeline:32} | {info.native_size} | "
            f"{info.multiple} | {info.dtype} | {info.weights[:10]}"
        )
    assert difference(*painted) <= 1
    assert painted[0].std() > 5


def test_a_file_whose_config_brings_no_tokenizer_gets_clips(image: Path, tmp_path: Path) -> None:
    for family in ("sd2", "sdxl"):
        form = save_forms(family, tmp_path, clip_tokenizer)
        config = tmp_path / f"{family}-config"
        shutil.copytree(form.folder, config, ignore=shutil.ignore_patterns("*.safetensors"))
        for tokenizer in config.glob("tokenizer*"):
            shutil.rmtree(tokenizer)
        model = spec(form.file, config=str(config))
        assert difference(pixels(model, image), pixels(spec(form.folder), image)) <= 1


def test_a_file_in_half_precision_is_computed_in_fp32_on_a_cpu(
    sd1: Forms, image: Path, tmp_path: Path
) -> None:
    half = tmp_path / "half.safetensors"
    save_file({name: tensor.half() for name, tensor in load_file(sd1.file).items()}, half)
    pipe, info = load_pipeline(spec(half, config=str(sd1.folder)))
    assert info.dtype == "float32"
    parts = (pipe.unet, pipe.vae, pipe.text_encoder)
    assert {part.dtype for part in parts} == {torch.float32}


def test_what_the_weights_predict_can_be_named_for_both_forms(
    forms: Mapping[str, Forms], image: Path
) -> None:
    form = forms["sd2"]
    own = pixels(spec(form.folder), image)
    for source, config in ((form.folder, None), (form.file, str(form.folder))):
        named = pixels(spec(source, config=config, prediction="v_prediction"), image)
        other = pixels(spec(source, config=config, prediction="epsilon"), image)
        assert difference(named, own) <= 1
        assert difference(other, own) > 5


def test_finetunes_that_are_marked_for_v_prediction_are_run_with_it(
    forms: Mapping[str, Forms], tmp_path: Path
) -> None:
    form = forms["sdxl"]
    marked = tmp_path / "marked.safetensors"
    markers = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    save_file(load_file(form.file) | markers, marked)
    pipe, _ = load_pipeline(spec(marked, config=str(form.folder)))
    assert pipe.scheduler.config.prediction_type == "v_prediction"
    assert pipe.scheduler.config.rescale_betas_zero_snr
    plain, _ = load_pipeline(spec(form.file, config=str(form.folder)))
    assert plain.scheduler.config.prediction_type == "epsilon"
    assert not plain.scheduler.config.rescale_betas_zero_snr


@pytest.mark.parametrize("naming", ["original", "diffusers"])
def test_an_autoencoder_in_a_file_is_taken_for_both_forms(
    sd1: Forms, image: Path, tmp_path: Path, naming: str
) -> None:
    from diffusers import AutoencoderKL

    torch.manual_seed(9)
    vae = AutoencoderKL.from_config(AutoencoderKL.load_config(sd1.folder / "vae"))
    vae.save_pretrained(tmp_path / "vae")
    file = tmp_path / "vae" / "diffusion_pytorch_model.safetensors"
    if naming == "original":
        file = tmp_path / "other.safetensors"
        original = original_autoencoder(vae)
        save_file({name: tensor.contiguous() for name, tensor in original.items()}, file)
    expected = pixels(spec(sd1.folder, vae=str(tmp_path / "vae")), image)
    assert difference(expected, pixels(spec(sd1.folder), image)) > 5
    for model in (
        spec(sd1.folder, vae=str(file)),
        spec(sd1.file, config=str(sd1.folder), vae=str(file)),
    ):
        assert difference(pixels(model, image), expected) <= 1


def test_a_checkpoint_without_autoencoder_needs_one_named(
    sd1: Forms, image: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare.safetensors"
    weights = load_file(sd1.file)
    save_file(
        {name: tensor for name, tensor in weights.items() if not name.startswith("first_stage")},
        bare,
    )
    error = refusal(spec(bare, config=str(sd1.folder)))
    assert f"{bare} holds no autoencoder" in error.message
    assert "`vae`" in error.advice
    mended = spec(bare, config=str(sd1.folder), vae=str(sd1.folder / "vae"))
    assert difference(pixels(mended, image), pixels(spec(sd1.folder), image)) <= 1


def test_a_file_of_another_shape_than_its_family_asks_for_a_config(sd1: Forms) -> None:
    error = refusal(spec(sd1.file))
    assert "takes 16 wide text encodings, where Stable Diffusion 1.x has 768" in error.message
    assert "`config`" in error.advice


@pytest.mark.parametrize("keep", [0, 7, 500, 0.5, 0.999])
def test_a_file_cut_short_is_called_damaged(sd1: Forms, tmp_path: Path, keep: float) -> None:
    cut = tmp_path / "cut.safetensors"
    data = sd1.file.read_bytes()
    cut.write_bytes(data[: int(keep if keep > 1 else keep * len(data))])
    error = refusal(spec(cut, config=str(sd1.folder)))
    assert f"damaged weights: {cut} (" in error.message
    assert "again" in error.advice


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("model.diffusion_model.out.", "lacks weights of its UNet or autoencoder"),
        ("first_stage_model.decoder.mid.", "lacks weights of its UNet or autoencoder"),
        (
            "cond_stage_model.transformer.text_model.encoder.layers.1.",
            "lacks 16 weights of its config: text_encoder.encoder.layers.1.",
        ),
    ],
)
def test_a_file_that_lacks_weights_is_told(
    sd1: Forms, tmp_path: Path, part: str, told: str
) -> None:
    torn = tmp_path / "torn.safetensors"
    weights = load_file(sd1.file)
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith(part)}
    assert len(kept) < len(weights)
    save_file(kept, torn)
    error = refusal(spec(torn, config=str(sd1.folder)))
    assert f"{torn} {told}" in error.message
    assert "whole checkpoint" in error.advice


def test_a_model_that_is_none_is_told_before_its_vae_is_looked_at(
    sd1: Forms, tmp_path: Path
) -> None:
    lora = tmp_path / "ink.safetensors"
    save_file({f"{name}.lora_down.weight": torch.zeros(4, 4) for name in "abc"}, lora)
    vae = sd1.folder / "vae" / "diffusion_pytorch_model.safetensors"
    for other in (vae, sd1.folder / "unet", tmp_path / "absent.safetensors"):
        assert f"{lora} is a LoRA" in refusal(spec(lora, vae=str(other))).message


@pytest.mark.parametrize(
    ("family", "marker", "told"),
    [
        ("sdxl", "edm_mean", "is of the family Playground 2.5"),
        ("sdxl", "edm_vpred.sigma_max", "is of the family CosXL"),
        ("sd2", "model.diffusion_model.label_emb.0.0.weight", "is Stable Diffusion 2.1 unCLIP"),
    ],
)
def test_kin_of_a_family_that_are_painted_otherwise_are_refused(
    forms: Mapping[str, Forms], tmp_path: Path, family: str, marker: str, told: str
) -> None:
    form, kin = forms[family], tmp_path / "kin.safetensors"
    save_file(load_file(form.file) | {marker: torch.zeros(1)}, kin)
    error = refusal(spec(kin, config=str(form.folder)))
    assert f"{kin} {told}" in error.message
    load_pipeline(spec(form.file, config=str(form.folder)))


Weights = Callable[[Forms], dict[str, torch.Tensor]]


def zeros(*names: str) -> Weights:
    return lambda _: {name: torch.zeros(4, 4) for name in names}


def of_folder(part: str, name: str) -> Weights:
    return lambda form: dict(load_file(form.folder / part / f"{name}.safetensors"))


def without_text(form: Forms) -> dict[str, torch.Tensor]:
    weights = load_file(form.file).items()
    return {name: tensor for name, tensor in weights if not name.startswith("cond_stage_model")}


def for_inpainting(form: Forms) -> dict[str, torch.Tensor]:
    first = "model.diffusion_model.input_blocks.0.0.weight"
    return load_file(form.file) | {first: torch.zeros(8, 9, 3, 3)}


@pytest.mark.parametrize(
    ("weights", "told", "advice"),
    [
        (zeros("lora_unet_mid_block.lora_down.weight", "x", "y"), "is a LoRA", "`loras`"),
        (zeros("unet.mid_block.attn1.to_q.lora_A.weight", "x", "y"), "is a LoRA", "`loras`"),
        (zeros("emb_params"), "is a textual inversion", "`embeddings`"),
        (zeros("clip_l", "clip_g"), "is a textual inversion", "`embeddings`"),
        (zeros("control_model.time_embed.0.weight", "a", "b"), "is a ControlNet", "not served"),
        (zeros("double_blocks.0.img_attn.qkv.weight", "a", "b"), "family Flux", "folder"),
        (zeros("model.diffusion_model.joint_blocks.0.x.weight", "a", "b"), "Diffusion 3", "folder"),
        (zeros("first.weight", "second.weight", "third.weight"), "no family that is", "folder"),
        (of_folder("unet", "diffusion_pytorch_model"), "is the UNet of a", "model_index.json"),
        (of_folder("vae", "diffusion_pytorch_model"), "is an autoencoder alone", "`vae`"),
        (of_folder("text_encoder", "model"), "is a text encoder alone", "whole checkpoint"),
        (without_text, "holds no text encoder", "whole checkpoint"),
        (for_inpainting, "takes 9 input channels", "Inpainting"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_model_is_told_for_what_it_is(
    sd1: Forms,
    tmp_path: Path,
    weights: Weights,
    told: str,
    advice: str,
) -> None:
    file = tmp_path / "thing.safetensors"
    save_file(weights(sd1), file)
    error = refusal(spec(file, config=str(sd1.folder)))
    assert f"{file} " in error.message
    assert told in error.message
    assert advice in error.advice


def test_a_config_that_is_no_model_folder_is_named(sd1: Forms, tmp_path: Path) -> None:
    error = refusal(spec(sd1.file, config=str(tmp_path)))
    assert f"its config {tmp_path} has no model_index.json" in error.message


def test_a_config_of_the_hub_that_was_never_fetched_is_told_when_offline(sd1: Forms) -> None:
    error = refusal(spec(sd1.file, config="nobody/nothing"))
    assert "nobody/nothing is not on this machine" in error.message


def test_a_checker_of_the_config_folder_guards_a_single_file(
    sd1: Forms, image: Path, tmp_path: Path
) -> None:
    from tiny_model import save_tiny_model

    from img2imgd.engine.protocol import EngineEvent, FrameRefused

    guarded = save_tiny_model(tmp_path / "guarded", strict_checker=True)
    config = shutil.copytree(sd1.folder, tmp_path / "config")
    for part in ("safety_checker", "feature_extractor"):
        shutil.copytree(guarded / part, config / part)
    index = json.loads((config / "model_index.json").read_text())
    theirs = json.loads((guarded / "model_index.json").read_text())
    index |= {part: theirs[part] for part in ("safety_checker", "feature_extractor")}
    (config / "model_index.json").write_text(json.dumps(index))
    engine = create_engine("diffusers")
    engine.load(spec(sd1.file, config=str(config), safety_checker=True))
    engine.admit(task(image))
    events: list[EngineEvent] = []
    while not engine.idle():
        engine.step(events.append)
    assert isinstance(events[-1], FrameRefused)
    assert "safety checker" in events[-1].reason
    assert pixels(spec(sd1.file, config=str(config)), image).any()
    assert (
        "no safety checker"
        in refusal(spec(sd1.file, config=str(sd1.folder), safety_checker=True)).message
    )
