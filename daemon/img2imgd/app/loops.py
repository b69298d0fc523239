"""The threads around the steps: each repeats one part's ``step`` until it is told to stop."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from img2imgd.app import inbox_loop
from img2imgd.app.inbox_loop import InboxLoop
from img2imgd.app.reloading import Handover
from img2imgd.config import Config
from img2imgd.dispatch import Dispatch
from img2imgd.errors import EnvironmentFault, HeldByAnother, LedgerDamaged
from img2imgd.ledger import Ledger, open_ledger
from img2imgd.log import Lasting
from img2imgd.pool.ending import TERMINATE_SECONDS
from img2imgd.pool.reading import ReaderProcess
from img2imgd.pool.supervision import WorkerPool
from img2imgd.service.freshness import Part, Pulse
from img2imgd.upkeep import Upkeep

__all__ = ["DispatchLoop", "InboxLoop", "UpkeepLoop"]

log = logging.getLogger(__name__)

_DISPATCH_SECONDS = 1.0  # the longest a dispatcher's step waits for events
_STOP_GRACE = 10.0  # seconds the worker has to end its step and go
STEP_SECONDS = _DISPATCH_SECONDS + _STOP_GRACE + 2 * TERMINATE_SECONDS
"""A dispatcher's step may take so long without a sign of life: on a pause it ends the worker."""

_UPKEEP_FIRST = 180.0  # seconds after the start, which has enough to do
_UPKEEP_EVERY = 3600.0


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
            self.pulse.rest(STEP_SECONDS)
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
                self._ending.wait(inbox_loop.AFTER_A_BUG)
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
