"""The watchdog observer of an inbox. It does one thing: say that it is time to scan."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper
from watchdog.observers.polling import PollingObserverVFS

from img2imgd import filesystems

log = logging.getLogger(__name__)

SPOOL = ".img2imgd"
_TRY_AGAIN = 600.0  # seconds until a watch is asked for again, where limits did not allow one

# Opening and reading, which our own scans do, must not wake a scan; nor a folder's "modified",
# which our own claims cause.
_WAKING: list[type[FileSystemEvent]] = [
    FileCreatedEvent, FileModifiedEvent, FileMovedEvent, FileClosedEvent, FileDeletedEvent,
    DirCreatedEvent, DirMovedEvent,
]  # fmt: skip


# A file that is renamed out of the inbox, as every claim does, would hold back all events behind it
# for half a second, in wait for the other half of a move. A scan needs no halves joined.
InotifyMoveEventGrouper.delay = 0


class Watch(FileSystemEventHandler):
    """Wakes the scan of one inbox; polls where writes from other hosts give no events.

    ``deaf_after`` is for how many seconds no event at all may come. The daemon's heartbeat in the
    spool makes one more often: a watch that misses it has lost its threads or its folder, and is
    armed anew. ``progress`` is called while it is armed: whoever polls looks at every file first.
    """

    def __init__(
        self,
        inbox: Path,
        wake: Callable[[], None],
        *,
        recursive: bool,
        poll_seconds: float,
        deaf_after: float = math.inf,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        self._inbox = inbox
        self._wake = wake
        self._recursive = recursive
        self._poll_seconds = poll_seconds
        self._deaf_after = deaf_after
        self._progress = progress
        self._arming = 0  # the thread that does
        self._observer: BaseObserver | None = None
        self._heard = 0.0  # monotonic seconds
        self._try_again: float | None = None  # when polling only for want of watches
        self._trouble = ""

    def tend(self, now: float) -> None:
        """Arm the observer if it is not, or no longer, at work; ``now`` is a monotonic second.

        Never fails: without a watch the inbox is still scanned every ``rescan`` seconds.
        """
        if self._observer is not None and self._is_well(now):
            return
        self.stop()
        self._heard = now
        try:
            self._arm_best(now)
        except OSError as error:
            self._tell(f"cannot be watched ({error.strerror}), only scanned")
        else:
            if self._try_again is None:
                self._trouble = ""

    def stop(self) -> None:
        """Disarm the observer and wait for its threads."""
        if self._observer is not None:
            _end(self._observer)
            self._observer = None

    @property
    def is_alive(self) -> bool:
        """True unless a thread of it has ended; for any thread to ask."""
        observer = self._observer
        if observer is None:
            return True  # scanned alone, or just being armed
        return all(thread.is_alive() for thread in (observer, *observer.emitters))

    @property
    def polling(self) -> bool:
        """True when the inbox is polled."""
        return isinstance(self._observer, PollingObserverVFS)

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Wake the scan, unless the event is of our own spool. Must never raise."""
        self._heard = time.monotonic()
        below = Path(os.fsdecode(event.src_path)).parts[len(self._inbox.parts) :]
        if below[:1] != (SPOOL,):
            self._wake()

    def _is_well(self, now: float) -> bool:
        observer = self._observer
        if observer is None or (self._try_again is not None and now >= self._try_again):
            return False
        threads = [observer, *observer.emitters]
        if len(threads) > 1 and all(thread.is_alive() for thread in threads):
            if now - self._heard <= self._deaf_after:
                return True
            log.info("inbox %s: no event for %.0f s", self._inbox, now - self._heard)
        log.warning("inbox %s: its watch has ended, it is armed anew", self._inbox)
        return False

    def _arm_best(self, now: float) -> None:
        self._try_again = None
        kind = filesystems.kind_of(self._inbox)
        if not kind.local:
            self._tell(f"lies on {kind.name}: it is polled", logging.INFO)
            self._arm(self._poller())
            return
        try:
            self._arm(Observer())
        except OSError as error:  # inotify's limits: fs.inotify.max_user_watches or _instances
            self._tell(f"{error.strerror}: it is polled instead")
            self._try_again = now + _TRY_AGAIN
            self._arm(self._poller())

    def _poller(self) -> BaseObserver:
        return PollingObserverVFS(self._look_at, _entries, polling_interval=self._poll_seconds)

    def _look_at(self, path: str) -> os.stat_result:
        """What stat(2) says. The watch's own threads, later, tell nothing of who has armed it."""
        if threading.get_ident() == self._arming:
            self._progress()
        return os.stat(path)  # noqa: PTH116 - names may be many

    def _arm(self, observer: BaseObserver) -> None:
        self._arming = threading.get_ident()
        watched = [(self._inbox, self._recursive)]
        if not self._recursive:
            watched.append((self._inbox / SPOOL, False))  # for the heartbeat
        try:
            for folder, recursive in watched:
                observer.schedule(self, str(folder), recursive=recursive, event_filter=_WAKING)
            observer.start()
            for thread in (observer, *observer.emitters):
                thread.name = f"watch {self._inbox.name}"
        except Exception:
            _end(observer)  # its threads were started one by one
            raise
        self._observer = observer

    def _tell(self, trouble: str, level: int = logging.WARNING) -> None:
        """Say it once, however often it is tried again."""
        if trouble != self._trouble:
            log.log(level, "inbox %s: %s", self._inbox, trouble)
            self._trouble = trouble


def _entries(folder: str | None) -> Iterator[os.DirEntry[str]]:
    return os.scandir(folder)


def _end(observer: BaseObserver) -> None:
    observer.stop()
    with contextlib.suppress(RuntimeError):  # never started
        observer.join(timeout=5)
