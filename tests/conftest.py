"""What tests of every kind share: a config below a temporary root."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from hub_server import HubServer, serving
from img2imgd.config import Config, InboxConfig
from img2imgd.config.sections import EngineConfig, LimitsConfig, ModelConfig
from img2imgd.engine.factory import SPINS
from img2imgd.request import BUILT_IN, RequestKeys

pytest_plugins = ["fault_table", "feeder_table"]

# How long an example takes says nothing on a machine that does other things too.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# As in a worker; libgomp reads it when torch is imported. Several tests share the cores, and
# threads that spin for each other take them from the rest.
os.environ.setdefault("GOMP_SPINCOUNT", SPINS)

ConfigMaker = Callable[..., Config]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the modules come first that may last long; at the end they would run alone."""
    longest: dict[Path, float] = {}
    for item in items:
        marker = item.get_closest_marker("timeout")
        longest[item.path] = max(longest.get(item.path, 0), marker.args[0] if marker else 0)
    items.sort(key=lambda item: -longest[item.path])


@pytest.fixture
def hub_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A hub on loopback; this process has no token for it and uses no proxy."""
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    with serving() as server:
        yield server


@pytest.fixture
def make_config(tmp_path: Path) -> ConfigMaker:
    """A maker of configs with the fake engine; keywords are those of the inbox or the config."""

    def make(*, defaults: RequestKeys | None = None, **changes: object) -> Config:
        root = tmp_path / str(changes.pop("root", "root"))
        model = tmp_path / "model"
        model.mkdir(exist_ok=True)
        inbox = InboxConfig(
            path=root / "inbox", settle=2, rescan=5, pair_wait=10, orphan_after=600,
            late_sidecar=3600, defaults=defaults or RequestKeys(),
        )  # fmt: skip
        of_inbox = {name: changes.pop(name) for name in list(changes) if hasattr(inbox, name)}
        config = Config(
            root=root,
            inboxes=(replace(inbox, **of_inbox),),  # type: ignore[arg-type]
            outbox=root / "outbox",
            done=root / "done",
            failed=root / "failed",
            state=root / "state",
            defaults=RequestKeys(steps=4, strength=0.5).over(BUILT_IN),
            models={"demo": ModelConfig(source=str(model))},
            engine=EngineConfig(backend="fake", idle_unload=None),
            limits=LimitsConfig(min_free_gb=0),
        )
        config = replace(config, **changes)  # type: ignore[arg-type]
        for folder in (config.inboxes[0].path, config.outbox):
            (folder / ".img2imgd").mkdir(parents=True, exist_ok=True)
        for folder in (config.done, config.failed, config.state):
            folder.mkdir(exist_ok=True)
        return config

    return make
