"""Opens a model's source as a diffusers image-to-image pipeline, still on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch

from img2imgd.engine.contract import check_contract
from img2imgd.engine.devices import Choice, choose_dtype
from img2imgd.engine.identity import variant_of
from img2imgd.engine.model_faults import model_unavailable
from img2imgd.engine.protocol import ModelSpec, ModelUnavailable
from img2imgd.engine.single_files import (
    configs_of,
    open_autoencoder,
    open_single_file,
    read_single_file,
)
from img2imgd.engine.sources import is_file_name
from img2imgd.engine.wholeness import open_pretrained, refuse_absent_parts, refuse_gaps

# diffusers chooses classes at run time and exports lazily: there are no types to name.
Pipeline = Any
_diffusers: Any = diffusers

_AUTOENCODER = (
    "The folder must hold an autoencoder as diffusers saves it: a config.json and weights."
)


def open_pipeline(
    model: ModelSpec, source: str, device: torch.device, parts: Mapping[str, Any] | None = None
) -> tuple[Pipeline, Choice[torch.dtype]]:
    """The pipeline of ``source``, in the number format for ``device``; ``parts`` replace its own.

    Its scheduler is the one of its repository, predicting what the model's row says.

    Raises:
        ModelUnavailable: with what was looked for, what was wrong, and what to do.
    """
    try:
        path = Path(source)
        single = read_single_file(model, path) if is_file_name(model, "model", source) else None
        index = {} if single else _read_index(source)
        configs = configs_of(model, single) if single else path
        dtype = choose_dtype(model, device, transformer="transformer" in index)
        replaced = dict(parts or {})
        if model.vae is not None:
            replaced["vae"] = _open_vae(model, model.vae, configs, dtype.value)
        if single:
            pipe = open_single_file(model, path, single, dtype.value, replaced)
        else:
            pipe = _open_repository(model, source, index, dtype.value, replaced)
    except ModelUnavailable:
        raise
    except Exception as error:
        raise model_unavailable(model, source, error) from error
    check_contract(model, pipe)
    _set_prediction(model, pipe)
    pipe.set_progress_bar_config(disable=True)
    return pipe, dtype


def _read_index(source: str) -> dict[str, Any]:
    return _diffusers.DiffusionPipeline.load_config(source, local_files_only=True)


def _open_repository(
    model: ModelSpec,
    source: str,
    index: Mapping[str, Any],
    dtype: torch.dtype,
    parts: Mapping[str, Any],
) -> Pipeline:
    left_out: dict[str, Any] = {}
    if not model.safety_checker and index.get("safety_checker", [None])[0] is not None:
        left_out = {"safety_checker": None, "requires_safety_checker": False}
    given = {**left_out, **parts}
    _refuse_unknown_family(index)
    refuse_absent_parts(model, Path(source), index, given)
    texts = open_pretrained(model, Path(source), index, dtype, given)
    pipe = _diffusers.AutoPipelineForImage2Image.from_pretrained(
        source,
        dtype=dtype,
        variant=model.variant,
        local_files_only=True,
        **given,
        **texts,
    )
    refuse_gaps(model, source, pipe.components)
    if type(pipe).__name__ == "LatentConsistencyModelImg2ImgPipeline":
        # Its own pipeline runs every step at every strength, and takes no other scheduler. That of
        # Stable Diffusion has the same parts, and knows models with a guidance distilled in.
        checked = pipe.safety_checker is not None
        return _diffusers.StableDiffusionImg2ImgPipeline(
            **pipe.components, requires_safety_checker=checked
        )
    return pipe


def _refuse_unknown_family(index: Mapping[str, Any]) -> None:
    """Raise diffusers' error for a family that paints from no picture, before much is read."""
    kind = str(index.get("_class_name"))
    auto = _diffusers.pipelines.auto_pipeline
    if "Control" not in kind:  # the names of those are put together from what they are given
        mapping = auto.AUTO_IMAGE2IMAGE_PIPELINES_MAPPING
        auto._get_task_class(mapping, kind)  # noqa: SLF001 - there is no public way to ask


def _open_vae(model: ModelSpec, vae: str, configs: Path, dtype: torch.dtype) -> Any:
    """Another autoencoder: a folder, or a file, which has the config of the model's own."""
    try:
        if is_file_name(model, "VAE", vae):
            return open_autoencoder(model, Path(vae), configs, dtype)
        opened = _diffusers.AutoModel.from_pretrained(
            vae,
            dtype=dtype,
            variant=variant_of(Path(vae), model.variant),
            local_files_only=True,
        )
    except ModelUnavailable:
        raise
    except Exception as error:
        raise model_unavailable(model, vae, error, _AUTOENCODER) from error
    refuse_gaps(model, vae, {"vae": opened})
    return opened


def _set_prediction(model: ModelSpec, pipe: Pipeline) -> None:
    if model.prediction is None:
        return
    own: Any = pipe.scheduler
    if "prediction_type" not in own.config:
        raise ModelUnavailable(
            f"Model {model.name}: {type(own).__name__} knows no kinds of prediction.",
            "Leave `prediction` out: it is for Stable Diffusion up to XL.",
        )
    pipe.scheduler = own.from_config(own.config, prediction_type=model.prediction)
