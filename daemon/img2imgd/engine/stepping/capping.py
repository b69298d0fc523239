"""How many rows the UNet calls of a loaded model have, remembered between starts."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

import torch

from img2imgd.durable import write_file
from img2imgd.engine.caps import BatchCaps
from img2imgd.engine.stepping.gauge import Gauge
from img2imgd.plainfiles import read_regular

log = logging.getLogger(__name__)

FILE = "batches.json"
_MOST_BYTES = 2_000_000  # of that file: several times what is kept at most
_MOST_OF_MEMORY = {"cuda": 0.9, "cpu": 0.5}  # the CPU's belongs to others too, and is not refused

Size = tuple[int, int]


class Shape(NamedTuple):
    """What the inputs of a UNet call share: the picture's size (width, height), and the length of
    the texts in chunks of 77 tokens."""

    size: Size
    chunks: int = 1


class Capping:
    """Finds how many rows pay, and fit, for each shape of frames.

    ``model`` says which model runs how, so that what was found for it holds again. ``folder`` is
    where that is kept, None for nowhere.
    """

    def __init__(
        self,
        device: torch.device,
        model: str = "",
        ceiling: int | None = None,
        folder: Path | None = None,
    ) -> None:
        self._model = f"{model} on {_machine(device)}"
        self._gauge = Gauge(device)
        self._share = _MOST_OF_MEMORY.get(device.type, 1.0)
        self._caps = BatchCaps(ceiling, self._fits)
        self._file = None if folder is None else folder / FILE
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._caps.from_json(read_regular(self._file, _MOST_BYTES))

    def most_rows(self, shape: Shape) -> int:
        """The most rows of the next call."""
        return self._caps.cap(self._key(shape))

    def brisk_rows(self, shape: Shape) -> int:
        """The most rows of a call that is to be short because somebody waits for some of them."""
        return self._caps.brisk(self._key(shape))

    @contextlib.contextmanager
    def watching(self, shape: Shape, rows: int) -> Generator[None]:
        """Learn from the call that is made meanwhile, as long as there is something to learn."""
        key = self._key(shape)
        if not self._caps.wants(key, rows):
            yield
            self._caps.used(key, rows)
            return
        with self._gauge.reading() as taken:
            yield
        self._caps.observe(key, rows, taken.seconds, taken.bytes)
        if self._caps.settled(key) or self._caps.cap(key) != rows:
            self._keep()

    def out_of_memory(self, shape: Shape, rows: int) -> None:
        """A call with so many rows did not fit."""
        self._caps.out_of_memory(self._key(shape), rows)
        self._keep()

    def _key(self, shape: Shape) -> str:
        width, height = shape.size
        longer = f" {shape.chunks} chunks" if shape.chunks > 1 else ""
        return f"{self._model} {width}x{height}{longer}"

    def _fits(self, needed: int) -> bool:
        free = self._gauge.free()
        return free is None or needed <= free * self._share

    def _keep(self) -> None:
        if self._file is None:
            return
        try:
            write_file(self._file, self._caps.to_json().encode())
        except OSError as error:
            log.debug("batch caps not kept path=%s: %s", self._file, error)


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads"
