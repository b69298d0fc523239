"""Makes GIFs in a thread of the worker, so that denoising goes on meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from img2imgd.durable import ENVIRONMENT_ERRNOS
from img2imgd.outputs.animation import Animation, AnimationFrame, write_animation
from img2imgd.pool.messages import AnimationFailed, AnimationStaged, Assemble, JobGivenUp, PoolEvent
from img2imgd.request import GifSettings

log = logging.getLogger(__name__)


class Assembler:
    """One thread that makes one GIF after the other; ``send`` must be safe to call from it."""

    def __init__(self, send: Callable[[PoolEvent], None]) -> None:
        self._send = send
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="assembling")
        self._begun: list[tuple[str, Future[None]]] = []

    def start(self, order: Assemble) -> None:
        """Make the GIF after those that wait; AnimationStaged or AnimationFailed follows."""
        self._begun = [(job, future) for job, future in self._begun if not future.done()]
        self._begun.append((order.job, self._thread.submit(self._assemble, order)))

    def cancel(self, job: str) -> None:
        """Drop the job's waiting GIFs; once one that is being made is done, say JobGivenUp."""
        futures = [future for begun, future in self._begun if begun == job]
        running = [future for future in futures if not future.cancel()]
        if running:
            running[-1].add_done_callback(lambda _: self._send(JobGivenUp(job)))
        else:
            self._send(JobGivenUp(job))

    def stop(self) -> None:
        """Drop the GIFs that wait; the process ends after the one that is being made."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _assemble(self, order: Assemble) -> None:
        try:
            frames = tuple(AnimationFrame(path) for path in order.frames)
            settings = GifSettings(
                duration=order.duration_ms, loop=order.loop, pingpong=order.pingpong
            )
            write_animation(Animation(frames, order.target, settings))
        except Exception as error:
            log.exception("animation failed job=%s target=%s", order.job, order.target)
            environment = isinstance(error, OSError) and error.errno in ENVIRONMENT_ERRNOS
            reason = f"{order.target.name} could not be made: {error}"
            self._send(AnimationFailed(order.job, order.target, reason, environment))
        else:
            self._send(AnimationStaged(order.job, order.target))
