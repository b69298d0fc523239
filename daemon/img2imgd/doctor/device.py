"""The device: torch is asked in a process of its own, which may take a minute."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from img2imgd.config import Config
from img2imgd.doctor.as_user import User
from img2imgd.doctor.findings import Finding, fine, warning, wrong
from img2imgd.engine.cards import there_is_a_card
from img2imgd.hub.sizes import in_words

_LONGEST = 60.0  # seconds
_DRIVER = Path("/proc/driver/nvidia/version")
_LITTLE_MEMORY = 2e9  # bytes, below which a Stable Diffusion is not loaded


def check_device(config: Config, user: User) -> Iterator[Finding]:
    """What ``engine.device`` and ``engine.dtype`` become, asked as the user."""
    if config.engine.backend == "fake":
        yield fine("device", "the engine is fake: pictures are tinted, torch is not needed")
        return
    try:
        told = _probe(config, user)
    except subprocess.TimeoutExpired:
        yield wrong(
            "device",
            f"torch did not answer within {_LONGEST:.0f} s: the driver or the disk hangs.",
            "nvidia-smi; dmesg | tail; then restart the machine, or set `engine.device: cpu`.",
        )
        return
    if isinstance(told, str):
        yield wrong(
            "device", f"torch cannot be used: {told}", "pip install --force-reinstall torch"
        )
        return
    yield _judged(told, config)


def _judged(told: dict[str, Any], config: Config) -> Finding:
    if fault := told.get("fault"):
        return wrong("device", f"torch {told['torch']}: {fault}", told.get("mend") or "nvidia-smi")
    what = f"{told['device']}, {told['dtype']}, torch {told['torch']}"
    if "name" in told:
        free, total = told["free"], told["total"]
        driver = _driver()
        what = f"{told['name']}, {in_words(free)} of {in_words(total)} free{driver}: {what}"
        if free < _LITTLE_MEMORY:
            return warning(
                "device", f"{what}: other programs have its memory.",
                "nvidia-smi says which; end them, or set `engine.offload: model`.",
            )  # fmt: skip
        return fine("device", what)
    what += f", {in_words(_memory())} of memory available"
    if config.engine.device == "auto" and there_is_a_card():
        cuda = f"torch is built for CUDA {told['cuda']}" if told["cuda"] else "torch is the CPU's"
        return warning(
            "device", f"{what}: there is an NVIDIA card, and torch does not find it ({cuda}).",
            "pip install --force-reinstall torch (from PyPI, with CUDA); nvidia-smi must work too.",
        )  # fmt: skip
    return fine("device", what)


def _probe(config: Config, user: User) -> dict[str, Any] | str:
    """What the process says, or the last line of its complaint."""
    as_other: dict[str, Any] = {}
    if not user.is_me:
        groups = os.getgrouplist(user.name, user.gid)
        as_other = {"user": user.uid, "group": user.gid, "extra_groups": groups, "cwd": "/"}
        as_other["env"] = {**os.environ, "HOME": user.home}
    command = [sys.executable, "-m", "img2imgd.engine.probing", config.engine.device,
               config.engine.dtype]  # fmt: skip
    done = subprocess.run(  # noqa: S603 - our own module
        command, capture_output=True, text=True, timeout=_LONGEST, check=False, **as_other
    )
    try:
        told: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return told


def _driver() -> str:
    try:
        words = _DRIVER.read_text("ascii", "replace").split()
    except OSError:
        return ""
    version = next((word for word in words if word[:1].isdecimal() and "." in word), "")
    return f", driver {version}" if version else ""


def _memory() -> int:
    """Bytes that the kernel says programs can still have."""
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
