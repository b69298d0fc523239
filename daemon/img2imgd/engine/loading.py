"""Loads a model into a diffusers image-to-image pipeline."""

from __future__ import annotations

import inspect
import logging
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from img2imgd.engine.devices import choose_device, choose_dtype
from img2imgd.engine.downloading import with_local_files
from img2imgd.engine.model_faults import model_unavailable
from img2imgd.engine.protocol import ModelInfo, ModelSpec, ModelUnavailable
from img2imgd.engine.schedulers import make_scheduler

log = logging.getLogger(__name__)

SINGLE_FILES = (".safetensors", ".ckpt", ".gguf", ".pt", ".pth", ".bin")
# Warnings of transformers that mean nothing here: torchvision is not used, and the pipelines
# cut a long prompt themselves (diffusers then logs what was cut).
_HARMLESS = ("requires torchvision (not installed)", "Token indices sequence length is longer")

# diffusers chooses classes at run time and exports lazily: there are no types to name.
Pipeline = Any
_diffusers: Any = diffusers


def load_pipeline(model: ModelSpec) -> tuple[Pipeline, ModelInfo]:
    """Load ``model`` onto its device, ready to paint.

    Raises:
        ModelUnavailable: with what was looked for, what was wrong, and what to do.
    """
    _quiet()
    model = with_local_files(model)
    source = _locate(model)
    try:
        pipe, device, dtype = _load(model, source)
    except ModelUnavailable:
        raise
    except Exception as error:
        log.debug("model not loaded model=%s", model.name, exc_info=True)
        raise model_unavailable(model, source, error) from error
    info = ModelInfo(
        name=model.name,
        native_size=native_size(pipe),
        multiple=size_multiple(pipe),
        device=str(device),
        dtype=str(dtype).removeprefix("torch."),
        pipeline=type(pipe).__name__,
    )
    log.info(
        "model loaded model=%s source=%s pipeline=%s device=%s dtype=%s",
        info.name, source, info.pipeline, info.device, info.dtype,
    )  # fmt: skip
    return pipe, info


def native_size(pipe: Pipeline) -> int:
    """The side in pixels that the model was trained at; 512 where it does not say."""
    denoiser = _denoiser(pipe)
    sample: Any = getattr(pipe, "default_sample_size", None) or denoiser.config.get("sample_size")
    if not sample:
        return 512
    side: int = sample if isinstance(sample, int) else max(sample)
    return side * _vae_factor(pipe)


def size_multiple(pipe: Pipeline) -> int:
    """What width and height must divide by for latents that halve evenly all the way down.

    A UNet halves them between its blocks; diffusers stretches odd ones to fit on the way up, which
    it was not trained for. That gives 64 for SD 1 and 2 and 32 for XL. A transformer cuts latents
    into patches, of side 2 in every family that diffusers serves with ``strength``.
    """
    denoiser = _denoiser(pipe)
    blocks = denoiser.config.get("block_out_channels")
    return _vae_factor(pipe) * (2 ** (len(blocks) - 1) if blocks else 2)


def _load(model: ModelSpec, source: str) -> tuple[Pipeline, torch.device, torch.dtype]:
    where: dict[str, Any] = {
        "revision": model.revision,
        "local_files_only": model.offline or Path(source).is_dir(),
    }
    index: dict[str, Any] = _diffusers.DiffusionPipeline.load_config(source, **where)
    device = choose_device(model)
    dtype = choose_dtype(model, device, transformer="transformer" in index)
    parts: dict[str, Any] = {}
    if not model.safety_checker and index.get("safety_checker", [None])[0] is not None:
        log.info("safety checker left out model=%s", model.name)
        parts = {"safety_checker": None, "requires_safety_checker": False}
    if model.vae is not None:
        parts["vae"] = _load_vae(model, model.vae, dtype)
    pipe: Pipeline = _diffusers.AutoPipelineForImage2Image.from_pretrained(
        source, dtype=dtype, variant=model.variant, **where, **parts
    )
    _check_contract(model, pipe)
    pipe.scheduler = make_scheduler(model, pipe.scheduler)
    _load_loras(model, pipe)
    pipe.set_progress_bar_config(disable=True)
    _place(model, pipe, device)
    return pipe, device, dtype


def _locate(model: ModelSpec) -> str:
    """The local folder to load; refuses what cannot be one."""
    path = Path(model.source)
    if path.suffix in SINGLE_FILES:
        raise ModelUnavailable(
            f"Model {model.name}: {path.name} is a single file, which cannot be loaded yet.",
            "Use a diffusers folder: diffusers' scripts/convert_original_stable_diffusion_to_"
            "diffusers.py makes one from a checkpoint.",
        )
    if not path.is_dir():
        raise ModelUnavailable(
            f"Model {model.name}: there is no folder {path}.",
            "Put the model there, or correct `source` in the models table.",
        )
    if not (path / "model_index.json").is_file():
        raise ModelUnavailable(
            f"Model {model.name}: {path} has no model_index.json, so it is no diffusers model.",
            "Correct `source` in the models table: it is the folder that holds model_index.json.",
        )
    return str(path)


def _check_contract(model: ModelSpec, pipe: Pipeline) -> None:
    """Refuse pipelines that take a picture as a reference to edit instead of one to repaint."""
    parameters = inspect.signature(pipe.__call__).parameters
    missing = {"image", "strength", "callback_on_step_end"} - set(parameters)
    if missing:
        raise ModelUnavailable(
            f"Model {model.name}: {type(pipe).__name__} knows no {', '.join(sorted(missing))}.",
            "Models that edit by instruction are not served yet; use an image-to-image one.",
        )


def _load_vae(model: ModelSpec, source: str, dtype: torch.dtype) -> Any:
    if Path(source).suffix in SINGLE_FILES:
        raise ModelUnavailable(
            f"Model {model.name}: the VAE {source} is a single file, which cannot be loaded yet.",
            "Use a diffusers folder (config.json and weights) or a hub id.",
        )
    offline = model.offline or Path(source).is_dir()
    return _diffusers.AutoModel.from_pretrained(source, dtype=dtype, local_files_only=offline)


def _load_loras(model: ModelSpec, pipe: Pipeline) -> None:
    names: list[str] = []
    for number, lora in enumerate(model.loras):
        path = Path(lora.source)
        names.append(f"lora{number}")
        try:
            if path.is_file():
                pipe.load_lora_weights(
                    str(path.parent), weight_name=path.name, adapter_name=names[-1]
                )
            else:
                pipe.load_lora_weights(
                    lora.source, adapter_name=names[-1], local_files_only=model.offline
                )
        except Exception as error:
            raise ModelUnavailable(
                f"Model {model.name}: the LoRA {lora.source} could not be loaded: {error}",
                "See that it is there, and made for this family of models.",
            ) from error
    if names:
        pipe.set_adapters(names, [lora.weight for lora in model.loras])


def _place(model: ModelSpec, pipe: Pipeline, device: torch.device) -> None:
    """Put the weights on the device, or have accelerate bring them there part by part."""
    if device.type == "cpu" or model.offload == "none":
        pipe.to(device)
    elif model.offload == "model":
        pipe.enable_model_cpu_offload(device=device)
    elif model.offload == "sequential":
        pipe.enable_sequential_cpu_offload(device=device)
    else:
        raise ModelUnavailable(
            f"Model {model.name}: there is no way to offload named {model.offload!r}.",
            "Set `engine.offload` to none, model or sequential.",
        )


def _denoiser(pipe: Pipeline) -> Any:
    return getattr(pipe, "unet", None) or pipe.transformer


def _vae_factor(pipe: Pipeline) -> int:
    return int(getattr(pipe, "vae_scale_factor", 8))


def _quiet() -> None:
    """No progress bars in a daemon's log, nor warnings that are known to be harmless."""
    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    for handler in logging.getLogger("transformers").handlers:
        handler.addFilter(_is_telling)


def _is_telling(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    return not any(harmless in text for harmless in _HARMLESS)
