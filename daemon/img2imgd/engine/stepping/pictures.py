"""Opens the pictures of frames in threads, so that files are read while the device works."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from PIL import Image

from img2imgd.engine.picture import open_picture
from img2imgd.engine.protocol import FrameGivenBack, FrameRefused, FrameTask

KEPT = 8
"""Opened pictures that are kept for further frames of their jobs; 3 MB each at 1024 pixels."""


@dataclass(frozen=True)
class Picture:
    """A plain RGB picture; ``digest`` is a SHA-256 of its pixels."""

    image: Image.Image = field(repr=False)
    digest: bytes

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.size


Opened = Picture | FrameRefused | FrameGivenBack


class Pictures:
    """Opened pictures; those of a job's many frames are read once. Belongs to one thread."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pictures")
        self._opened: OrderedDict[tuple[object, ...], Future[Opened]] = OrderedDict()

    def open(self, task: FrameTask) -> Future[Opened]:
        """The frame's picture, once it is read, or the event that says why there is none.

        The event may be of another frame that has the same picture. Frames that come after it try
        the file again.
        """
        key = _identity(task)
        opened = self._opened.pop(key, None)
        if opened is None or _has_failed(opened):
            opened = self._thread.submit(_open, task)
        self._opened[key] = opened
        if len(self._opened) > KEPT:
            self._opened.popitem(last=False)
        return opened


def _identity(task: FrameTask) -> tuple[object, ...]:
    """What tells a file from another that takes its name later."""
    try:
        status = task.image.stat()
    except OSError:
        return (task.image,)
    return task.image, status.st_ino, status.st_size, status.st_mtime_ns


def _has_failed(opened: Future[Opened]) -> bool:
    return opened.done() and not isinstance(opened.result(), Picture)


def _open(task: FrameTask) -> Opened:
    image = open_picture(task)
    if not isinstance(image, Image.Image):
        return image
    return Picture(image, hashlib.sha256(image.tobytes()).digest())
