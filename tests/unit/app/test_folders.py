"""The disks of outbox, done and failed must be mounted where they were."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from img2imgd.app import Daemon, folders
from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault
from img2imgd.ledger import open_ledger


def test_the_mounts_of_a_first_start_are_those_of_the_next(
    make_config: Callable[..., Config],
) -> None:
    config = make_config()
    facts = folders.mounts(config)
    assert len(facts) == 3
    folders.check_mounts(config, facts)
    folders.check_mounts(config, {})


def test_a_disk_that_is_not_mounted_keeps_the_daemon_from_starting(
    make_config: Callable[..., Config],
) -> None:
    config = make_config()
    ledger = open_ledger(config.state / "ledger.sqlite")
    (fact,) = (name for name in folders.mounts(config) if name.endswith("/outbox"))
    ledger.set_facts(**{fact: str(config.root)})  # which was a mount point then
    ledger.close()
    (config.outbox / ".img2imgd").rmdir()
    with pytest.raises(EnvironmentFault, match="was mounted at") as caught:
        Daemon(config).serve()
    assert "Mount it" in caught.value.advice
    assert not (config.outbox / ".img2imgd").exists(), "nothing is made on the bare mount point"
