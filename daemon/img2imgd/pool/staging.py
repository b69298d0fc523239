"""Encodes and writes painted frames in threads of the worker, so that denoising goes on meanwhile.

Pillow's encoders and the disk let other threads run.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from img2imgd.engine.protocol import FramePainted, FrameRefused
from img2imgd.log import Lasting
from img2imgd.outputs.encode import write_frame
from img2imgd.outputs.orders import FrameFile
from img2imgd.pool.messages import FrameStaged, WorkerEvent, WorkerFault
from img2imgd.pool.writing import Writers

log = logging.getLogger(__name__)

# They write some eight PNGs of 1024×1024 pixels a second, faster than most devices paint them.
_MOST_THREADS = 4
_MOST_BYTES = 128_000_000  # of pixels: 40 frames of 1024×1024


class Stager:
    """Writes frames as they are painted; ``send`` must be safe to call from its threads.

    Frames with ``most_bytes`` of pixels, or a single larger one, may wait or be in writing. Then
    :meth:`stage` waits: a slow disk holds up the painting, it does not fill the memory.
    """

    def __init__(self, send: Callable[[WorkerEvent], None], most_bytes: int = _MOST_BYTES) -> None:
        self._send = send
        self._writers = Writers(_threads(len(os.sched_getaffinity(0))), "staging")
        self._most_bytes = most_bytes
        self._bytes = 0
        self._room = threading.Condition()
        self._lasting = Lasting(log)
        self._telling = threading.Lock()

    def stage(self, painted: FramePainted, files: tuple[FrameFile, ...]) -> None:
        """Write a frame as every one of ``files``, once there is room for it.

        FrameStaged follows when they are durable, or FrameRefused, or WorkerFault.
        """
        size = len(painted.pixels)
        with self._room:
            self._room.wait_for(lambda: not self._bytes or self._bytes + size <= self._most_bytes)
            self._bytes += size
        future = self._writers.start(painted.job, partial(self._write, painted, files))
        future.add_done_callback(lambda _: self._free(size))

    def cancel(self, job: str) -> list[Future[None]]:
        """Drop what waits of a job; what is being written, and tells of it when it is done."""
        return self._writers.drop(job)

    def finish(self) -> None:
        """Return when every frame is written and told of: none that was painted is lost."""
        self._writers.finish()

    def _free(self, size: int) -> None:
        with self._room:
            self._bytes -= size
            self._room.notify()

    def _write(self, painted: FramePainted, files: tuple[FrameFile, ...]) -> None:
        for file in files:
            try:
                write_frame(file, (painted.width, painted.height), painted.pixels)
            except Exception as error:  # noqa: BLE001 - one frame's edge
                job, frame = painted.key
                what = f"frame not staged job={job} frame={frame}: {error}"
                with self._telling:
                    self._lasting.say("staging", what)
                self._send(_not_written(file, painted, error))
                return
        with self._telling:
            self._lasting.over("staging", "frames are staged again")
        self._send(FrameStaged(*painted.key, painted.note))


def _threads(processors: int) -> int:
    """Half of the processors: the engine needs its own."""
    return max(1, min(_MOST_THREADS, processors // 2))


def _not_written(
    file: FrameFile, painted: FramePainted, error: Exception
) -> WorkerFault | FrameRefused:
    """The disk's fault gives the frame back; a picture that the format cannot hold is refused."""
    if isinstance(error, OSError) and error.errno is not None:
        reason = f"{file.path} could not be written: {error.strerror}"
        return WorkerFault(*painted.key, reason)
    what = f"{painted.width}×{painted.height} pixels as {file.encoding.format}"
    return FrameRefused(*painted.key, f"It could not be written, {what}: {error}")
