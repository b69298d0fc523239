"""The threads around the steps: each repeats one part's ``step`` until it is told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from img2imgd.app.folders import FolderLock
from img2imgd.config import Config, InboxConfig
from img2imgd.dispatch import Dispatch
from img2imgd.durable import ENVIRONMENT_ERRNOS
from img2imgd.errors import EnvironmentFault, HeldByAnother
from img2imgd.inbox import Inbox, Watch
from img2imgd.ledger import open_ledger
from img2imgd.pool.reading import ReaderProcess
from img2imgd.pool.supervision import WorkerPool

log = logging.getLogger(__name__)

_DISPATCH_SECONDS = 1.0  # the longest a dispatcher's step waits for events
_STOP_GRACE = 10.0  # seconds the worker has to end its step and go
_AFTER_A_BUG = 5.0  # seconds before a loop that raised tries again


class InboxLoop(threading.Thread):
    """Repeats one inbox's step: on events, when something is due, and every ``rescan`` seconds."""

    def __init__(
        self,
        config: Config,
        inbox: InboxConfig,
        lock: FolderLock,
        ledger_path: Path,
        infotext: Callable[[Path], str | None],
        claimed: Callable[[], None],
        *,
        drain: bool,
    ) -> None:
        super().__init__(name=f"inbox {inbox.path.name}", daemon=True)
        self._config = config
        self._inbox = inbox
        self._lock = lock
        self._ledger_path = ledger_path
        self._infotext = infotext
        self._claimed = claimed
        self._drain = drain
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._watch: Watch | None = None
        self.scanned = threading.Event()  # set after the first whole step
        self.drained = False
        self.stepping = False
        self.unavailable = ""

    def stop(self) -> None:
        """Ask the loop to end after its step."""
        self._ending.set()
        self._wake.set()

    def run(self) -> None:
        """Repeat the step until :meth:`stop`."""
        ledger = open_ledger(self._ledger_path)
        inbox = Inbox(self._config, self._inbox, ledger, self._infotext, drain=self._drain)
        while not self._ending.is_set():
            self._wake.clear()
            began = time.monotonic()
            self.stepping = True
            delay = self._step(inbox)
            self.stepping = False
            self._claimed()
            took = time.monotonic() - began
            # A burst of events is one scan, and scanning never takes more than a third of a core.
            self._ending.wait(max(0.02, 2 * took))
            self._wake.wait(max(delay - (time.monotonic() - began), 0.0))
        if self._watch is not None:
            self._watch.stop()
        ledger.close()

    def _step(self, inbox: Inbox) -> float:
        try:
            self._arm()
            delay = inbox.step(time.monotonic())
        except (EnvironmentFault, HeldByAnother) as fault:
            return self._wait_for(str(fault))
        except Exception as error:
            if isinstance(error, OSError) and error.errno in ENVIRONMENT_ERRNOS:
                return self._wait_for(f"{error.filename or self._inbox.path}: {error.strerror}.")
            log.exception("inbox %s: a scan failed", self._inbox.path)
            return _AFTER_A_BUG
        if self.unavailable:
            log.info("inbox %s is back", self._inbox.path)
            self.unavailable = ""
        self.drained = inbox.drained
        self.scanned.set()
        return delay

    def _wait_for(self, fault: str) -> float:
        if self.unavailable != fault:
            log.warning("%s Looking again every %g s.", fault, self._inbox.rescan)
        self.unavailable = fault
        return self._inbox.rescan

    def _arm(self) -> None:
        """Hold and watch the folder that has the inbox's name now; it may have been replaced."""
        if not self._inbox.path.is_dir():
            return  # the step will say so
        if not self._lock.renew() and self._watch is not None:
            return
        if self._watch is not None:
            self._watch.stop()
        self._watch = Watch(
            self._inbox.path,
            self._wake.set,
            recursive=self._inbox.recursive,
            poll_seconds=self._inbox.rescan,
        )
        self._watch.start()


class DispatchLoop(threading.Thread):
    """Repeats the dispatcher's step; the worker's events and new claims end its wait."""

    def __init__(self, config: Config, ledger_path: Path, reader: ReaderProcess) -> None:
        super().__init__(name="dispatch", daemon=True)
        self._config = config
        self._ledger_path = ledger_path
        self._reader = reader
        self._ending = threading.Event()
        self.pool = WorkerPool(config.engine.backend, offline=config.offline)
        self.idle = False
        self.blocked_since: float | None = None
        self.trying = False

    def stop(self) -> None:
        """Ask the loop to end after its step, and the worker with it."""
        self._ending.set()
        self.pool.wake()

    def run(self) -> None:
        """Repeat the step until :meth:`stop`."""
        ledger = open_ledger(self._ledger_path)
        dispatch = Dispatch(self._config, ledger, self.pool, self._reader)
        while not self._ending.is_set():
            try:
                dispatch.step(_DISPATCH_SECONDS)
            except Exception:
                log.exception("a dispatcher's step failed")
                self._ending.wait(_AFTER_A_BUG)
            self.idle = dispatch.idle
            self.blocked_since = dispatch.blocked_since
            self.trying = dispatch.loading or dispatch.painting
        try:
            dispatch.stop(_STOP_GRACE)
        except EnvironmentFault as fault:  # the next start queues its jobs as well
            log.warning("%s", fault)
        ledger.close()
