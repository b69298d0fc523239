"""A Stable Diffusion pipeline of a few thousand random weights, saved as a diffusers folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    UNet2DConditionModel,
)
from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz,"


def save_tiny_model(
    folder: Path, prediction_type: str = "epsilon", *, strict_checker: bool = False
) -> Path:
    """Save the model, give its folder back; ``strict_checker`` adds one that flags everything."""
    torch.manual_seed(0)
    tokens = [
        *LETTERS,
        *(f"{letter}</w>" for letter in LETTERS),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    text = CLIPTextConfig(
        vocab_size=len(tokens),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=len(tokens) - 2,
        eos_token_id=len(tokens) - 1,
        pad_token_id=len(tokens) - 1,
    )
    pipe = StableDiffusionImg2ImgPipeline(
        vae=AutoencoderKL(
            block_out_channels=(8, 16),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            norm_num_groups=4,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77),
        unet=UNet2DConditionModel(
            sample_size=16,
            block_out_channels=(8, 16),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            cross_attention_dim=16,
            attention_head_dim=4,
            norm_num_groups=4,
        ),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            prediction_type=prediction_type,
            steps_offset=1,
            timestep_spacing="leading",
        ),
        safety_checker=_checker_that_flags_everything() if strict_checker else None,
        feature_extractor=CLIPImageProcessor(size=8, crop_size=8) if strict_checker else None,
        requires_safety_checker=strict_checker,
    )
    pipe.save_pretrained(folder)
    return folder


def _checker_that_flags_everything() -> StableDiffusionSafetyChecker:
    """Cosine distances are never below -1, so thresholds of -2 are always passed."""
    layers = {
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
    }
    vision = {**layers, "image_size": 8, "patch_size": 4}
    text = {**layers, "vocab_size": 4}
    checker = StableDiffusionSafetyChecker(
        CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    )
    torch.nn.init.constant_(checker.concept_embeds_weights, -2.0)
    return checker


def save_lora(model: Path, file: Path, seed: int = 2) -> Path:
    """Save a LoRA for a tiny model, strong enough to be seen; give its file back."""
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    pipe: Any = StableDiffusionImg2ImgPipeline.from_pretrained(model)
    torch.manual_seed(seed)
    config = LoraConfig(r=2, target_modules=["to_k", "to_v"], init_lora_weights="gaussian")
    pipe.unet.add_adapter(config)
    weights = get_peft_model_state_dict(pipe.unet)
    for tensor in weights.values():
        torch.nn.init.normal_(tensor, std=2.0)
    pipe.save_lora_weights(file.parent, unet_lora_layers=weights, weight_name=file.name)
    return file
