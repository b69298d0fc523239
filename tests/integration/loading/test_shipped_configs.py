"""The configs that are shipped describe the real models: built at full size, without memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
    infer_diffusers_model_type,
)
from engines import spec
from original_format import OPEN_CLIP_PREFIXES, original_tensors
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from img2imgd.engine.clip import clip_tokenizer
from img2imgd.engine.families import (
    SD2,
    SDXL,
    SDXL_REFINER,
    SINGLE_FILE_FAMILIES,
    Family,
    family_of,
    native_size,
    size_multiple,
)
from img2imgd.engine.refining import StableDiffusionXLRefinedImg2ImgPipeline
from img2imgd.engine.single_files import SingleFile, _check_shape, _heed_markers, recognise

CLASSES: Mapping[str, Any] = {
    "UNet2DConditionModel": diffusers.UNet2DConditionModel,
    "AutoencoderKL": diffusers.AutoencoderKL,
    "CLIPTextModel": CLIPTextModel,
    "CLIPTextModelWithProjection": CLIPTextModelWithProjection,
}

# Counted by others: the papers and model cards name 860 M, 866 M, 2.6 B, 123 M, 354 M less a
# layer, 695 M and 84 M.
PARAMETERS = {
    "sd1": {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480},
    "sd2": {"unet": 865_910_724, "vae": 83_653_863, "text_encoder": 340_387_840},
    "sdxl": {
        "unet": 2_567_463_684, "vae": 83_653_863, "text_encoder": 123_060_480,
        "text_encoder_2": 694_659_840,
    },
    "sdxl_refiner": {
        "unet": 2_259_526_660, "vae": 83_653_863, "text_encoder_2": 694_659_840,
    },
}  # fmt: skip
SIZES = {"sd1": 512, "sd2": 768, "sdxl": 1024, "sdxl_refiner": 1024}
KINDS = {"sd1": "v1", "sd2": "v2", "sdxl": "xl_base", "sdxl_refiner": "xl_refiner"}

families = pytest.mark.parametrize("family", SINGLE_FILE_FAMILIES, ids=lambda one: one.name)


def parts_of(family: Family) -> dict[str, Any]:
    """Every module that the index names, on torch's meta device: shapes without values."""
    index = json.loads((family.config / "model_index.json").read_text())
    parts: dict[str, Any] = {}
    for part, value in index.items():
        kind = CLASSES.get(value[1]) if isinstance(value, list) else None
        if kind is None:
            continue
        with torch.device("meta"):
            if issubclass(kind, diffusers.ModelMixin):
                parts[part] = kind.from_config(kind.load_config(family.config / part))
            else:
                parts[part] = kind(CLIPTextConfig.from_pretrained(family.config / part))
    return parts


@families
def test_every_part_has_as_many_parameters_as_the_real_one(family: Family) -> None:
    counted = {
        part: sum(weight.numel() for weight in module.parameters())
        for part, module in parts_of(family).items()
    }
    assert counted == PARAMETERS[family.name]


@families
def test_a_file_of_full_size_is_recognised_and_fits_its_shipped_config(family: Family) -> None:
    parts = parts_of(family)
    tensors = original_tensors(parts, family.name)
    # diffusers, which knows the real files, takes the names for what they are.
    assert infer_diffusers_model_type(tensors) == KINDS[family.name]
    file = recognise({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    assert isinstance(file, SingleFile)
    assert (file.family, file.has_vae, file.v_prediction) == (family, True, False)
    _check_shape(spec("x.safetensors"), Path("x.safetensors"), file, family.config)
    for part, convert in (
        ("unet", convert_ldm_unet_checkpoint),
        ("vae", convert_ldm_vae_checkpoint),
    ):
        expected = shapes(parts[part].state_dict())
        assert shapes(convert(dict(tensors), parts[part].config)) == expected
    for part, prefix in OPEN_CLIP_PREFIXES[family.name].items():
        converted = shapes(convert_open_clip_checkpoint(parts[part], tensors, prefix))
        named = {name.removeprefix("text_model."): shape for name, shape in converted.items()}
        own = shapes(parts[part].state_dict())
        assert named == {name.removeprefix("text_model."): shape for name, shape in own.items()}


def shapes(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def pipeline_of(family: Family) -> Any:
    """The family's pipeline of shapes without values."""
    index = json.loads((family.config / "model_index.json").read_text())
    scheduler: Any = getattr(diffusers, index["scheduler"][1])
    kind: Any = getattr(diffusers, family.pipeline)
    expected, _ = kind._get_signature_keys(kind)
    settings = {
        name: index[name]
        for name in (
            "requires_safety_checker", "requires_aesthetics_score", "force_zeros_for_empty_prompt",
        )
        if name in index
    }  # fmt: skip
    return kind(**{
        **dict.fromkeys(expected),
        **parts_of(family),
        **{name: clip_tokenizer(pad) for name, pad in family.tokenizers},
        **settings,
        "scheduler": scheduler.from_config(scheduler.load_config(family.config / "scheduler")),
    })  # fmt: skip


@families
def test_a_whole_pipeline_of_it_paints_at_its_native_size(family: Family) -> None:
    pipe = pipeline_of(family)
    assert family_of(pipe) == family.name
    assert native_size(pipe) == SIZES[family.name]
    assert size_multiple(pipe) == (32 if family.name == "sdxl" else 64)
    for name, _ in family.tokenizers:
        tokenizer = getattr(pipe, name)
        encoder = getattr(pipe, name.replace("tokenizer", "text_encoder"))
        assert encoder.config.vocab_size == len(tokenizer)
        assert encoder.config.eos_token_id == tokenizer.eos_token_id
        assert encoder.config.pad_token_id == tokenizer.pad_token_id


def test_a_refined_picture_must_divide_by_what_the_refiner_needs() -> None:
    pipe = StableDiffusionXLRefinedImg2ImgPipeline.of(
        pipeline_of(SDXL), pipeline_of(SDXL_REFINER), 0.8
    )
    assert size_multiple(pipe) == 64
    assert (native_size(pipe), family_of(pipe)) == (1024, "sdxl")


@pytest.mark.parametrize(("prediction", "side"), [("epsilon", 512), (None, 768)])
def test_sd_2_base_which_only_its_prediction_tells_apart_paints_at_512(
    prediction: str | None, side: int
) -> None:
    pipe = pipeline_of(SD2)
    file = SingleFile(SD2, 4, 1024, has_vae=True, v_prediction=False, zero_terminal_snr=False)
    _heed_markers(spec("x.safetensors", prediction=prediction), file, pipe)
    assert native_size(pipe) == side


def test_other_families_are_named_after_their_pipelines() -> None:
    for name, short in {
        "FluxImg2ImgPipeline": "flux",
        "StableDiffusion3Img2ImgPipeline": "sd3",
        "ZImageImg2ImgPipeline": "zimage",
        "KandinskyV22Img2ImgPipeline": "kandinskyv22",
    }.items():
        assert family_of(type(name, (), {})()) == short


def test_noise_schedules_are_those_the_models_were_trained_with() -> None:
    for family in SINGLE_FILE_FAMILIES:
        config = json.loads((family.config / "scheduler" / "scheduler_config.json").read_text())
        assert (config["beta_start"], config["beta_end"]) == (0.00085, 0.012)
        assert (config["beta_schedule"], config["num_train_timesteps"]) == ("scaled_linear", 1000)
        expected = "v_prediction" if family.name == "sd2" else "epsilon"
        assert config["prediction_type"] == expected
        assert config["steps_offset"] == 1
        # Latents are not bounded by 1, which DDIM and DDPM would cut them to by default.
        for scheduler in (diffusers.DDIMScheduler, diffusers.DDPMScheduler):
            assert scheduler.from_config(config).config.clip_sample is False
        assert diffusers.PNDMScheduler.from_config(config).config.skip_prk_steps is True
        vae = json.loads((family.config / "vae" / "config.json").read_text())
        of_xl = family.name.startswith("sdxl")
        assert vae["scaling_factor"] == (0.13025 if of_xl else 0.18215)
        assert vae.get("force_upcast", True) is True
