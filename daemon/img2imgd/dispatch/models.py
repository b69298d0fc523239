"""From a row of the config's models table to what the engine loads."""

from __future__ import annotations

from pathlib import PurePath

from msgspec import structs

from img2imgd.config import Config
from img2imgd.config.sections import EmbeddingConfig
from img2imgd.engine.protocol import EmbeddingSpec, LoraSpec, ModelSpec, RefinerSpec


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
        embeddings=tuple(EmbeddingSpec(one.source, _token(one)) for one in row.embeddings),
        refiner=RefinerSpec(**structs.asdict(row.refiner)) if row.refiner else None,
        prediction=row.prediction,
        offline=config.offline,
        device=config.engine.device,
        dtype=config.engine.dtype,
        offload=config.engine.offload,
        max_batch=None if config.engine.max_batch == "auto" else config.engine.max_batch,
        attention=config.engine.attention,
        channels_last=config.engine.channels_last,
        compile=config.engine.compile,
        tf32=config.engine.tf32,
        threads=config.engine.threads,
        vae_slicing=config.engine.vae_slicing,
        vae_tiling=config.engine.vae_tiling,
        safety_checker=row.safety_checker,
        cache=config.state,
    )


def _token(embedding: EmbeddingConfig) -> str:
    """The word that is written, or else the name of the file or repository."""
    return embedding.token or PurePath(embedding.source).name.removesuffix(".safetensors")
