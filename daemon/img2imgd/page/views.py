"""Small copies of pictures to look at, made once by a reader process of the page's own, and kept.

The supervisor never opens a picture, and a hostile one that takes the reader down costs its own
view and nothing else. One is made at a time; who asks for one that is being made waits for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from img2imgd import durable, metrics
from img2imgd.durable import is_environment
from img2imgd.errors import EnvironmentFault, Img2imgdError, LedgerDamaged, PictureError
from img2imgd.page.files import OpenFile, open_below
from img2imgd.page.urls import LARGE, SIDES, THUMB
from img2imgd.pool.reading import ReaderProcess
from img2imgd.reader.files import too_large
from img2imgd.reader.protocol import ReaderLimits
from img2imgd.upkeep.views import VIEWS, prune_views

log = logging.getLogger(__name__)

INPUT = "input"
_JOB = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")
_IDLE = 60.0  # seconds after which the reader is let go, with its memory
_FORGIVEN = 600.0  # seconds until a picture that could not be shown is tried again
_MOST_FAILED, _MOST_WAITING = 2_000, 400
_NICE = 10  # painting comes first
_PRUNE_EVERY = 100_000_000  # bytes written


class NoView(Img2imgdError):
    """There is no such view, now or ever; the message says why."""


class Busy(EnvironmentFault):
    """Too many wait for theirs already."""


class Key(NamedTuple):
    """A view: of a job's ``input`` or of ``frame-INDEX``, no side longer than ``side`` pixels."""

    job: str
    what: str
    side: int

    @classmethod
    def of_input(cls, job: str, side: int) -> Key:
        """Of the picture that was dropped."""
        return cls(job, INPUT, side)

    @classmethod
    def of_frame(cls, job: str, index: int, side: int) -> Key:
        """Of an output."""
        return cls(job, f"frame-{index}", side)

    @property
    def frame(self) -> int | None:
        """The frame's index; None for the input."""
        return None if self.what == INPUT else int(self.what.partition("-")[2])

    @property
    def valid(self) -> bool:
        """False for what could not be the name of a view."""
        return _JOB.fullmatch(self.job) is not None and self.side in SIDES

    @property
    def parts(self) -> list[bytes]:
        """Where it is kept, below the folder of all views."""
        return [self.job.encode(), f"{self.what}-{self.side}.webp".encode()]


@dataclass(frozen=True)
class Source:
    """An open picture, and a path that names it in messages."""

    path: Path
    file: BinaryIO


FindSource = Callable[[Key], Source]


class Views(threading.Thread):
    """Makes and keeps views. ``find`` opens what a view is made of, in this thread.

    ``find`` raises NoView or EnvironmentFault where that cannot be done. ``most_bytes`` are kept.
    """

    def __init__(
        self,
        state: Path,
        find: FindSource,
        limits: ReaderLimits,
        most_bytes: int,
        idle: float = _IDLE,
    ) -> None:
        super().__init__(name="page views", daemon=True)
        self._folder = state / VIEWS
        self._find = find
        self._reader = ReaderProcess(limits)
        self._max_file_mb = limits.max_file_mb
        self._most_bytes = most_bytes
        self._idle = idle
        self._lock = threading.Lock()
        self._orders: queue.SimpleQueue[Key | None] = queue.SimpleQueue()
        self._waiting: dict[Key, Future[None]] = {}
        self._failed: dict[tuple[str, str], tuple[float, str]] = {}
        self._written = 0
        self._nice_pid: int | None = None
        self._ending = False

    def kept(self, key: Key) -> OpenFile | None:
        """The view, if it was made before.

        Raises:
            OSError: the disk does not answer.
        """
        if not key.valid:
            return None
        with contextlib.suppress(FileNotFoundError):
            found = open_below(self._folder, key.parts)
            if found.status.st_size:
                return found
            found.file.close()
        return None

    def order(self, key: Key) -> Future[None]:
        """Have a view made; the future ends when :meth:`kept` has it.

        It raises NoView, or EnvironmentFault where a later try may succeed.
        """
        with self._lock:
            if (made := self._waiting.get(key)) is not None:
                return made
            future = Future[None]()
            future.set_running_or_notify_cancel()  # who goes away does not end it for the others
            if (why := self._known_failure(key)) is not None:
                future.set_exception(NoView(why))
            elif self._ending or len(self._waiting) >= _MOST_WAITING:
                future.set_exception(Busy("Too many views are being made just now."))
            else:
                self._waiting[key] = future
                self._orders.put(key)
            return future

    def thumb_size(self, job: str, index: int) -> tuple[int, int] | None:
        """Width and height of a frame's thumbnail, if it was made."""
        original = self.picture_size(job, index)
        if original is None:
            return None
        scale = min(1.0, THUMB / max(original))
        return max(1, round(original[0] * scale)), max(1, round(original[1] * scale))

    def picture_size(self, job: str, index: int) -> tuple[int, int] | None:
        """Width and height of a frame itself, if a view of it was made."""
        name = f"{Key.of_frame(job, index, LARGE).what}.size"
        with contextlib.suppress(OSError, ValueError):
            width, height = map(int, (self._folder / job / name).read_text("ascii").split())
            return (width, height) if width > 0 and height > 0 else None
        return None

    def reconfigure(self, limits: ReaderLimits, most_bytes: int) -> None:
        """Go by other limits from the next view on."""
        self._reader.reconfigure(limits)
        self._max_file_mb, self._most_bytes = limits.max_file_mb, most_bytes
        with self._lock:
            self._failed.clear()  # it may have been too large

    def stop(self) -> None:
        """End the thread and the reader, amid a picture if need be."""
        with self._lock:
            self._ending = True
        self._reader.stop()
        self._orders.put(None)

    def run(self) -> None:
        """Make what is ordered until :meth:`stop`."""
        while True:
            try:
                key = self._orders.get(timeout=self._idle)
            except queue.Empty:
                self._reader.close()
                continue
            if key is None or self._ending:
                break
            self._make_for_all(key)
        self._reader.close()
        with self._lock:
            for future in self._waiting.values():
                future.set_exception(Busy("The page is being stopped."))
            self._waiting.clear()

    def _make_for_all(self, key: Key) -> None:
        failure: Exception | None = None
        try:
            self._make(key)
        except (NoView, PictureError) as none:
            failure = NoView(str(none))
            self._remember(key, str(none))
        except (EnvironmentFault, LedgerDamaged) as fault:
            failure = fault
        except Exception as error:
            if is_environment(error):
                failure = EnvironmentFault(f"{error.strerror}.")
            else:
                log.exception("the view %s of job %s could not be made", key.what, key.job)
                failure = NoView("It could not be made by a fault of img2imgd itself.")
                self._remember(key, str(failure))
        metrics.VIEWS.add("failed" if failure else "made")
        with self._lock:
            future = self._waiting.pop(key)
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)

    def _make(self, key: Key) -> None:
        if (found := self.kept(key)) is not None:  # made while this order waited
            found.file.close()
            return
        source = self._find(key)
        with source.file:
            size = os.fstat(source.file.fileno()).st_size
            if refusal := too_large(source.path, size, self._max_file_mb):
                raise refusal
            folder = self._folder / key.job
            durable.make_folders(folder)
            target = folder / os.fsdecode(key.parts[1])
            made = self._reader.view(source.path, source.file, target, key.side)
        width, height = made.original
        durable.write_file(folder / f"{key.what}.size", f"{width} {height}".encode("ascii"))
        self._be_nice()
        self._written += target.stat().st_size
        if self._written > min(_PRUNE_EVERY, self._most_bytes // 4):
            self._written = 0
            prune_views(self._folder.parent, lambda jobs: set(jobs), self._most_bytes)

    def _be_nice(self) -> None:
        pid = self._reader.pid
        if pid is not None and pid != self._nice_pid:
            self._nice_pid = pid
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, pid, _NICE)

    def _remember(self, key: Key, why: str) -> None:
        with self._lock:
            if len(self._failed) >= _MOST_FAILED:
                self._failed.clear()
            self._failed[key.job, key.what] = time.monotonic(), why

    def _known_failure(self, key: Key) -> str | None:
        when, why = self._failed.get((key.job, key.what), (0.0, None))
        return why if why is not None and time.monotonic() - when < _FORGIVEN else None
