"""What a config that is read again may change, and how the change is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from img2imgd.app.reloading import Handover, changes, check_folders
from img2imgd.config import Config, LimitsConfig, ModelConfig
from img2imgd.errors import UsageError
from img2imgd.request import RequestKeys


@pytest.fixture
def config(make_config: Callable[..., Config]) -> Config:
    return make_config()


def test_an_equal_config_has_no_changes(config: Config) -> None:
    check_folders(config, replace(config))
    assert changes(config, replace(config, notes=("said",), path=Path("/other.yaml"))) == []


def test_every_key_that_differs_is_named(config: Config) -> None:
    (inbox,) = config.inboxes
    defaults = RequestKeys(strength=0.3)
    other = replace(
        config,
        inboxes=(replace(inbox, settle=9.0, defaults=defaults),),
        defaults=structs.replace(config.defaults, strength=0.4),
        models={"sd21": ModelConfig(source="/models/sd21")},
        engine=structs.replace(config.engine, device="cpu"),
        limits=LimitsConfig(min_free_gb=2),
        offline=True,
    )
    assert changes(config, other) == [
        "inboxes.inbox.settle", "inboxes.inbox.defaults.strength", "defaults.strength",
        "models.demo (gone)", "models.sd21 (new)", "engine.device", "limits.min_free_gb", "offline",
    ]  # fmt: skip
    row = {"demo": ModelConfig(source="/models/other")}
    assert changes(config, replace(config, models=row)) == ["models.demo"]


@pytest.mark.parametrize("key", ["root", "outbox", "done", "failed", "state"])
def test_another_folder_needs_a_restart(config: Config, key: str) -> None:
    with pytest.raises(UsageError, match=rf"Another {key} needs a restart"):
        check_folders(config, replace(config, **{key: Path("/elsewhere")}))  # type: ignore[arg-type]


def test_another_inbox_needs_a_restart_and_another_order_does_not(config: Config) -> None:
    (inbox,) = config.inboxes
    two = replace(config, inboxes=(inbox, replace(inbox, path=Path("/second"))))
    with pytest.raises(UsageError, match="needs a restart"):
        check_folders(config, two)
    turned = replace(two, inboxes=two.inboxes[::-1])
    check_folders(two, turned)
    assert changes(two, turned) == []


def test_of_configs_handed_over_the_last_is_taken_once(config: Config) -> None:
    handover = Handover()
    assert handover.take() is None
    newest = replace(config, offline=True)
    handover.put(config)
    handover.put(newest)
    assert handover.take() is newest
    assert handover.take() is None
