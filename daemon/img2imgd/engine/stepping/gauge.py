"""Measures what a UNet call takes: seconds, and bytes of the device's memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import torch

_SELF = Path("/proc/self")


@dataclass
class Reading:
    """Seconds of a call, and bytes that it held at its peak beyond what was there before."""

    seconds: float = 0.0
    bytes: int = 0


class Gauge:
    """Measures calls on one device. It waits for the device, so it is not for every call."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    @contextlib.contextmanager
    def reading(self) -> Generator[Reading]:
        """Measure what is done meanwhile; the reading is complete at the end."""
        reading = Reading()
        self._wait()
        before = self._restart_peak()
        began = time.perf_counter()
        yield reading
        self._wait()
        reading.seconds = time.perf_counter() - began
        reading.bytes = max(0, self._peak() - before)

    def free(self) -> int | None:
        """Bytes that a call could have now; None where nobody tells."""
        if self._device.type == "cuda":
            try:
                free, _ = torch.cuda.mem_get_info(self._device)
            except RuntimeError:
                return None  # a lost device; the call that follows tells of it
            kept = torch.cuda.memory_reserved(self._device)
            return free + kept - torch.cuda.memory_allocated(self._device)
        if self._device.type == "cpu":
            return _kilobytes(Path("/proc/meminfo"), "MemAvailable:")
        return None

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        elif self._device.type == "mps":
            torch.mps.synchronize()

    def _restart_peak(self) -> int:
        """Have the peak begin at what is held now, in bytes."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return torch.cuda.memory_allocated(self._device)
        with contextlib.suppress(OSError):  # not every sandbox allows it: then no call adds to it
            (_SELF / "clear_refs").write_text("5")  # proc(5): resets VmHWM
        return self._peak()

    def _peak(self) -> int:
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        return _kilobytes(_SELF / "status", "VmHWM:") or 0


def _kilobytes(file: Path, name: str) -> int | None:
    """The line of that name in a file of /proc, in bytes."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    said = next((line.split() for line in lines if line.startswith(name)), None)
    return int(said[1]) * 1024 if said else None
