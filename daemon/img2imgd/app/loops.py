"""The threads around the steps: each repeats one part's ``step`` until it is told to stop."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from img2imgd.app.holding import STALE, FolderLock
from img2imgd.config import Config, InboxConfig
from img2imgd.dispatch import Dispatch
from img2imgd.durable import ENVIRONMENT_ERRNOS
from img2imgd.errors import EnvironmentFault, HeldByAnother, LedgerDamaged
from img2imgd.inbox import Inbox, Watch
from img2imgd.ledger import Ledger, open_ledger
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
        self._watch = Watch(
            inbox.path,
            self._wake.set,
            recursive=inbox.recursive,
            poll_seconds=inbox.rescan,
            deaf_after=STALE,
        )
        self.failure: LedgerDamaged | None = None
        self.scanned = threading.Event()  # set after the first whole step
        self.drained = False
        self.unavailable = ""
        self._told = ""

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
            try:
                delay = self._step(inbox)
                self._tell_availability(ledger)
            except LedgerDamaged as damage:
                self.failure = damage
                break
            self._claimed()
            took = time.monotonic() - began
            # A burst of events is one scan, and scanning never takes more than a third of a core.
            self._ending.wait(max(0.02, 2 * took))
            self._wake.wait(max(delay - (time.monotonic() - began), 0.0))
        self._watch.stop()
        ledger.close()

    def _step(self, inbox: Inbox) -> float:
        try:
            self._arm(inbox)
            delay = inbox.step(time.monotonic())
        except (EnvironmentFault, HeldByAnother) as fault:
            self._set_unavailable(str(fault))
            return self._inbox.rescan
        except LedgerDamaged:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in ENVIRONMENT_ERRNOS:
                why = f"The inbox {self._inbox.path} cannot be used: {error.strerror}."
                self._set_unavailable(why)
                return self._inbox.rescan
            log.exception("inbox %s: a scan failed", self._inbox.path)
            return _AFTER_A_BUG
        if self.unavailable:
            log.info("inbox %s is back", self._inbox.path)
            self.unavailable = ""
        self.drained = inbox.drained
        self.scanned.set()
        return delay

    def _set_unavailable(self, why: str) -> None:
        if self.unavailable != why:
            log.warning("%s Looking again every %g s.", why, self._inbox.rescan)
            self.unavailable = why

    def _tell_availability(self, ledger: Ledger) -> None:
        if self._told != self.unavailable:
            with contextlib.suppress(EnvironmentFault):
                ledger.set_unavailable(str(self._inbox.path), self.unavailable)
                self._told = self.unavailable

    def _arm(self, inbox: Inbox) -> None:
        """Hold and watch the folder that has the inbox's name now; it may have been replaced."""
        if not self._inbox.path.is_dir():
            return  # the step will say so
        if self._lock.renew():
            log.warning("inbox %s: another folder has its name now", self._inbox.path)
            self._watch.stop()
            inbox.was_replaced()
        self._watch.tend(time.monotonic())


class DispatchLoop(threading.Thread):
    """Repeats the dispatcher's step; the worker's events and new claims end its wait."""

    def __init__(self, config: Config, ledger_path: Path, reader: ReaderProcess) -> None:
        super().__init__(name="dispatch", daemon=True)
        self._config = config
        self._ledger_path = ledger_path
        self._reader = reader
        self._ending = threading.Event()
        self.pool = WorkerPool(
            config.engine.backend,
            offline=config.offline,
            stall_timeout=config.engine.stall_timeout,
        )
        self.failure: LedgerDamaged | None = None
        self.idle = False
        self.blocked_since: float | None = None
        self.loading = False

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
            except LedgerDamaged as damage:
                self.failure = damage
                break
            except Exception:
                log.exception("a dispatcher's step failed")
                self._ending.wait(_AFTER_A_BUG)
            self.idle = dispatch.idle
            self.blocked_since = dispatch.blocked_since
            self.loading = dispatch.loading
        # What cannot be written now is found out at the next start.
        with contextlib.suppress(EnvironmentFault, LedgerDamaged):
            dispatch.stop(_STOP_GRACE)
        ledger.close()
