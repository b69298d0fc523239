"""From a row of the config's models table to what the engine loads."""

from __future__ import annotations

from img2imgd.config import Config
from img2imgd.engine.protocol import LoraSpec, ModelSpec


def model_spec(config: Config, name: str) -> ModelSpec:
    """The model of that name, with the engine's settings."""
    row = config.models[name]
    return ModelSpec(
        name=name,
        source=row.source,
        scheduler=row.scheduler,
        config=row.config,
        revision=row.revision,
        variant=row.variant,
        vae=row.vae,
        loras=tuple(LoraSpec(lora.source, lora.weight) for lora in row.loras),
        offline=config.offline,
        device=config.engine.device,
        dtype=config.engine.dtype,
        offload=config.engine.offload,
    )
