"""A hub within a machine, and a model that the fetch unit downloads from it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from machine import Machine
from served_machine import Service

UNIT = "img2imgd-fetch@toy.service"
MODELS = "model: toy\nmodels: {toy: {source: them/toy}}\n"

_HUB = """
import sys, threading
from pathlib import Path
sys.path.insert(0, "/opt/source/tests")
from hub_server import serving
with serving() as hub:
    hub.add("them/toy", Path("/opt/source/daemon/img2imgd/demo_model"))
    print(hub.url, flush=True)
    threading.Event().wait()
"""


@contextlib.contextmanager
def hub(machine: Machine) -> Iterator[None]:
    """The embedded model as them/toy of a hub on the machine's loopback, which fetch asks."""
    with machine.start("/opt/img2imgd/bin/python", "-c", _HUB) as server:
        assert server.stdout is not None
        settings = machine.root / "etc/img2imgd/fetch.env"
        settings.write_text(f"HF_ENDPOINT={server.stdout.readline()}NO_PROXY=127.0.0.1,localhost\n")
        settings.chmod(0o600)
        try:
            yield
        finally:
            server.kill()
            settings.unlink()


def fetch(service: Service) -> None:
    """Download the model, if no test has done it before. The config names it already."""
    if not list((service.machine.root / "var/cache/img2imgd/huggingface/hub").glob("*toy")):
        with hub(service.machine):
            service.systemctl("start", UNIT)
