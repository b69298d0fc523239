"""When the worker paints by settings that the config, read again, no longer has: it is replaced."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Literal

from msgspec import structs

from img2imgd.config import Config, EngineConfig
from img2imgd.dispatch.edge import Edge
from img2imgd.dispatch.faults import Faults
from img2imgd.dispatch.models import model_spec
from img2imgd.dispatch.running import RunningJob
from img2imgd.dispatch.starting import Starting
from img2imgd.engine.protocol import ModelSpec
from img2imgd.pool.supervision import WorkerPool

log = logging.getLogger(__name__)

_GRACE = 5.0  # seconds for a worker that has nothing to do

Due = Literal["", "model", "worker"]


class Renewal:
    """Knows by which settings the model was loaded that the worker has.

    ``running`` is the dispatcher's own table of jobs, by id.
    """

    def __init__(
        self,
        pool: WorkerPool,
        starting: Starting,
        faults: Faults,
        edge: Edge,
        running: Mapping[str, RunningJob],
    ) -> None:
        self._pool = pool
        self._starting = starting
        self._faults = faults
        self._edge = edge
        self._running = running
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

    def renew(self, config: Config) -> bool:
        """Let go of what is :meth:`due`; False while it still paints.

        A job that meets a fault may need just that: it goes on from its staged frames.
        """
        jobs = list(self._running.values())
        if self._starting.under_way or any(
            job.at_work or (job.to_paint and not self._faults.has_met(job.id)) for job in jobs
        ):
            return False
        for job in jobs:
            if job.to_paint:
                self._edge.queue_again(job)
        if self.due(config) == "worker":
            log.info("the engine's settings have changed: the worker is let go")
            self._pool.stop(_GRACE)
        else:
            log.info("the model's row has changed: it is loaded anew when it is needed")
            self._pool.let_model_go()
        return True


def _of_worker(config: Config) -> EngineConfig:
    """The engine's settings, without those that the supervisor follows itself."""
    return structs.replace(config.engine, idle_unload=None, stall_timeout=None)
