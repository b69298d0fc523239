"""Makes animations and sheets in a thread of the worker, so that denoising goes on meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from img2imgd.durable import is_environment
from img2imgd.log import Lasting
from img2imgd.outputs.animation import write_animation
from img2imgd.outputs.orders import Animation
from img2imgd.outputs.sheet import write_sheet
from img2imgd.pool.messages import (
    Assemble,
    Assembly,
    AssemblyFailed,
    AssemblyStaged,
    WorkerEvent,
)
from img2imgd.pool.writing import Writers

log = logging.getLogger(__name__)


class Assembler:
    """One thread that makes one assembly after the other; ``send`` must be safe to call from it."""

    def __init__(self, send: Callable[[WorkerEvent], None]) -> None:
        self._send = send
        self._writers = Writers(1, "assembling")
        self._lasting = Lasting(log)

    def start(self, order: Assemble) -> None:
        """Make it after those that wait; AssemblyStaged or AssemblyFailed follows."""
        self._writers.start(order.job, partial(self._assemble, order))

    def cancel(self, job: str) -> list[Future[None]]:
        """Drop what waits for a job; what is being made, and tells of it when it is done."""
        return self._writers.drop(job)

    def stop(self) -> None:
        """Drop what waits."""
        self._writers.stop()

    def finish(self) -> None:
        """Return when the one that is being made is made and told of."""
        self._writers.finish()

    def _assemble(self, order: Assemble) -> None:
        target = order.assembly.target
        try:
            note = _write(order.assembly)
        except Exception as error:  # noqa: BLE001 - one assembly's edge
            # The last is the outbox that is away.
            environment = is_environment(error) or not target.parent.is_dir()
            reason = f"{target.name} could not be made: {_in_words(error)}"
            what = f"job {order.job}: {reason}"
            self._lasting.say(str(target), what, trace=not environment)
            self._send(AssemblyFailed(order.job, target, reason, environment))
        else:
            self._send(AssemblyStaged(order.job, target, note))


def _in_words(error: Exception) -> str:
    """The error without the folders of this machine, since notes travel with the job."""
    if isinstance(error, OSError) and error.strerror:
        return f"{Path(str(error.filename or '')).name}: {error.strerror}".removeprefix(": ")
    return str(error)


def _write(assembly: Assembly) -> str:
    if isinstance(assembly, Animation):
        return write_animation(assembly)
    return write_sheet(
        assembly.plan, assembly.target, max_side=assembly.max_side, text=assembly.text
    )
