"""Puts a loaded model where it runs, and sets how its attention and autoencoder compute."""

from __future__ import annotations

import importlib.util
from itertools import chain
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0

from img2imgd.engine.devices import first_line
from img2imgd.engine.families import denoiser
from img2imgd.engine.protocol import ModelSpec, ModelUnavailable

LONGEST_UNTILED = 1536
"""Pixels. Up to this side SD's autoencoder passes a picture whole when tiling is ``auto``: every
model's native size, where tiles would change the picture for nothing."""

_LINE = 64  # bytes, a multiple of which torch has all that it allocates begin at

# Names of diffusers' own switch, which transformers have; UNets have the older processors.
_BACKENDS = {"sdpa": "native", "eager": "_native_math", "xformers": "xformers"}
_PROCESSORS = {"sdpa": AttnProcessor2_0, "eager": AttnProcessor}


def place(model: ModelSpec, pipe: Any, device: torch.device) -> str:
    """Put the weights on the device, or have accelerate bring them there part by part.

    Gives back what was done and why, in words.
    """
    if model.offload not in ("none", "model", "sequential"):
        raise ModelUnavailable(
            f"Model {model.name}: there is no way to offload named {model.offload!r}.",
            "Set `engine.offload` to none, model or sequential.",
        )
    if model.offload != "none" or device.type == "cpu":
        _take_out_of_files(pipe)
    if model.offload == "none" or device.type == "cpu":
        # It would be warned of fp16 on a CPU, once for each part, as if that could not run.
        pipe.to(device, silence_dtype_warnings=True)
        return "none" if model.offload == "none" else f"none ({model.offload} is for GPUs)"
    if model.offload == "model":
        pipe.enable_model_cpu_offload(device=device)
    else:
        pipe.enable_sequential_cpu_offload(device=device)
    return model.offload


def _take_out_of_files(pipe: Any) -> None:
    """Copy weights that stay on the processor into memory of our own, one after the other.

    Those in their file's number format still lie in the file, mapped into memory: whoever writes
    to it would change pictures under way, and whoever cuts it short would end the process.
    """
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            for weights in chain(part.parameters(), part.buffers()):
                if weights.device.type == "cpu" and type(weights.data) is torch.Tensor:
                    weights.data = _copied(weights.data)


def _copied(weights: torch.Tensor) -> torch.Tensor:
    """A copy as far into a line of memory as the original.

    Sums of vectors round by where those begin: so pictures stay, to the bit, those of the plain
    pipeline, whose weights lie in their files.
    """
    size = weights.numel() * weights.element_size()
    room = torch.empty(size + _LINE, dtype=torch.uint8)
    begin = (weights.data_ptr() - room.data_ptr()) % _LINE
    if begin % weights.element_size() or not weights.is_contiguous():
        return weights.clone()
    return room[begin : begin + size].view(weights.dtype).view(weights.shape).copy_(weights)


def set_attention(model: ModelSpec, pipe: Any) -> str:
    """Have the denoiser compute its attention as the config says; gives that back in words.

    Raises:
        ModelUnavailable: this model or machine cannot.
    """
    wanted = model.attention
    if wanted == "auto":
        return "auto (diffusers' own: torch's fused kernels)"
    if wanted == "xformers" and importlib.util.find_spec("xformers") is None:
        raise _no_attention(model, "the package xformers is not installed", " or install it")
    unit = denoiser(pipe)
    if wanted == "sliced" and not hasattr(unit, "set_attention_slice"):
        raise _no_attention(model, f"{type(unit).__name__} knows no slices")
    try:
        if wanted == "sliced":
            pipe.enable_attention_slicing()
        elif not hasattr(unit, "set_default_attn_processor"):
            unit.set_attention_backend(_BACKENDS[wanted])
        elif wanted == "xformers":
            pipe.enable_xformers_memory_efficient_attention()
        else:
            unit.set_attn_processor(_PROCESSORS[wanted]())
    except Exception as error:
        raise _no_attention(model, first_line(error)) from error
    return wanted


def _no_attention(model: ModelSpec, reason: str, other: str = "") -> ModelUnavailable:
    return ModelUnavailable(
        f"Model {model.name}: attention cannot be computed by {model.attention!r}: {reason}.",
        f"Set `engine.attention` to auto{other}.",
    )


def set_autoencoder(model: ModelSpec, pipe: Any) -> str:
    """Set slicing and tiling of the autoencoder; gives back in words what it does."""
    vae = pipe.vae
    said: list[str] = []
    if model.vae_slicing:
        said += ["sliced"] if _enabled(vae, "enable_slicing") else ["knows no slicing"]
    if model.vae_tiling is True:
        said += ["tiled"] if _enabled(vae, "enable_tiling") else ["knows no tiling"]
    elif model.vae_tiling == "auto" and _tile_only_large(vae):
        said.append(f"tiled above {LONGEST_UNTILED} px (auto)")
    return f"{str(vae.dtype).removeprefix('torch.')} {', '.join(said) or 'whole'}"


def _enabled(vae: Any, switch: str) -> bool:
    """Throw a switch that not every autoencoder has; diffusers raises for one it lacks."""
    try:
        getattr(vae, switch)()
    except (AttributeError, NotImplementedError):
        return False
    return True


def _tile_only_large(vae: Any) -> bool:
    """Tiles of the longest side that passes whole; only the autoencoder of SD takes a size so."""
    if not hasattr(vae, "tile_latent_min_size") or "block_out_channels" not in vae.config:
        return False
    vae.tile_sample_min_size = LONGEST_UNTILED
    vae.tile_latent_min_size = LONGEST_UNTILED // 2 ** (len(vae.config.block_out_channels) - 1)
    return _enabled(vae, "enable_tiling")
