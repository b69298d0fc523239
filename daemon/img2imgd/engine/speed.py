"""Switches that make a loaded model faster, and what each of them needs."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
from typing import Any

import torch

from img2imgd.engine.devices import first_line
from img2imgd.engine.families import denoiser
from img2imgd.engine.protocol import ModelSpec, ModelUnavailable

log = logging.getLogger(__name__)


def set_threads(model: ModelSpec) -> None:
    """How many of the processor's threads one operation uses; torch's own choice where not told."""
    if model.threads is None:
        return
    torch.set_num_threads(model.threads)
    cores = len(os.sched_getaffinity(0))
    if model.threads > cores:
        log.warning(
            "more threads than cores are slower model=%s threads=%d cores=%d",
            model.name, model.threads, cores,
        )  # fmt: skip


def tell_what_has_no_effect(model: ModelSpec, device: torch.device) -> None:
    """Log what the config asks for and this device cannot follow."""
    on_cpu = device.type == "cpu"
    if model.offload != "none" and on_cpu:
        log.warning("offload has no effect on a CPU model=%s offload=%s", model.name, model.offload)
    if model.tf32 and device.type != "cuda":
        where = "a CPU" if on_cpu else device.type
        log.warning("tf32 has no effect on %s model=%s", where, model.name)


def set_speed(model: ModelSpec, pipe: Any, device: torch.device) -> str:
    """Have a model that is in its place compute as the config says; gives that back in words.

    Raises:
        ModelUnavailable: this machine or this model cannot.
    """
    said: list[str] = []
    if model.channels_last:
        # Only a UNet and an autoencoder have convolutions, whose weights this is about.
        for part in (getattr(pipe, "unet", None), pipe.vae):
            if part is not None:
                part.to(memory_format=torch.channels_last)
        said.append("channels_last")
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high" if model.tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = model.tf32
        said += ["tf32"] if model.tf32 else []
    if model.compile:
        _compile(model, pipe, device)
        said.append("compiled blocks")
    return ", ".join(said) or "plain"


def _compile(model: ModelSpec, pipe: Any, device: torch.device) -> None:
    """Compile the blocks that a denoiser repeats, each once for all sizes of batches.

    Compiling the whole would take minutes for each new size of a batch. It is done at the first
    call; here it is only found out that it can be.
    """
    missing = _missing_compiler(device)
    if missing:
        raise ModelUnavailable(
            f"Model {model.name}: it cannot be compiled: {missing}.",
            "Install that, or set `engine.compile` to false.",
        )
    try:
        denoiser(pipe).compile_repeated_blocks(dynamic=True)
    except (AttributeError, ValueError) as error:  # which has no blocks that repeat
        raise ModelUnavailable(
            f"Model {model.name}: it cannot be compiled: {first_line(error)}.",
            "Set `engine.compile` to false.",
        ) from error
    log.info(
        "model compiles within its first calls, for minutes on a CPU model=%s part=%s",
        model.name, type(denoiser(pipe)).__name__,
    )  # fmt: skip


def _missing_compiler(device: torch.device) -> str:
    """What torch's compiler lacks on this machine; empty where it has everything."""
    if device.type == "cuda":
        return "" if importlib.util.find_spec("triton") else "the package triton is not installed"
    compiler = os.environ.get("CXX", "g++")
    return "" if shutil.which(compiler) else f"there is no C++ compiler ({compiler})"
