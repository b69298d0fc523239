"""Writes a diffusers pipeline as one file with the names of Stability AI's own programs.

The names are those of CompVis' latent-diffusion and of generative-models: blocks of the UNet are
numbered through, those of the decoder backwards, and OpenCLIP keeps query, key and value in one
matrix. diffusers has this mapping only in the other direction, which is what the tests are about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

Tensors = dict[str, torch.Tensor]

UNET = "model.diffusion_model."
VAE = "first_stage_model."
CLIP_PREFIXES: Mapping[str, Mapping[str, str]] = {
    "sd1": {"text_encoder": "cond_stage_model.transformer."},
    "sd2": {},
    "sdxl": {"text_encoder": "conditioner.embedders.0.transformer."},
    "sdxl_refiner": {},
}
OPEN_CLIP_PREFIXES: Mapping[str, Mapping[str, str]] = {
    "sd1": {},
    "sd2": {"text_encoder": "cond_stage_model.model."},
    "sdxl": {"text_encoder_2": "conditioner.embedders.1.model."},
    "sdxl_refiner": {"text_encoder_2": "conditioner.embedders.0.model."},
}

_RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
           "norm2": "out_layers.0", "conv2": "out_layers.3",
           "conv_shortcut": "skip_connection"}  # fmt: skip
_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v",
                  "to_out.0": "proj_out"}  # fmt: skip
_OPEN_CLIP = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc",
              "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj"}  # fmt: skip


def save_original_file(pipe: Any, family: str, file: Path) -> None:
    """Write the pipeline's weights in one file."""
    tensors = original_tensors(pipe.components, family)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)


def original_tensors(parts: Mapping[str, Any], family: str) -> Tensors:
    """The weights of the parts under their original names."""
    tensors = {UNET + name: tensor for name, tensor in _unet(parts["unet"]).items()}
    tensors |= {VAE + name: tensor for name, tensor in original_autoencoder(parts["vae"]).items()}
    for part, prefix in CLIP_PREFIXES[family].items():
        for name, tensor in parts[part].state_dict().items():
            tensors[f"{prefix}text_model.{name.removeprefix('text_model.')}"] = tensor
    for part, prefix in OPEN_CLIP_PREFIXES[family].items():
        tensors |= {prefix + name: tensor for name, tensor in _open_clip(parts[part]).items()}
    return tensors


def _unet(unet: Any) -> Tensors:
    weights, layers = unet.state_dict(), unet.config.layers_per_block
    return {_unet_name(name, layers, set(weights)): tensor for name, tensor in weights.items()}


def _unet_name(name: str, layers: int, others: set[str]) -> str:
    for ours, theirs in _UNET_ENDS.items():
        if name.startswith(f"{ours}."):
            return name.replace(ours, theirs, 1)
    if match := re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.+)", name):
        kind, number, rest = match.groups()
        if kind == "attentions":
            return f"middle_block.1.{rest}"
        return f"middle_block.{2 * int(number)}.{_renamed(rest, _RESNET)}"
    match = re.fullmatch(r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.+)", name)
    assert match, name
    side, block, kind, layer, rest = match.groups()
    first = int(block) * (layers + 1)
    if side == "down":
        at = f"input_blocks.{1 + first + int(layer)}"
        if kind == "downsamplers":
            return f"input_blocks.{1 + first + layers}.0.{rest.replace('conv', 'op')}"
    else:
        at = f"output_blocks.{first + int(layer)}"
        if kind == "upsamplers":
            attends = any(other.startswith(f"up_blocks.{block}.attentions.") for other in others)
            return f"output_blocks.{first + layers}.{2 if attends else 1}.{rest}"
    return f"{at}.1.{rest}" if kind == "attentions" else f"{at}.0.{_renamed(rest, _RESNET)}"


def original_autoencoder(vae: Any) -> Tensors:
    """An autoencoder's weights under their original names, as files of a VAE alone have them."""
    blocks = len(vae.config.block_out_channels)
    return {
        name: tensor[:, :, None, None] if re.search(r"attn_1\.(q|k|v|proj_out)\.weight", name)
        else tensor
        for name, tensor in (
            (_vae_name(name, blocks), tensor) for name, tensor in vae.state_dict().items()
        )
    }  # fmt: skip


def _vae_name(name: str, blocks: int) -> str:
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    if match := re.fullmatch(r"(\w+)\.mid_block\.(resnets|attentions)\.(\d)\.(.+)", name):
        coder, kind, number, rest = match.groups()
        if kind == "attentions":
            return f"{coder}.mid.attn_1.{_renamed(rest, _VAE_ATTENTION)}"
        return f"{coder}.mid.block_{int(number) + 1}.{rest}"
    match = re.fullmatch(r"(\w+)\.(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.+)", name)
    if not match:
        return name
    coder, side, block, kind, layer, rest = match.groups()
    number = int(block) if side == "down" else blocks - 1 - int(block)
    at = f"{coder}.{side}.{number}"
    return f"{at}.block.{layer}.{rest}" if kind == "resnets" else f"{at}.{side}sample.{rest}"


def _open_clip(encoder: Any) -> Tensors:
    weights = {
        name.removeprefix("text_model."): tensor for name, tensor in encoder.state_dict().items()
    }
    width = encoder.config.hidden_size
    tensors: Tensors = {
        "positional_embedding": weights.pop("embeddings.position_embedding.weight"),
        "token_embedding.weight": weights.pop("embeddings.token_embedding.weight"),
        "ln_final.weight": weights.pop("final_layer_norm.weight"),
        "ln_final.bias": weights.pop("final_layer_norm.bias"),
        # Square in every encoder of Stable Diffusion, and not used by SD 2.
        "text_projection": weights.pop("text_projection.weight", torch.eye(width)).T,
    }
    for layer in range(encoder.config.num_hidden_layers):
        ours, theirs = f"encoder.layers.{layer}.", f"transformer.resblocks.{layer}."
        for kind in ("weight", "bias"):
            tensors[f"{theirs}attn.in_proj_{kind}"] = torch.cat(
                [weights.pop(f"{ours}self_attn.{one}_proj.{kind}") for one in "qkv"]
            )
        for name in [name for name in weights if name.startswith(ours)]:
            renamed = _renamed(name.removeprefix(ours), _OPEN_CLIP)
            tensors[theirs + renamed] = weights.pop(name)
    assert not weights, list(weights)
    return tensors


def _renamed(name: str, names: Mapping[str, str]) -> str:
    for ours, theirs in names.items():
        if name.startswith(f"{ours}."):
            return name.replace(ours, theirs, 1)
    return name
