"""When each file of an inbox last changed, seen by an observer beside the daemon."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path


class Arrivals:
    """Looks at folders again and again; a context manager.

    The time is the kernel's own of the last change (ctime: writing, renaming, setting the time), so
    it does not matter how late the observer looks, as long as it does before the file is claimed.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="arrivals", daemon=True)
        self.last: dict[str, float] = {}  # by name, seconds since 1970
        self.seen: set[str] = set()  # every name there ever was

    def __enter__(self) -> Arrivals:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ending.wait(0.02):
            for folder in self._folders:
                for path in folder.iterdir():
                    with suppress(FileNotFoundError):  # claimed, or renamed, just now
                        self.last[path.name] = path.lstat().st_ctime_ns / 1e9
                        self.seen.add(path.name)
