"""A real daemon with its page, whose costs are looked at from outside."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from tools.ports import free_port

from .report import table

_TICKS = os.sysconf("SC_CLK_TCK")
_CONFIG = """\
root: {root}
engine: {{backend: {backend}, device: {device}}}
limits: {{min_free_gb: 0, max_frames: 1000}}
status: {{listen: "127.0.0.1:{port}"}}
{models}
inboxes: [{{path: {root}/inbox, settle: 0.3, rescan: 2, pair_wait: 0.5,
           defaults: {{prompt: a lake with mountains, seed: 7}}}}]
"""


@dataclass(frozen=True)
class Daemon:
    """A daemon with a page."""

    root: Path
    port: int
    pid: int

    def get(self, path: str) -> bytes:
        """What the page answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def now(self) -> Any:
        """What the page tells of now."""
        return json.loads(self.get("/api/now"))

    def cpu_seconds(self) -> float:
        """Processor time of the supervisor so far."""
        return cpu_seconds(self.pid)

    def worker(self) -> int:
        """The pid of the process that paints."""
        children = Path(f"/proc/{self.pid}/task").glob("*/children")
        pids = [int(pid) for file in children for pid in file.read_text().split()]
        return next(
            pid for pid in pids if b"pool.process" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )

    def rss_mb(self) -> float:
        """Its resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1000

    def cpu_percent(self, seconds: float) -> float:
        """Of one core, from now on for so long."""
        began, before = time.monotonic(), self.cpu_seconds()
        time.sleep(seconds)
        return 100 * (self.cpu_seconds() - before) / (time.monotonic() - began)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def wait_for(condition: Callable[[], object], what: str, seconds: float = 600) -> None:
    """Until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


@contextmanager
def daemon(
    prepare: Callable[[Path], object],
    *,
    backend: str = "diffusers",
    device: str = "cpu",
    models: str = "",
    step_seconds: float = 0.0,
) -> Iterator[Daemon]:
    """Start one on a root of its own. ``models`` is YAML; ``step_seconds`` the fake engine's."""
    with tempfile.TemporaryDirectory(prefix="img2imgd-page-") as name:
        root, port = Path(name) / "root", free_port()
        (root / "inbox").mkdir(parents=True)
        prepare(root)
        config = Path(name) / "config.yaml"
        config.write_text(
            _CONFIG.format(root=root, backend=backend, device=device, port=port, models=models)
        )
        environment = {**os.environ, "IMG2IMGD_FAKE_STEP_SECONDS": str(step_seconds)}
        with (Path(name) / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "img2imgd", "run", "-c", config], stderr=log, env=environment
            )
        try:
            started = Daemon(root, port, process.pid)

            def answers() -> bool:
                try:
                    return bool(started.now())
                except OSError:
                    return False

            wait_for(answers, "the page does not answer", 60)
            yield started
        finally:
            process.terminate()
            process.wait(60)


def drop(inbox: Path, count: int) -> None:
    """So many small pictures; the folder's defaults say what they become."""
    first = inbox / "drawing 0000.png"
    Image.new("RGB", (96, 96), (200, 160, 90)).save(first)
    for number in range(1, count):
        (inbox / f"drawing {number:04}.png").write_bytes(first.read_bytes())


def shown(facts: dict[str, Any]) -> str:
    """As a table."""
    rows: list[tuple[str, object]] = []
    for name, value in facts.items():
        if isinstance(value, dict):
            rows += [(f"{name}: {key}", one) for key, one in value.items()]
        elif name != "runs":
            rows.append((name, value))
    return table(("", "value"), rows)
