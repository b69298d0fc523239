"""Loads a model, ready to paint, and says what it is."""

from __future__ import annotations

import copy
import dataclasses
import logging
import warnings

import torch
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from img2imgd.engine.adapters import load_embeddings, load_loras
from img2imgd.engine.devices import choose_device
from img2imgd.engine.downloading import with_local_files
from img2imgd.engine.families import (
    SDXL,
    SDXL_REFINER,
    family_of,
    ignored_keys,
    native_size,
    size_multiple,
)
from img2imgd.engine.identity import WeightHashes, library_versions
from img2imgd.engine.model_faults import model_unavailable
from img2imgd.engine.opening import Pipeline, open_pipeline
from img2imgd.engine.placement import place, set_attention, set_autoencoder
from img2imgd.engine.protocol import ModelInfo, ModelSpec, ModelUnavailable, RefinerSpec
from img2imgd.engine.schedulers import make_scheduler
from img2imgd.engine.sources import locate
from img2imgd.engine.speed import set_speed, set_threads, tell_what_has_no_effect
from img2imgd.request import OWN, scheduler_named

log = logging.getLogger(__name__)

# Warnings that mean nothing here: torchvision is not used, the pipelines cut a long prompt
# themselves (diffusers then logs what was cut), no module is named that must stay in fp32, a LoRA
# without weights for any part is refused, vectors of new words are replaced by their own, and a
# model that lacks weights is refused.
_HARMLESS = (
    "requires torchvision (not installed)",
    "Token indices sequence length is longer",
    "that should be kept in float32: []",
    "No LoRA keys associated to",
    "The new embeddings will be initialized",
    "LOAD REPORT",
    "and are newly initialized: ",
)


def load_pipeline(model: ModelSpec) -> tuple[Pipeline, ModelInfo]:
    """Load ``model`` onto its device, ready to paint.

    Raises:
        ModelUnavailable: with what was looked for, what was wrong, and what to do.
    """
    _quiet()
    here = with_local_files(model)
    source = locate(here)
    try:
        pipe, info = _load(here, source)
    except ModelUnavailable:
        log.debug("model not loaded model=%s", model.name, exc_info=True)
        raise
    except Exception as error:
        log.debug("model not loaded model=%s", model.name, exc_info=True)
        raise model_unavailable(model, source, error) from error
    return pipe, dataclasses.replace(info, source=model.source)


def _load(model: ModelSpec, source: str) -> tuple[Pipeline, ModelInfo]:
    device = choose_device(model)
    set_threads(model)
    tell_what_has_no_effect(model, device.value)
    pipe, dtype = open_pipeline(model, source, device.value)
    pipe.scheduler = make_scheduler(model, pipe.scheduler)
    hashes = WeightHashes(model.cache)
    vae = set_autoencoder(model, pipe)
    refiner = ""
    if model.refiner is not None:
        pipe, refiner = _refined(model, model.refiner, pipe, device.value, hashes)
    loras = load_loras(model, pipe)
    embeddings = load_embeddings(model, pipe)
    attention = set_attention(model, pipe)
    offload = place(model, pipe, device.value)
    speed = set_speed(model, pipe, device.value)
    info = ModelInfo(
        name=model.name,
        native_size=native_size(pipe),
        multiple=size_multiple(pipe),
        device=str(device.value),
        dtype=str(dtype.value).removeprefix("torch."),
        pipeline=type(pipe).__name__,
        family=family_of(pipe),
        source=source,
        weights=hashes.of_model(source, model.variant, {"vae"} if model.vae else ()),
        vae=hashes.of_part(model.vae, model.variant) if model.vae else "",
        refiner=refiner,
        loras=tuple((lora.name, lora.weight, hashes.of_file(lora.file)) for lora in loras),
        embeddings=tuple((one.name, hashes.of_file(one.file)) for one in embeddings),
        scheduler=_scheduler_name(model, pipe),
        ignores=ignored_keys(pipe),
        libraries=library_versions(),
    )
    log.info(
        "model loaded model=%s family=%s source=%s weights=%s refiner=%s pipeline=%s device=%s "
        "dtype=%s attention=%s vae=%s offload=%s speed=%s loras=%d embeddings=%d",
        info.name, info.family, source, info.weights[:10], refiner[:10] or "none", info.pipeline,
        device, dtype, attention, vae, offload, speed, len(loras), len(embeddings),
    )  # fmt: skip
    return pipe, info


def _scheduler_name(model: ModelSpec, pipe: Pipeline) -> str:
    """The name of the scheduler; the model's own by that of its kind, where that has one."""
    if model.scheduler != OWN:
        return model.scheduler
    return scheduler_named(type(pipe.scheduler).__name__) or OWN


def _refined(
    model: ModelSpec,
    spec: RefinerSpec,
    base: Pipeline,
    device: torch.device,
    hashes: WeightHashes,
) -> tuple[Pipeline, str]:
    """The base with its refiner, and the hash of the refiner's weights.

    The refiner decodes with a copy of the base's autoencoder, so that ``vae`` holds for both. A
    copy is small, and offloading could not move one autoencoder for two pipelines.
    """
    if family_of(base) != SDXL.name:
        raise ModelUnavailable(
            f"Model {model.name}: it is no Stable Diffusion XL, which alone takes a refiner.",
            "Leave its `refiner` out.",
        )
    alone = dataclasses.replace(
        model, source=spec.source, config=spec.config, revision=spec.revision,
        variant=spec.variant, vae=None, loras=(), embeddings=(), refiner=None,
        prediction=None, safety_checker=False,
    )  # fmt: skip
    source = locate(alone)
    refiner, _ = open_pipeline(alone, source, device, {"vae": copy.deepcopy(base.vae)})
    if family_of(refiner) not in (SDXL.name, SDXL_REFINER.name):
        raise ModelUnavailable(
            f"Model {model.name}: its refiner {source} is no Stable Diffusion XL.",
            "Name the SDXL refiner, or another SDXL model, as `refiner`.",
        )
    set_attention(alone, refiner)
    place(alone, refiner, device)
    # Late: it imports SDXL's pipeline, which no other model needs.
    from img2imgd.engine.refining import StableDiffusionXLRefinedImg2ImgPipeline

    pipe = StableDiffusionXLRefinedImg2ImgPipeline.of(base, refiner, spec.start)
    return pipe, hashes.of_model(source, spec.variant, without={"vae"})


def _quiet() -> None:
    """No progress bars in a daemon's log, nor warnings that are known to be harmless."""
    # diffusers' own call of it, wherever SDXL runs in half precision.
    warnings.filterwarnings("ignore", ".*`upcast_vae` is deprecated", FutureWarning)
    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    for library in ("transformers", "diffusers"):
        for handler in logging.getLogger(library).handlers:
            handler.addFilter(_is_telling)


def _is_telling(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    return not any(harmless in text for harmless in _HARMLESS)
