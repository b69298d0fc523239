"""Tiny models of every family, built once, and what keeps their tests quick and off the network."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from forms import Forms, save_forms
from PIL import Image
from tiny_unets import BUILDERS


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test here may look up a name or open a connection, not even one that goes on without."""
    tried: list[object] = []

    def refuse(*address: object, **_: object) -> None:
        tried.append(address)
        raise OSError("the network is not to be used")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    yield
    assert tried == []


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "in.png"
    Image.radial_gradient("L").resize((32, 32)).convert("RGB").save(path)
    return path


@pytest.fixture(scope="session")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Forms]:
    into = tmp_path_factory.mktemp("models")
    return {family: save_forms(family, into) for family in BUILDERS}
