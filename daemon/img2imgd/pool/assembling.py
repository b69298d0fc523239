"""Makes animations and sheets in a thread of the worker, so that denoising goes on meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
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
    JobGivenUp,
    WorkerEvent,
)

log = logging.getLogger(__name__)


class Assembler:
    """One thread that makes one assembly after the other; ``send`` must be safe to call from it."""

    def __init__(self, send: Callable[[WorkerEvent], None]) -> None:
        self._send = send
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="assembling")
        self._begun: list[tuple[str, Future[None]]] = []
        self._lasting = Lasting(log)

    def start(self, order: Assemble) -> None:
        """Make it after those that wait; AssemblyStaged or AssemblyFailed follows."""
        self._begun = [(job, future) for job, future in self._begun if not future.done()]
        self._begun.append((order.job, self._thread.submit(self._assemble, order)))

    def cancel(self, job: str) -> None:
        """Drop what waits for the job; once what is being made of it is done, say JobGivenUp."""
        futures = [future for begun, future in self._begun if begun == job]
        running = [future for future in futures if not future.cancel()]
        if running:
            running[-1].add_done_callback(lambda _: self._send(JobGivenUp(job)))
        else:
            self._send(JobGivenUp(job))

    def stop(self) -> None:
        """Drop what waits; the process ends after the one that is being made."""
        self._thread.shutdown(wait=False, cancel_futures=True)

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
