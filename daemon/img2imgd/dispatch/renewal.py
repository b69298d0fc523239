"""Whether the worker paints by settings that the config, read again, no longer has."""

from __future__ import annotations

from typing import Literal

from msgspec import structs

from img2imgd.config import Config, EngineConfig
from img2imgd.dispatch.models import model_spec
from img2imgd.engine.protocol import ModelSpec
from img2imgd.pool.supervision import WorkerPool

Due = Literal["", "model", "worker"]


class Renewal:
    """Knows by which settings the model was loaded that the worker has."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._loaded_by: tuple[ModelSpec, EngineConfig] | None = None

    def loading(self, config: Config, spec: ModelSpec) -> None:
        """Note that a model is being loaded by this config."""
        self._loaded_by = spec, _of_worker(config)

    def due(self, config: Config) -> Due:
        """What is to be replaced, once what it paints is painted; empty for nothing.

        A model whose row is gone stays until another takes its place: no job is painted with it.
        """
        if self._pool.is_outdated:
            return "worker"
        loaded = self._pool.loaded
        if loaded is None or self._loaded_by is None or loaded.name not in config.models:
            return ""
        spec, engine = self._loaded_by
        if engine != _of_worker(config):
            return "worker"
        return "model" if spec != model_spec(config, loaded.name) else ""


def _of_worker(config: Config) -> EngineConfig:
    """The engine's settings, without those that the supervisor follows itself."""
    return structs.replace(config.engine, idle_unload=None, stall_timeout=None)
