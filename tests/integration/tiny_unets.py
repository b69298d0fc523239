"""Pipelines of the families with a UNet, a few thousand random weights each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    PNDMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from img2imgd.engine import clip
from img2imgd.engine.families import OPEN_CLIP_PAD

SMALL, LARGE = 16, 24
"""Widths of the two text encoders; diffusers tells SDXL's apart by them."""


LETTERS = "!abcdefghijklmnopqrstuvwxyz,"
START, END = len(LETTERS) * 2, len(LETTERS) * 2 + 1
"""Ids of a text's ends in the small vocabulary."""

Tokenizers = Callable[[str], CLIPTokenizer]


def small_tokenizer(pad: str) -> CLIPTokenizer:
    """A tokenizer that spells every word; CLIP's own takes longer to read than all the rest."""
    tokens = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), clip.START, clip.END]
    return CLIPTokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=[],
        pad_token=pad,
        model_max_length=77,
    )


def autoencoder(**changes: Any) -> AutoencoderKL:
    form: dict[str, Any] = {
        "block_out_channels": (8, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "layers_per_block": 1,
        "latent_channels": 4,
        "norm_num_groups": 4,
    }
    return AutoencoderKL(**{**form, **changes})


def _unet(context: int, **changes: Any) -> UNet2DConditionModel:
    form: dict[str, Any] = {
        "sample_size": 16,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "attention_head_dim": 4,
        "norm_num_groups": 4,
    }
    return UNet2DConditionModel(**{**form, "cross_attention_dim": context, **changes})


def text_config(width: int, act: str, tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, hidden_act=act, projection_dim=width,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip


_NOISE: Mapping[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}


def _sd1(tokenizers: Tokenizers) -> Any:
    return StableDiffusionPipeline(
        vae=autoencoder(),
        text_encoder=CLIPTextModel(text_config(SMALL, "quick_gelu", tokenizers(clip.END))),
        tokenizer=tokenizers(clip.END),
        unet=_unet(SMALL),
        scheduler=PNDMScheduler(**_NOISE, skip_prk_steps=True),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _sd2(tokenizers: Tokenizers) -> Any:
    return StableDiffusionImg2ImgPipeline(
        vae=autoencoder(),
        text_encoder=CLIPTextModel(text_config(LARGE, "gelu", tokenizers(OPEN_CLIP_PAD))),
        tokenizer=tokenizers(OPEN_CLIP_PAD),
        unet=_unet(LARGE, attention_head_dim=(2, 4), use_linear_projection=True),
        scheduler=DDIMScheduler(**_NOISE, clip_sample=False, prediction_type="v_prediction"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def lcm() -> Any:
    """A latent consistency model: its UNet takes the guidance scale as a number."""
    tokenizer = small_tokenizer(clip.END)
    return LatentConsistencyModelPipeline(
        vae=autoencoder(),
        text_encoder=CLIPTextModel(text_config(SMALL, "quick_gelu", tokenizer)),
        tokenizer=tokenizer,
        unet=_unet(SMALL, time_cond_proj_dim=8),
        scheduler=LCMScheduler(**_NOISE),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _of_xl(context: int, ids: int, **changes: Any) -> UNet2DConditionModel:
    return _unet(
        context,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=8 * ids + LARGE,
        **changes,
    )


def _sdxl(tokenizers: Tokenizers) -> Any:
    return StableDiffusionXLPipeline(
        vae=autoencoder(scaling_factor=0.13025, force_upcast=True),
        text_encoder=CLIPTextModel(text_config(SMALL, "quick_gelu", tokenizers(clip.END))),
        text_encoder_2=CLIPTextModelWithProjection(
            text_config(LARGE, "gelu", tokenizers(OPEN_CLIP_PAD))
        ),
        tokenizer=tokenizers(clip.END),
        tokenizer_2=tokenizers(OPEN_CLIP_PAD),
        unet=_of_xl(SMALL + LARGE, ids=6),
        scheduler=EulerDiscreteScheduler(**_NOISE, timestep_spacing="leading"),
    )


def _sdxl_refiner(tokenizers: Tokenizers) -> Any:
    return StableDiffusionXLImg2ImgPipeline(
        vae=autoencoder(scaling_factor=0.13025, force_upcast=True),
        text_encoder=None,
        text_encoder_2=CLIPTextModelWithProjection(
            text_config(LARGE, "gelu", tokenizers(OPEN_CLIP_PAD))
        ),
        tokenizer=None,
        tokenizer_2=tokenizers(OPEN_CLIP_PAD),
        unet=_of_xl(LARGE, ids=5),
        scheduler=EulerDiscreteScheduler(**_NOISE, timestep_spacing="leading"),
        requires_aesthetics_score=True,
        force_zeros_for_empty_prompt=False,
    )


BUILDERS: Mapping[str, Callable[[Tokenizers], Any]] = {
    "sd1": _sd1,
    "sd2": _sd2,
    "sdxl": _sdxl,
    "sdxl_refiner": _sdxl_refiner,
}
