"""Names of threads as the system knows them: ``top -H`` and ``ps -L`` show them."""

from __future__ import annotations

import contextlib
import threading
import weakref
from pathlib import Path

_LONGEST = 15  # bytes that the kernel takes


class ThreadNames:
    """Gives the system the names that this process's threads have in Python."""

    def __init__(self) -> None:
        self._named: weakref.WeakKeyDictionary[threading.Thread, str] = weakref.WeakKeyDictionary()

    def tell(self) -> None:
        """Name the threads that are new; the main thread keeps the program's name."""
        for thread in threading.enumerate():
            if thread is threading.main_thread() or thread.native_id is None:
                continue
            if self._named.get(thread) != thread.name:
                self._named[thread] = thread.name
                # It may have ended by now, or /proc may not be there.
                with contextlib.suppress(OSError):
                    comm = Path(f"/proc/self/task/{thread.native_id}/comm")
                    comm.write_bytes(thread.name.encode("utf-8", "replace")[:_LONGEST])
