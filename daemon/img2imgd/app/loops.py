"""The threads around the steps: each repeats one part's ``step`` until it is told to stop."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from img2imgd import metrics
from img2imgd.app.holding import STALE, FolderLock
from img2imgd.app.reloading import Handover
from img2imgd.config import Config, InboxConfig
from img2imgd.dispatch import Dispatch
from img2imgd.durable import is_environment
from img2imgd.errors import EnvironmentFault, HeldByAnother, LedgerDamaged, shown
from img2imgd.inbox import Inbox, Watch
from img2imgd.ledger import Ledger, open_ledger
from img2imgd.log import Lasting
from img2imgd.pool.reading import ReaderProcess
from img2imgd.pool.supervision import WorkerPool
from img2imgd.service.freshness import Part, Pulse
from img2imgd.upkeep import Upkeep

log = logging.getLogger(__name__)

_DISPATCH_SECONDS = 1.0  # the longest a dispatcher's step waits for events
_STOP_GRACE = 10.0  # seconds the worker has to end its step and go
_UPKEEP_FIRST = 180.0  # seconds after the start, which has enough to do
_UPKEEP_EVERY = 3600.0
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
        self._watch = self._new_watch()
        self._next = Handover()
        self._lasting = Lasting(log)
        self.failure: EnvironmentFault | LedgerDamaged | None = None
        self.scanned = threading.Event()  # set after the first whole step
        self.looked = threading.Event()  # set after the first step, whatever came of it
        self.pulse = Pulse(f"inbox {inbox.path}")
        self._watch_heard = time.monotonic()
        self.drained = False
        self.stepping = False
        self.unavailable = ""
        self._told = ""

    def reconfigure(self, config: Config) -> None:
        """Go by another config, which has the same inbox, from the next step on; any thread."""
        self._next.put(config)
        self._wake.set()

    def parts(self) -> list[Part]:
        """The loop, and the watch that wakes it; for the thread that sees to their freshness."""
        if self._watch.is_alive or self.unavailable:
            self._watch_heard = time.monotonic()
        watch = f"the watch of inbox {self._inbox.path}"
        return [
            self.pulse.part(alive=self.is_alive()),
            Part(watch, self._watch_heard, self._inbox.rescan),
        ]

    def wake(self) -> None:
        """Have the loop look now; safe from any thread."""
        self._wake.set()

    def stop(self) -> None:
        """Ask the loop to end after its step."""
        self._ending.set()
        self._wake.set()

    def run(self) -> None:
        """Repeat the step until :meth:`stop`."""
        try:
            ledger = open_ledger(self._ledger_path)
        except EnvironmentFault as fault:
            self.failure = fault
            return
        inbox = self._new_inbox(ledger)
        while not self._ending.is_set():
            self._wake.clear()
            if self._take_config():
                inbox = self._new_inbox(ledger, inbox)
            began = time.monotonic()
            self.pulse.beat()
            self.stepping = True
            try:
                delay = self._step(inbox)
                self._tell_availability(ledger)
            except LedgerDamaged as damage:
                self.failure = damage
                break
            self.stepping = False
            self.looked.set()
            self._claimed()
            took = time.monotonic() - began
            self.pulse.rest(max(delay, 2 * took))
            # A burst of events is one scan, and scanning never takes more than a third of a core.
            self._ending.wait(max(0.02, 2 * took))
            self._wake.wait(max(delay - (time.monotonic() - began), 0.0))
        self._watch.stop()
        ledger.close()

    def _new_inbox(self, ledger: Ledger, before: Inbox | None = None) -> Inbox:
        return Inbox(
            self._config, self._inbox, ledger, self._read_infotext,
            drain=self._drain, stopping=self._ending.is_set, progress=self.pulse.beat,
            before=before,
        )  # fmt: skip

    def _read_infotext(self, picture: Path) -> str | None:
        self.pulse.beat()
        return self._infotext(picture)

    def _new_watch(self) -> Watch:
        return Watch(
            self._inbox.path,
            self._wake.set,
            recursive=self._inbox.recursive,
            poll_seconds=self._inbox.rescan,
            deaf_after=STALE,
        )

    def _take_config(self) -> bool:
        """Go by the config that was handed over, if one was; the next step arms its watch."""
        config = self._next.take()
        if config is None:
            return False
        before = self._inbox
        self._config = config
        self._inbox = next(one for one in config.inboxes if one.path == before.path)
        if (before.recursive, before.rescan) != (self._inbox.recursive, self._inbox.rescan):
            self._watch.stop()
            self._watch = self._new_watch()
        return True

    def _step(self, inbox: Inbox) -> float:
        try:
            self._arm(inbox)
            with metrics.SCANS.timed(shown(str(self._inbox.path))):
                delay = inbox.step(time.monotonic())
        except (EnvironmentFault, HeldByAnother) as fault:
            return self._unavailable(str(fault))
        except LedgerDamaged:
            raise
        except Exception as error:  # noqa: BLE001 - a loop goes on
            if is_environment(error):
                return self._unavailable(f"{error.filename or self._inbox.path}: {error.strerror}.")
            what = f"inbox {self._inbox.path}: a scan failed"
            self._lasting.say("bug", what, logging.ERROR, trace=True)
            return _AFTER_A_BUG
        self._lasting.over("unavailable", f"inbox {self._inbox.path} is back")
        self._lasting.over("bug", f"inbox {self._inbox.path}: scans succeed again")
        self.unavailable = ""
        self.drained = inbox.drained
        self.scanned.set()
        return delay

    def _unavailable(self, why: str) -> float:
        self._lasting.say("unavailable", f"{why} Looking again every {self._inbox.rescan:g} s.")
        self.unavailable = why
        return self._inbox.rescan

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

    def __init__(
        self,
        config: Config,
        ledger_path: Path,
        reader: ReaderProcess,
        before_step: Callable[[], None] = lambda: None,
        retry_ordered: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name="dispatch", daemon=True)
        self._retry_ordered = retry_ordered
        self._before_step = before_step
        self._config = config
        self._ledger_path = ledger_path
        self._reader = reader
        self._ending = threading.Event()
        self._next = Handover()
        self.pool = WorkerPool(
            config.engine.backend,
            offline=config.offline,
            stall_timeout=config.engine.stall_timeout,
        )
        self.failure: EnvironmentFault | LedgerDamaged | HeldByAnother | None = None
        self.blocked_since: float | None = None
        self.trying = False
        self.looked = threading.Event()  # set after the first step, whatever came of it
        self.pulse = Pulse("dispatch")

    def reconfigure(self, config: Config) -> None:
        """Go by another config from the next step on; for any thread."""
        self._next.put(config)
        self.pool.wake()

    def parts(self) -> list[Part]:
        """The loop; the worker's own progress is the pool's to judge."""
        return [self.pulse.part(alive=self.is_alive())]

    def stop(self) -> None:
        """Ask the loop to end after its step, and the worker with it."""
        self._ending.set()
        self.pool.wake()

    def run(self) -> None:
        """Repeat the step until :meth:`stop`."""
        try:
            ledger = open_ledger(self._ledger_path)
        except EnvironmentFault as fault:
            self.failure = fault
            return
        dispatch = Dispatch(self._config, ledger, self.pool, self._reader, self._retry_ordered)
        lasting = Lasting(log)
        while not self._ending.is_set():
            self.pulse.rest(_DISPATCH_SECONDS)
            try:
                if (config := self._next.take()) is not None:
                    dispatch.reconfigure(config)
                self._before_step()
                dispatch.step(_DISPATCH_SECONDS)
            except (LedgerDamaged, HeldByAnother) as lost:
                self.failure = lost
                break
            except Exception:  # noqa: BLE001 - a loop goes on
                lasting.say("bug", "a dispatcher's step failed", logging.ERROR, trace=True)
                self._ending.wait(_AFTER_A_BUG)
            else:
                lasting.over("bug", "the dispatcher's steps succeed again")
            self.blocked_since = dispatch.blocked_since
            self.trying = dispatch.loading or dispatch.painting
            self.looked.set()
        # What cannot be written now is found out at the next start.
        with contextlib.suppress(EnvironmentFault, LedgerDamaged):
            dispatch.stop(_STOP_GRACE)
        ledger.close()


class UpkeepLoop(threading.Thread):
    """Repeats upkeep's step: some minutes after the start, then every hour."""

    def __init__(self, config: Config, ledger_path: Path) -> None:
        super().__init__(name="upkeep", daemon=True)
        self._config = config
        self._ledger_path = ledger_path
        self._ending = threading.Event()
        self._next = Handover()
        self.failure: LedgerDamaged | None = None

    def reconfigure(self, config: Config) -> None:
        """Go by another config from the next round on; for any thread."""
        self._next.put(config)

    def parts(self) -> list[Part]:
        """The loop; a round may take its time, and holds up nobody."""
        return [Part("upkeep", time.monotonic(), alive=self.is_alive())]

    def stop(self) -> None:
        """Ask the loop to end; a step under way is cut short."""
        self._ending.set()

    def run(self) -> None:
        """Repeat the step until :meth:`stop`."""
        ledger: Ledger | None = None
        upkeep: Upkeep | None = None
        # At once: if the file is removed meanwhile, a new one would know of no job under way.
        with contextlib.suppress(EnvironmentFault, LedgerDamaged):
            ledger = open_ledger(self._ledger_path)
        self._ending.wait(_UPKEEP_FIRST)
        while not self._ending.is_set():
            try:
                ledger = ledger or open_ledger(self._ledger_path)
                if (config := self._next.take()) is not None:
                    self._config = config
                    if upkeep is not None:
                        upkeep.reconfigure(config)
                upkeep = upkeep or Upkeep(self._config, ledger, self._ending.is_set)
                upkeep.step(time.time())
            except LedgerDamaged as damage:
                self.failure = damage
                break
            except (EnvironmentFault, OSError) as fault:
                log.warning("upkeep waits for the next hour: %s", fault)
            except Exception:
                log.exception("a round of upkeep failed")
            self._ending.wait(_UPKEEP_EVERY)
        if ledger is not None:
            ledger.close()
