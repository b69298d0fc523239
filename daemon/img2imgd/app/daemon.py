"""The daemon: serve → start → wait → stop, read top-down."""

from __future__ import annotations

import contextlib
import logging
import math
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from img2imgd.app import folders
from img2imgd.app.holding import FolderLock, Heartbeat, held
from img2imgd.app.loops import DispatchLoop, InboxLoop, UpkeepLoop
from img2imgd.app.opening import introduce, known_facts, open_ledger_of, queue_running
from img2imgd.app.page import ServedPage, start_page
from img2imgd.app.reloading import changes, check_folders
from img2imgd.app.removals import Removals
from img2imgd.app.signals import Asked
from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault, Img2imgdError, LedgerDamaged
from img2imgd.ledger import NOT_RELOADED, Ledger, Mark
from img2imgd.pool.reading import ReaderProcess
from img2imgd.pool.supervision import WorkerPool
from img2imgd.reader.protocol import ReaderLimits
from img2imgd.service.notify import Notifier
from img2imgd.service.reporting import Reporting
from img2imgd.service.standing import Telling
from img2imgd.service.threads import ThreadNames

log = logging.getLogger(__name__)

_JOIN_SECONDS = 30.0  # for all loops together; systemd waits for 45
_CLOSING_SECONDS = 10.0  # for what comes after: the reader's end, the ledger's


class Daemon:
    """All the parts of one running img2imgd. ``drain`` is the way of ``once``.

    ``read_again`` reads the config on SIGHUP. ``inherited`` are listening sockets for the page.
    """

    def __init__(
        self,
        config: Config,
        *,
        drain: bool = False,
        read_again: Callable[[], Config] | None = None,
        notifier: Notifier | None = None,
        inherited: Sequence[socket.socket] = (),
    ) -> None:
        self.config = config
        self._drain = drain
        self._read_again = read_again
        self._page = ServedPage(inherited)
        self.reporting = Reporting(notifier or Notifier())
        self._asked = Asked()
        self.inboxes: list[InboxLoop] = []
        self.dispatch: DispatchLoop | None = None
        self.upkeep: UpkeepLoop | None = None
        self.begun = Mark()
        self._ledger: Ledger | None = None
        self._names = ThreadNames()

    def serve(self, tick: Callable[[Ledger], bool] | None = None, seconds: float = 1.0) -> None:
        """Run until a signal, or until ``tick`` (asked every ``seconds``) returns True.

        Raises:
            HeldByAnother, EnvironmentFault, UsageError: before anything was started.
        """
        if not self._drain:  # `once` serves no page
            self._page.check(self.config.status)
        self.reporting.opening()
        folders.check_mounts(self.config, known_facts(self.ledger_path))
        folders.make_all(self.config)
        signals = self._asked.signals(reload=self._read_again is not None)
        with held(self.config) as locks, signals:
            if not self._drain:
                self._page.listen(self.config.status)
            ledger = open_ledger_of(self.config, self.ledger_path)
            if locks[self.config.state].was_let_go:
                queue_running(ledger)
            introduce(self.config, ledger)
            self._ledger = ledger
            self.begun = ledger.mark()
            heartbeat = Heartbeat(locks.values())
            heartbeat.start()
            self.reporting.line = Telling(ledger).line
            try:
                self._start(locks)
                while not self._is_asked_to_stop(min(seconds, self.reporting.every)):
                    self._check_alive(heartbeat)
                    self._report(heartbeat)
                    if tick is not None and tick(ledger):
                        break
            finally:
                self._stop()
                heartbeat.stop()
                self._page.close()
                with contextlib.suppress(EnvironmentFault, LedgerDamaged):
                    ledger.set_facts(pid="", waits_for="")
                ledger.close()
                if self.dispatch is not None and self.dispatch.pool.stuck:
                    for lock in locks.values():
                        lock.close(emptied=False)  # a write may hang as the worker does

    def stop(self) -> None:
        """Ask the daemon to stop; safe in a signal handler and from any thread."""
        self._asked.stop()

    def reload(self) -> None:
        """Ask the daemon to read its config again; safe as :meth:`stop` is."""
        self._asked.reload()

    @property
    def ledger_path(self) -> Path:
        """Where the ledger lies."""
        return self.config.state / "ledger.sqlite"

    def _start(self, locks: Mapping[Path, FolderLock]) -> None:
        reader = ReaderProcess(_reader_limits(self.config))
        self._reader = reader
        outbox = self.config.outbox
        removals = Removals(outbox, locks[outbox], self.ledger_path)
        self.dispatch = DispatchLoop(
            self.config, self.ledger_path, reader, removals.look, self._wake_inboxes
        )
        self.inboxes = [
            InboxLoop(
                self.config,
                inbox,
                locks[inbox.path],
                self.ledger_path,
                lambda path: reader.inspect(path).infotext,
                reader.glance,
                self.dispatch.pool.wake,
                pages=reader,
                drain=self._drain,
            )
            for inbox in self.config.inboxes
        ]
        self.upkeep = UpkeepLoop(self.config, self.ledger_path)
        for loop in (self.dispatch, *self.inboxes, self.upkeep):
            loop.start()
        for inbox in self.config.inboxes:
            log.info("watching %s (%s, %s)", inbox.path, inbox.profile, inbox.mode)
        self._start_page(self.dispatch.pool)

    def _start_page(self, pool: WorkerPool) -> None:
        self._page.start(
            partial(
                start_page,
                config=lambda: self.config,
                ledger_path=self.ledger_path,
                wake=pool.wake,
                watching=pool.watching,
                ailing=lambda: "; ".join(self.reporting.silent),
                looked=self._has_looked,
            )
        )

    def _has_looked(self) -> bool:
        """True once every inbox was scanned and every job taken up."""
        looked = [*self.inboxes, *filter(None, [self.dispatch])]
        return all(loop.looked.is_set() for loop in looked)

    def _wake_inboxes(self) -> None:
        for loop in self.inboxes:
            loop.wake()

    def _loops(self) -> list[InboxLoop | DispatchLoop | UpkeepLoop]:
        return [*self.inboxes, *filter(None, [self.dispatch, self.upkeep])]

    def _check_alive(self, heartbeat: Heartbeat) -> None:
        """A part that has ended unasked ends the daemon: who started it can start it again."""
        if heartbeat.lost is not None:
            raise heartbeat.lost
        if not heartbeat.is_alive():
            raise Img2imgdError("The heartbeat of img2imgd has ended; the log says why.")
        for loop in self._loops():
            if loop.failure is not None:
                raise loop.failure
            if not loop.is_alive():
                raise Img2imgdError(
                    f"A part of img2imgd has ended ({loop.name}); the log says why."
                )

    def _is_asked_to_stop(self, seconds: float) -> bool:
        """Wait for so long, unless there is something to do."""
        self._asked.wait(seconds)
        if self._asked.is_to_stop():
            return True
        if self._asked.take_reload():
            self._reload()
        return False

    def _reload(self) -> None:
        """Read the config again and have every part go by it; or by the one before, if it is bad.

        A part takes it over between two steps, so that nothing that runs is harmed.
        """
        if self._read_again is None:
            return
        self.reporting.reloading()
        try:
            config = self._read_again()
            check_folders(self.config, config)
            sockets = self._page.sockets_of(self.config.status, config.status)
        except (Img2imgdError, OSError) as error:
            for line in str(error).splitlines():
                log.error("config not reloaded: %s", line)
            first = str(error).partition("\n")[0]
            self._note_reload(first)
            self.reporting.reloaded(f"config not reloaded, the one before holds: {first}")
            return
        changed = changes(self.config, config)
        self.config = config
        limits = _reader_limits(config)
        self._reader.reconfigure(limits)
        for loop in self._loops():
            loop.reconfigure(config)
        self._page.reconfigure(config)
        self._page.move_to(sockets)
        log.info("reloaded: %s", "; ".join(changed) or "nothing has changed")
        self._note_reload("")
        self.reporting.reloaded("")

    def _note_reload(self, fault: str) -> None:
        """Have reports tell why the config was not reloaded; empty where it was."""
        if self._ledger is not None:
            with contextlib.suppress(EnvironmentFault):  # a full disk: the log has it
                self._ledger.set_facts(**{NOT_RELOADED: fault})

    def _report(self, heartbeat: Heartbeat) -> None:
        """Name the threads, then tell the service manager how the parts are doing."""
        self._names.tell()
        parts = [part for loop in self._loops() for part in loop.parts()]
        parts.append(heartbeat.pulse.part(alive=heartbeat.is_alive()))
        self.reporting.step(parts, time.monotonic(), ready=self._has_looked())

    def _stop(self) -> None:
        """Claims stop first, then the worker; what is under way stays in spool and staging."""
        self.reporting.stopping(_JOIN_SECONDS + _CLOSING_SECONDS)
        self._page.stop()
        for loop in self._loops():
            loop.stop()
        if self.dispatch is not None:
            self._reader.stop()
        deadline = time.monotonic() + _JOIN_SECONDS
        for loop in [loop for loop in self._loops() if loop.is_alive()]:
            while loop.is_alive() and (left := deadline - time.monotonic()) > 0:
                self.reporting.still_stopping(time.monotonic())
                loop.join(min(left, self.reporting.every))
            if loop.is_alive():
                log.warning("%s has not ended in %g s and is left alone", loop.name, _JOIN_SECONDS)
        if self.dispatch is not None:
            self._reader.close()
        log.info("stopped")


def _reader_limits(config: Config) -> ReaderLimits:
    limits = config.limits
    return ReaderLimits(max_file_mb=math.ceil(limits.max_file_mb), max_pixels=limits.max_pixels)
