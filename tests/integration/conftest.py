"""Rigs for integration tests; one reader process serves them all."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from rig import Rig
from sticks import Stick, StickMaker

from hub_server import HubServer
from img2imgd.config import Config
from img2imgd.hub.client import Hub
from img2imgd.pool.reading import ReaderProcess
from img2imgd.pool.supervision import WorkerPool

RigMaker = Callable[..., Rig]


@pytest.fixture(scope="session")
def reader() -> Iterator[ReaderProcess]:
    """The reader process."""
    process = ReaderProcess(timeout=30)
    yield process
    process.close()


@pytest.fixture
def make_rig(
    make_config: Callable[..., Config], reader: ReaderProcess, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RigMaker]:
    """A maker of rigs; keywords as for ``make_config``.

    No power fails here, so nothing is waited for to reach the disk: crashes alone are simulated.
    """

    def fsync(_: int) -> None:
        pass

    monkeypatch.setattr(os, "fsync", fsync)
    rigs: list[Rig] = []

    def make(**changes: object) -> Rig:
        shared = changes.pop("shared", None)
        assert shared is None or isinstance(shared, WorkerPool)
        rigs.append(Rig(make_config(**changes), reader, shared))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture
def rig(make_rig: RigMaker) -> Rig:
    """A rig whose inbox moves drops and has no default prompt."""
    return make_rig()


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[StickMaker]:
    """Plugs a disk in at a folder; only root may."""
    device = tmp_path / "stick"
    device.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", device], check=True)
    made: list[Stick] = []

    def make(at: Path) -> Stick:
        made.append(Stick(device, at))
        made[-1].plug()
        return made[-1]

    try:
        yield make
    finally:
        for each in made:
            if each.at.is_mount():
                each.unplug()
        subprocess.run(["umount", "--lazy", device], check=True)


@pytest.fixture
def hub(hub_server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The hub on loopback with an empty cache and no token."""
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    return Hub(hub_server.url, tmp_path / "cache")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Models this small only wait for each other's threads when the machine is busy."""
    import torch  # late: most tests here need none of it

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
