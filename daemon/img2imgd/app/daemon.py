"""The daemon: serve → start → wait → stop, read top-down."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from img2imgd import __version__
from img2imgd.app import folders, places
from img2imgd.app.holding import FolderLock, Heartbeat, held
from img2imgd.app.loops import DispatchLoop, InboxLoop, UpkeepLoop
from img2imgd.app.page import PageService, start_page
from img2imgd.app.reloading import changes, check_folders
from img2imgd.app.removals import Removals
from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault, Img2imgdError, LedgerDamaged
from img2imgd.job import JobState
from img2imgd.ledger import (
    Ledger,
    Mark,
    open_ledger,
    read_ledger,
    set_aside_damaged,
    spool_fact,
)
from img2imgd.pool.reading import ReaderProcess
from img2imgd.reader.protocol import ReaderLimits
from img2imgd.service.notify import Notifier
from img2imgd.service.reporting import Reporting
from img2imgd.service.sockets import check_token, listening_sockets
from img2imgd.service.standing import Telling
from img2imgd.service.threads import ThreadNames

log = logging.getLogger(__name__)

_JOIN_SECONDS = 30.0  # for all loops together; systemd waits for 45
_CLOSING_SECONDS = 10.0  # for what comes after: the reader's end, the ledger's


class Daemon:
    """All the parts of one running img2imgd. ``drain`` is the way of ``once``.

    ``read_again`` reads the config on SIGHUP. ``inherited`` are listening sockets for the page,
    ``sockets`` those that it is served on.
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
        self._inherited = inherited
        self.sockets: list[socket.socket] = []
        self.reporting = Reporting(notifier or Notifier())
        self._asked_to_stop = threading.Event()
        self._asked_to_reload = threading.Event()
        self._asked = threading.Event()  # one of the two
        self.inboxes: list[InboxLoop] = []
        self.dispatch: DispatchLoop | None = None
        self.upkeep: UpkeepLoop | None = None
        self.page: PageService | None = None
        self.begun = Mark()
        self._names = ThreadNames()

    def serve(self, tick: Callable[[Ledger], bool] | None = None, seconds: float = 1.0) -> None:
        """Run until a signal, or until ``tick`` (asked every ``seconds``) returns True.

        Raises:
            HeldByAnother, EnvironmentFault, UsageError: before anything was started.
        """
        check_token(self.config.status, self._inherited)
        self.reporting.opening()
        folders.check_mounts(self.config, self._known_facts())
        folders.make_all(self.config)
        with held(self.config) as locks, self._signals():
            if not self._drain:
                self.sockets = listening_sockets(self.config.status, self._inherited)
            ledger = self._open_ledger()
            if locks[self.config.state].was_let_go:
                self._queue_running(ledger)
            self._introduce(ledger)
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
                for one in self.sockets:
                    one.close()
                with contextlib.suppress(EnvironmentFault, LedgerDamaged):
                    ledger.set_facts(pid="", waits_for="")
                ledger.close()
                if self.dispatch is not None and self.dispatch.pool.stuck:
                    for lock in locks.values():
                        lock.close(emptied=False)  # a write may hang as the worker does

    def stop(self) -> None:
        """Ask the daemon to stop; safe in a signal handler and from any thread."""
        self._asked_to_stop.set()
        self._asked.set()

    def reload(self) -> None:
        """Ask the daemon to read its config again; safe as :meth:`stop` is."""
        self._asked_to_reload.set()
        self._asked.set()

    @property
    def ledger_path(self) -> Path:
        """Where the ledger lies."""
        return self.config.state / "ledger.sqlite"

    def _known_facts(self) -> Mapping[str, str]:
        """What an earlier process noted; nothing of a ledger that is new or damaged."""
        with contextlib.suppress(EnvironmentFault, LedgerDamaged):
            ledger = read_ledger(self.ledger_path)
            if ledger is not None:
                with contextlib.closing(ledger):
                    return ledger.facts()
        return {}

    def _open_ledger(self) -> Ledger:
        damaged = set_aside_damaged(self.ledger_path)
        if damaged is not None:
            log.error(
                "the ledger is damaged (%s): set aside as %s, and rebuilt from the folders",
                *damaged,
            )  # fmt: skip
        ledger = open_ledger(self.ledger_path)
        try:
            moves = places.find_moves(self.config, ledger.facts(), self.ledger_path.name)
            if moves:
                with ledger.transaction():
                    ledger.rebase(moves)
                    spools = {spool_fact(spool): new for spool, new in moves.spools.items()}
                    ledger.set_facts(**places.places(self.config), **spools)
                for old, new in {**moves.inboxes, **moves.others}.items():
                    log.info("%s is %s now: its jobs go on there", old, new)
        except BaseException:
            ledger.close()
            raise
        return ledger

    def _queue_running(self, ledger: Ledger) -> None:
        """The last daemon stopped in order, though its ledger's disk did not take that any more.

        So nothing that is noted as running was to blame for its end.
        """
        for row in ledger.jobs_in(JobState.RUNNING):
            ledger.set_state(row.id, JobState.QUEUED)

    def _introduce(self, ledger: Ledger) -> None:
        known = ledger.facts().get("ledger_id") or secrets.token_hex(8)
        for inbox in ledger.unavailable():
            ledger.set_unavailable(inbox, "")
        ledger.set_facts(
            pid=str(os.getpid()), host=socket.gethostname(), ledger_id=known, waits_for=""
        )
        ledger.set_facts(**folders.mounts(self.config), **places.places(self.config))
        log.info("img2imgd %s, pid %d, root %s", __version__, os.getpid(), self.config.root)
        for note in self.config.notes:
            log.info("%s", note)

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
                self.dispatch.pool.wake,
                drain=self._drain,
            )
            for inbox in self.config.inboxes
        ]
        self.upkeep = UpkeepLoop(self.config, self.ledger_path)
        for loop in (self.dispatch, *self.inboxes, self.upkeep):
            loop.start()
        for inbox in self.config.inboxes:
            log.info("watching %s (%s, %s)", inbox.path, inbox.profile, inbox.mode)
        self._start_page()

    def _start_page(self) -> None:
        if self.sockets and self.dispatch is not None:
            pool = self.dispatch.pool
            self.page = start_page(
                self.sockets,
                lambda: self.config,
                self.ledger_path,
                wake=pool.wake,
                watching=pool.watching,
                ailing=lambda: "; ".join(self.reporting.silent),
                looked=self._has_looked,
            )

    def _stop_page(self) -> None:
        if self.page is not None:
            self.page.stop()
            self.page = None

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
        self._asked.clear()
        if self._asked_to_stop.is_set():
            return True
        if self._asked_to_reload.is_set():
            self._asked_to_reload.clear()
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
            sockets = self._sockets_of(config)
        except (Img2imgdError, OSError) as error:
            for line in str(error).splitlines():
                log.error("config not reloaded: %s", line)
            first = str(error).partition("\n")[0]
            self.reporting.reloaded(f"config not reloaded, the one before holds: {first}")
            return
        changed = changes(self.config, config)
        self.config = config
        limits = _reader_limits(config)
        self._reader.reconfigure(limits)
        for loop in self._loops():
            loop.reconfigure(config)
        if sockets is not self.sockets:
            self._listen_on(sockets)
        elif self.page is not None:
            self.page.reconfigure(config)
        log.info("reloaded: %s", "; ".join(changed) or "nothing has changed")
        self.reporting.reloaded("")

    def _sockets_of(self, config: Config) -> list[socket.socket]:
        """Where the page is served by this config; what is inherited stays as it is."""
        check_token(config.status, self._inherited)
        if self._inherited or config.status.listen == self.config.status.listen:
            return self.sockets
        return listening_sockets(config.status, ())

    def _listen_on(self, sockets: list[socket.socket]) -> None:
        """Have the page move to other sockets."""
        self._stop_page()
        for one in self.sockets:
            one.close()
        self.sockets = sockets
        self._start_page()

    def _report(self, heartbeat: Heartbeat) -> None:
        """Name the threads, then tell the service manager how the parts are doing."""
        self._names.tell()
        parts = [part for loop in self._loops() for part in loop.parts()]
        parts.append(heartbeat.pulse.part(alive=heartbeat.is_alive()))
        self.reporting.step(parts, time.monotonic(), ready=self._has_looked())

    def _stop(self) -> None:
        """Claims stop first, then the worker; what is under way stays in spool and staging."""
        self.reporting.stopping(_JOIN_SECONDS + _CLOSING_SECONDS)
        self._stop_page()
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

    @contextmanager
    def _signals(self) -> Generator[None]:
        """The signals set a flag, nothing more; the former handlers come back after."""

        def reload(_number: int, _frame: FrameType | None) -> None:
            log.info("SIGHUP: reading the config again")
            self.reload()

        def handle(number: int, _frame: FrameType | None) -> None:
            log.info("%s: stopping", signal.Signals(number).name)
            self.stop()

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, handle) for number in _STOPPING}
        if self._read_again is not None:
            before[signal.SIGHUP] = signal.signal(signal.SIGHUP, reload)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


_STOPPING = (signal.SIGTERM, signal.SIGINT)


def _reader_limits(config: Config) -> ReaderLimits:
    limits = config.limits
    return ReaderLimits(max_file_mb=math.ceil(limits.max_file_mb), max_pixels=limits.max_pixels)
