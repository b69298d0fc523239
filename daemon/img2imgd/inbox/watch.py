"""The watchdog observer of an inbox. It does one thing: say that it is time to scan."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
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
from watchdog.observers.polling import PollingObserver

from img2imgd import filesystems

log = logging.getLogger(__name__)

SPOOL = ".img2imgd"

# Opening and reading, which our own scans do, must not wake a scan; nor a folder's "modified",
# which our own claims cause.
_WAKING: list[type[FileSystemEvent]] = [
    FileCreatedEvent, FileModifiedEvent, FileMovedEvent, FileClosedEvent, FileDeletedEvent,
    DirCreatedEvent, DirMovedEvent,
]  # fmt: skip


class Watch(FileSystemEventHandler):
    """Wakes the scan of one inbox; polls where writes from other hosts give no events."""

    def __init__(
        self, inbox: Path, wake: Callable[[], None], *, recursive: bool, poll_seconds: float
    ) -> None:
        self._inbox = inbox
        self._wake = wake
        self._recursive = recursive
        self._poll_seconds = poll_seconds
        self._observer: BaseObserver | None = None

    def start(self) -> None:
        """Arm the observer; without watches to be had, polling takes their place."""
        kind = filesystems.kind_of(self._inbox)
        if not kind.local:
            log.info("inbox %s lies on %s: polling it", self._inbox, kind.name)
            self._arm(PollingObserver(timeout=self._poll_seconds))
            return
        try:
            self._arm(Observer())
        except OSError as error:  # inotify's limits: fs.inotify.max_user_watches or _instances
            log.warning("inbox %s: %s; polling it instead", self._inbox, error.strerror)
            self._arm(PollingObserver(timeout=self._poll_seconds))

    def stop(self) -> None:
        """Disarm the observer and wait for its threads."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=5)
            self._observer = None

    @property
    def polling(self) -> bool:
        """True when the inbox is polled."""
        return isinstance(self._observer, PollingObserver)

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Wake the scan, unless the event is of our own spool. Must never raise."""
        if SPOOL not in Path(os.fsdecode(event.src_path)).parts:
            self._wake()

    def _arm(self, observer: BaseObserver) -> None:
        observer.schedule(self, str(self._inbox), recursive=self._recursive, event_filter=_WAKING)
        observer.start()
        self._observer = observer
