"""The thread around one inbox's step."""

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
from img2imgd.durable import is_environment
from img2imgd.errors import EnvironmentFault, HeldByAnother, LedgerDamaged, shown
from img2imgd.inbox import Inbox, Watch
from img2imgd.inbox.documents import PageReader
from img2imgd.ledger import Ledger, open_ledger
from img2imgd.log import Lasting
from img2imgd.reader.protocol import Glance
from img2imgd.service.freshness import Part, Pulse

log = logging.getLogger(__name__)

AFTER_A_BUG = 5.0  # seconds before a loop that raised tries again


def rest_after(took: float, busy: float, rescan: float) -> float:
    """Seconds of rest after a scan that took so long, and so much of it on the processor.

    A burst of events is one scan, and scanning never takes more than a third of a core. Nor of a
    slow disk's time, up to ``rescan``: one that hung for an hour is looked at soon when it is back.
    """
    return max(0.02, 2 * busy, min(2 * took, rescan))


class InboxLoop(threading.Thread):
    """Repeats one inbox's step: on events, when something is due, and every ``rescan`` seconds."""

    def __init__(
        self,
        config: Config,
        inbox: InboxConfig,
        lock: FolderLock,
        ledger_path: Path,
        infotext: Callable[[Path], str | None],
        glance: Callable[[Path], Glance],
        claimed: Callable[[], None],
        *,
        pages: PageReader | None = None,
        drain: bool,
    ) -> None:
        super().__init__(name=f"inbox {inbox.path.name}", daemon=True)
        self._config = config
        self._inbox = inbox
        self._lock = lock
        self._ledger_path = ledger_path
        self._infotext = infotext
        self._glance = glance
        self._pages = pages
        self._claimed = claimed
        self._drain = drain
        self._wake = threading.Event()
        self._ending = threading.Event()
        self.pulse = Pulse(f"inbox {inbox.path}")
        self._watch = self._new_watch()
        self._next = Handover()
        self._lasting = Lasting(log)
        self.failure: EnvironmentFault | LedgerDamaged | None = None
        self.scanned = threading.Event()  # set after the first whole step
        self.looked = threading.Event()  # set after the first step, whatever came of it
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
            began, busy = time.monotonic(), time.thread_time()
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
            took, busy = time.monotonic() - began, time.thread_time() - busy
            rest = rest_after(took, busy, self._inbox.rescan)
            self.pulse.rest(max(delay, rest))
            self._ending.wait(rest)
            self._wake.wait(max(delay - (time.monotonic() - began), 0.0))
        self._watch.stop()
        ledger.close()

    def _new_inbox(self, ledger: Ledger, before: Inbox | None = None) -> Inbox:
        return Inbox(
            self._config, self._inbox, ledger, self._read_infotext, self._read_glance,
            pages=self._pages, drain=self._drain, stopping=self._ending.is_set,
            progress=self.pulse.beat,
            before=before,
        )  # fmt: skip

    def _read_infotext(self, picture: Path) -> str | None:
        self.pulse.beat()
        return self._infotext(picture)

    def _read_glance(self, picture: Path) -> Glance:
        self.pulse.beat()
        return self._glance(picture)

    def _new_watch(self) -> Watch:
        return Watch(
            self._inbox.path,
            self._wake.set,
            recursive=self._inbox.recursive,
            poll_seconds=self._inbox.rescan,
            deaf_after=STALE,
            progress=self.pulse.beat,
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
            return AFTER_A_BUG
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
