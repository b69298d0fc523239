"""Replaces the hub ids of a model by the folders that hold their files, downloaded where need be.

The loaders after it see local folders and files alone.
"""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

from img2imgd.engine.protocol import ModelSpec, ModelUnavailable, RefinerSpec
from img2imgd.hub.client import Hub
from img2imgd.hub.faults import HubFault
from img2imgd.hub.fetching import download, followed, local_copy, plan, require_space
from img2imgd.hub.sizes import in_words
from img2imgd.hub.source import ModelSources, Wanted
from img2imgd.hub.telling import ProgressLines

log = logging.getLogger(__name__)

_KEEP_FREE = 1e9  # bytes that a download leaves; the default of `limits.min_free_gb`


def sources_of(model: ModelSpec) -> ModelSources:
    """What the model is made of, as the hub's package takes it; ``fetch`` asks for the same."""
    return ModelSources(
        source=model.source,
        revision=model.revision,
        variant=model.variant,
        config=model.config,
        vae=model.vae,
        loras=tuple(lora.source for lora in model.loras),
        embeddings=tuple(embedding.source for embedding in model.embeddings),
        safety_checker=model.safety_checker,
        refiner=_refiner_sources(model.refiner) if model.refiner else None,
    )


def _refiner_sources(refiner: RefinerSpec) -> ModelSources:
    """The refiner decodes with the model's own autoencoder."""
    return ModelSources(
        refiner.source, refiner.revision, refiner.variant, refiner.config, decodes=False
    )


def with_local_files(model: ModelSpec) -> ModelSpec:
    """The model with every hub id replaced by where its files are on this machine.

    What is here is taken without asking the hub, so a model changes only when it is fetched again.

    Raises:
        ModelUnavailable: something is missing and cannot be had; the advice says what to do.
    """
    wanted = sources_of(model).wanted()
    paths = {key: str(_local(model, files)) for key, files in wanted.items()}
    refiner = model.refiner and dataclasses.replace(
        model.refiner,
        source=paths.get("refiner.source", model.refiner.source),
        config=paths.get("refiner.config", model.refiner.config),
    )
    return dataclasses.replace(
        model,
        source=paths.get("source", model.source),
        config=paths.get("config", model.config),
        vae=paths.get("vae", model.vae),
        loras=tuple(
            dataclasses.replace(lora, source=paths.get(f"loras.{number}", lora.source))
            for number, lora in enumerate(model.loras)
        ),
        embeddings=tuple(
            dataclasses.replace(one, source=paths.get(f"embeddings.{number}", one.source))
            for number, one in enumerate(model.embeddings)
        ),
        refiner=refiner,
    )


def _local(model: ModelSpec, named: Wanted) -> Path:
    hub = Hub()
    wanted = followed(hub, named)
    if wanted != named:
        log.info(
            "model moved model=%s: %s is loaded from %s", model.name, named.source, wanted.source
        )
    try:
        return local_copy(hub, wanted)
    except HubFault as fault:
        if model.offline:
            raise _unavailable(
                model, fault, f"Run `img2imgd fetch {model.name}` while there is a network; "
                "the daemon itself is offline (`offline: true`)."
            ) from None  # fmt: skip
        log.info("model missing model=%s: %s", model.name, fault.message)
    try:
        return _download(hub, model, wanted)
    except HubFault as fault:
        raise _unavailable(model, fault, fault.advice) from fault


def _download(hub: Hub, model: ModelSpec, wanted: Wanted) -> Path:
    planned = plan(hub, wanted)
    free = require_space(hub, [planned], _KEEP_FREE)
    log.info(
        "downloading model=%s source=%s: %s in %d files to %s, %s free",
        model.name, wanted.source, in_words(planned.to_come), len(planned.missing), hub.cache,
        in_words(free),
    )  # fmt: skip

    def say(line: str) -> None:
        log.info("downloading model=%s: %s", model.name, line)

    folder = download(hub, planned, ProgressLines(planned.to_come, say))
    log.info("downloaded model=%s source=%s to %s", model.name, wanted.source, folder)
    return folder


def _unavailable(model: ModelSpec, fault: HubFault, advice: str) -> ModelUnavailable:
    return ModelUnavailable(f"Model {model.name}: {fault.message}", advice)
