"""The disks of outbox, done and failed must be mounted where they were."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

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
    assert len([fact for fact in facts if fact.startswith("mount ")]) == 3
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
    with pytest.raises(EnvironmentFault, match="none is mounted at") as caught:
        Daemon(config).serve()
    assert "Mount it" in caught.value.advice
    assert not (config.outbox / ".img2imgd").exists(), "nothing is made on the bare mount point"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_root_that_has_moved_does_not_start_without_the_disks_below_it(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    old = make_config()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", old.outbox], check=True)
    try:
        facts = folders.mounts(old)
    finally:
        subprocess.run(["umount", old.outbox], check=True)
    old.root.rename(tmp_path / "moved")
    new = make_config(root="moved")
    (new.outbox / ".img2imgd").rmdir()
    with pytest.raises(EnvironmentFault, match=f"none is mounted at {new.outbox} now"):
        folders.check_mounts(new, facts)
    folders.check_mounts(make_config(root="moved", outbox=tmp_path / "other"), facts)

    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", new.outbox], check=True)
    try:
        folders.check_mounts(new, facts)
    finally:
        subprocess.run(["umount", new.outbox], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
@pytest.mark.parametrize("disk", ["", "outbox"])
def test_a_root_moved_to_another_disk_as_a_whole_starts_there(
    make_config: Callable[..., Config], tmp_path: Path, disk: str
) -> None:
    point = tmp_path / "root" / disk
    point.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", point], check=True)
    try:
        old = make_config()
        facts = folders.mounts(old)
        shutil.copytree(old.root, tmp_path / "moved")
    finally:
        subprocess.run(["umount", point], check=True)
    folders.check_mounts(make_config(root="moved"), facts)
