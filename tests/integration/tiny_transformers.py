"""Pipelines of families with a transformer, a few thousand random weights each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from tiny_unets import LARGE, SMALL, autoencoder, small_tokenizer, text_config
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

from img2imgd.engine import clip

T5_WIDTH = 32


def t5_tokenizer() -> T5TokenizerFast:
    """A tokenizer that spells every word."""
    letters = "▁abcdefghijklmnopqrstuvwxyz,"
    pieces = [
        ("<pad>", 0.0),
        ("</s>", 0.0),
        ("<unk>", 0.0),
        *((letter, -1.0) for letter in letters),
    ]
    return T5TokenizerFast(vocab=pieces, extra_ids=0, model_max_length=32)


def qwen_tokenizer() -> Qwen2Tokenizer:
    """A tokenizer of single bytes, with the turns of a chat."""
    vocab = {token: number for number, token in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = Qwen2Tokenizer(vocab={**vocab, "<|endoftext|>": len(vocab)}, merges=[])
    tokenizer.chat_template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    return tokenizer


def _t5(width: int) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(
            vocab_size=len(t5_tokenizer()), d_model=width, d_kv=8, d_ff=32,
            num_layers=1, num_heads=2, feed_forward_proj="gated-gelu",
        )
    )  # fmt: skip


def _sd3() -> Any:
    tokenizer = small_tokenizer(clip.END)
    return StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=16, patch_size=2, in_channels=4, out_channels=4, num_layers=2,
            attention_head_dim=8, num_attention_heads=2, caption_projection_dim=16,
            joint_attention_dim=SMALL + LARGE, pooled_projection_dim=SMALL + LARGE,
            pos_embed_max_size=32,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=autoencoder(scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=CLIPTextModelWithProjection(text_config(SMALL, "quick_gelu", tokenizer)),
        tokenizer=tokenizer,
        text_encoder_2=CLIPTextModelWithProjection(text_config(LARGE, "gelu", tokenizer)),
        tokenizer_2=small_tokenizer(clip.END),
        text_encoder_3=_t5(SMALL + LARGE),
        tokenizer_3=t5_tokenizer(),
    )  # fmt: skip


def _flux(*, guidance_embeds: bool) -> Any:
    """Flux.1: dev was distilled with a guidance that it takes as a number, schnell without one."""
    tokenizer = small_tokenizer(clip.END)
    return FluxPipeline(
        transformer=FluxTransformer2DModel(
            in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=1, joint_attention_dim=T5_WIDTH, pooled_projection_dim=SMALL,
            axes_dims_rope=(4, 4, 8), guidance_embeds=guidance_embeds,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(
            shift=3.0 if guidance_embeds else 1.0, use_dynamic_shifting=guidance_embeds
        ),
        vae=autoencoder(scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=CLIPTextModel(text_config(SMALL, "quick_gelu", tokenizer)),
        tokenizer=tokenizer,
        text_encoder_2=_t5(T5_WIDTH),
        tokenizer_2=t5_tokenizer(),
    )  # fmt: skip


def _z_image() -> Any:
    tokenizer = qwen_tokenizer()
    return ZImagePipeline(
        transformer=ZImageTransformer2DModel(
            in_channels=4, dim=16, n_layers=1, n_refiner_layers=1, n_heads=1, n_kv_heads=1,
            cap_feat_dim=16, axes_dims=[4, 4, 8], axes_lens=[1024, 64, 64],
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=autoencoder(scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=Qwen3Model(
            Qwen3Config(
                vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32,
                num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, head_dim=8,
            )
        ),
        tokenizer=tokenizer,
    )  # fmt: skip


def _qwen_image() -> Any:
    tokenizer = qwen_tokenizer()
    text = {
        "vocab_size": len(tokenizer), "bos_token_id": tokenizer.eos_token_id,
        "eos_token_id": tokenizer.eos_token_id, "hidden_size": 16, "intermediate_size": 32,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
        "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
    }  # fmt: skip
    vision = {
        "depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2,
        "out_hidden_size": 16,
    }  # fmt: skip
    transformer = QwenImageTransformer2DModel(
        in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16,
        num_attention_heads=1, joint_attention_dim=16, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    for weights in transformer.parameters():  # else prompts would hardly be seen
        weights.data *= 2
    return QwenImagePipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=AutoencoderKLQwenImage(
            base_dim=8, z_dim=4, dim_mult=[1, 2], num_res_blocks=1, temperal_downsample=[False],
            latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
        ),
        text_encoder=Qwen2_5_VLForConditionalGeneration(
            Qwen2_5_VLConfig(text_config=text, vision_config=vision)
        ),
        tokenizer=tokenizer,
    )  # fmt: skip


BUILDERS: Mapping[str, Callable[[], Any]] = {
    "sd3": _sd3,
    "flux": lambda: _flux(guidance_embeds=True),
    "flux_schnell": lambda: _flux(guidance_embeds=False),
    "qwenimage": _qwen_image,
    "zimage": _z_image,
}
