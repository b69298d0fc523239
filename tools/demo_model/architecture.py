"""The parts of the demo model with their sizes: built here, trained elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

SIDE = 256
LATENT_SIDE = 16
LATENT_CHANNELS = 32
TEXT_WIDTH = 160
TOKENS = 77
HERE = Path(__file__).resolve().parent
WORK = HERE / "work"
RECORDS = HERE / "records"
FIRST_VERSION = HERE / "first_version"
MODEL_DIR = HERE.parents[1] / "daemon" / "img2imgd" / "demo_model"


def build_vae() -> AutoencoderKL:
    """The picture coder: 3x256x256 in -1..1 to 32x16x16 latents and back."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 5,
        up_block_types=("UpDecoderBlock2D",) * 5,
        block_out_channels=(16, 32, 64, 96, 128),
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        sample_size=SIDE,
        mid_block_add_attention=False,
    )


def build_unet() -> UNet2DConditionModel:
    """The denoiser on 32x16x16 latents, reading 77 x TEXT_WIDTH text states at 8x8 and 4x4."""
    return UNet2DConditionModel(
        sample_size=LATENT_SIDE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DCrossAttn",
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(96, 128, 176),
        layers_per_block=1,
        attention_head_dim=4,
        cross_attention_dim=TEXT_WIDTH,
        norm_num_groups=16,
    )


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """A two-layer CLIP text model over the project's own vocabulary."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=2 * TEXT_WIDTH,
            projection_dim=TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def build_scheduler() -> EulerDiscreteScheduler:
    """Euler steps over the usual latent-diffusion noise schedule, v-prediction."""
    return EulerDiscreteScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        timestep_spacing="leading",
        steps_offset=1,
    )


def load_vae(work: Path) -> AutoencoderKL:
    """The picture coder as trained last in `work`, or as the shipped model has it, in float32."""
    trained = [path for path in (work / "decoder.pt", work / "vae.pt") if path.exists()]
    if trained:
        vae = build_vae()
        newest = max(trained, key=lambda path: path.stat().st_mtime)
        vae.load_state_dict(torch.load(newest, map_location="cpu")["ema"])
    else:
        vae = AutoencoderKL.from_pretrained(MODEL_DIR / "vae", torch_dtype=torch.float32)
    facts = work / "latents.json"
    if facts.exists():
        scale = json.loads(facts.read_text())["scaling_factor"]
        vae.register_to_config(scaling_factor=scale)
    return vae.eval()


def load_pipeline(folder: Path) -> StableDiffusionImg2ImgPipeline:
    """The img2img pipeline of a model's folder, in float32; FileNotFoundError without one there."""
    if not (folder / "model_index.json").exists():
        raise FileNotFoundError(f"no model in {folder}: it has no model_index.json")
    return StableDiffusionImg2ImgPipeline.from_pretrained(folder)
