"""The supervisor's side of the worker: starts it, gives it orders, hears of it, buries it."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import multiprocessing.resource_tracker
import os
import signal
import time
import weakref
from collections.abc import Generator
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import TypeAlias

from img2imgd.engine.protocol import FrameTask, ModelInfo, ModelSpec
from img2imgd.outputs.orders import FrameFile
from img2imgd.pool.messages import (
    Admit,
    Assemble,
    Assembly,
    AssemblyFailed,
    AssemblyStaged,
    Cancel,
    FrameRefused,
    FrameStaged,
    JobGivenUp,
    Load,
    ModelFailed,
    ModelLoaded,
    Order,
    PoolEvent,
    StepDone,
    Stop,
    WorkerDied,
    WorkerFault,
)

log = logging.getLogger(__name__)

_TERMINATE_SECONDS = 2.0

OrderPipe: TypeAlias = "Connection[Order, PoolEvent]"
WorkerPipe: TypeAlias = "Connection[PoolEvent, Order]"


class WorkerPool:
    """One worker process, started when it is first needed and again after it died.

    Belongs to one thread; only :meth:`wake` may be called from others and from signal handlers. No
    method raises because the worker is dead: that comes as WorkerDied from :meth:`poll`.
    """

    def __init__(
        self, backend: str, *, offline: bool = False, context: SpawnContext | None = None
    ) -> None:
        self._backend = backend
        self._offline = offline
        self._context = context or multiprocessing.get_context("spawn")
        self._process: SpawnProcess | None = None
        self._pipe: OrderPipe | None = None  # None also once the worker has closed its end
        self._loaded: ModelInfo | None = None
        self._loading: str | None = None
        self._admitted: set[tuple[str, int]] = set()
        self._assembling: set[tuple[str, Path]] = set()
        self._giving_up: set[str] = set()
        self._unread: list[PoolEvent] = []
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        weakref.finalize(self, _close, self._wake_read, self._wake_write)

    @property
    def running(self) -> bool:
        """True while there is a worker process."""
        return self._process is not None

    @property
    def pid(self) -> int | None:
        """Process id of the worker, if there is one."""
        return self._process.pid if self._process else None

    @property
    def loaded(self) -> ModelInfo | None:
        """The model that frames are painted with, once ModelLoaded was polled."""
        return self._loaded

    @property
    def loading(self) -> str | None:
        """The name of the model that is being loaded, if one is."""
        return self._loading

    @property
    def admitted(self) -> frozenset[tuple[str, int]]:
        """(job, index) of the frames that the worker has and has not answered for."""
        return frozenset(self._admitted)

    def load(self, model: ModelSpec) -> None:
        """Load a model, starting the worker if need be; ModelLoaded or ModelFailed follows."""
        self._loaded = None
        self._loading = model.name
        self._order(Load(model))

    def admit(self, task: FrameTask, *files: FrameFile) -> None:
        """Have a frame painted and written durably as every one of ``files``.

        StepDone, then FrameStaged, FrameRefused or WorkerFault follow. The model may still be
        loading; if that fails, the frame comes back as a WorkerFault.
        """
        self._admitted.add((task.job, task.index))
        self._order(Admit(task, files))

    def assemble(self, job: str, assembly: Assembly) -> None:
        """Have an animation or sheet made, which needs no model.

        AssemblyStaged or AssemblyFailed follows.
        """
        self._assembling.add((job, assembly.target))
        self._order(Assemble(job, assembly))

    def cancel(self, job: str) -> None:
        """Have a job given up; JobGivenUp follows, always, when nothing more of it is written."""
        self._admitted = {frame for frame in self._admitted if frame[0] != job}
        self._giving_up.add(job)
        if self._process is None:
            self._give_up_rest()
        else:
            self._send(Cancel(job))

    def poll(self, timeout: float) -> list[PoolEvent]:
        """Wait up to ``timeout`` seconds for events, a death or :meth:`wake`; all that came."""
        watched: list[int | OrderPipe] = [self._wake_read]
        if self._pipe is not None:
            watched.append(self._pipe)
        if self._process is not None:
            watched.append(self._process.sentinel)
        ready = wait(watched, 0 if self._unread else max(timeout, 0))
        if self._wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                while os.read(self._wake_read, 4096):
                    pass
        dead = self._process is not None and self._process.sentinel in ready
        self._receive()
        if dead:
            self._bury()
        events, self._unread = self._unread, []
        return events

    def wake(self) -> None:
        """Make the current or next :meth:`poll` return at once."""
        with contextlib.suppress(BlockingIOError):  # the pipe is full of wake-ups already
            os.write(self._wake_write, b"w")

    def stop(self, grace: float) -> None:
        """End the worker: ask, give it ``grace`` seconds, then terminate and kill it.

        One that only loads a model has nothing to lose and is terminated at once.
        What it had admitted is forgotten here and stays with the caller. Events it sent before its
        end come from the next :meth:`poll`; WorkerDied is not among them. The pool can start
        another worker.
        """
        process = self._process
        if process is None:
            return
        self._send(Stop())
        only_loads = self._loading is not None and not self._admitted and not self._assembling
        if only_loads or not self._ended(process, within=grace):
            if not only_loads:
                log.warning("worker has not stopped in %.1f s, terminating pid=%s", grace, self.pid)
            process.terminate()
            if not self._ended(process, within=_TERMINATE_SECONDS):
                process.kill()
        process.join()
        self._receive()
        self._forget()

    def _ended(self, process: SpawnProcess, *, within: float) -> bool:
        """Wait for the end of the process, reading on so that a full pipe does not hold it up."""
        deadline = time.monotonic() + within
        while process.is_alive():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            watched = [process.sentinel] if self._pipe is None else [process.sentinel, self._pipe]
            wait(watched, left)
            self._receive()
        return True

    def _order(self, order: Order) -> None:
        if self._process is None:
            try:
                self._start()
            except OSError as error:
                self._bury(f"could not be started: {error.strerror or error}")
                return
        self._send(order)

    def _start(self) -> None:
        ours, theirs = self._context.Pipe(duplex=True)
        level = logging.getLevelName(logging.getLogger("img2imgd").getEffectiveLevel())
        arguments = (theirs, self._backend, self._offline, level)
        with contextlib.closing(theirs), _interrupts_held_back():
            process = self._context.Process(
                target=_run_worker, args=arguments, name="img2imgd-worker", daemon=True
            )
            process.start()
        self._process, self._pipe = process, ours
        log.info("worker started pid=%s", process.pid)

    def _send(self, order: Order) -> None:
        if self._pipe is not None:
            with contextlib.suppress(OSError):  # its death is heard of by poll
                self._pipe.send(order)

    def _receive(self) -> None:
        """Read every event that is there; note what the worker has answered for."""
        try:
            while self._pipe is not None and self._pipe.poll():
                event = self._pipe.recv()
                self._note(event)
                self._unread.append(event)
        except (EOFError, OSError):
            self._close_pipe()

    def _note(self, event: PoolEvent) -> None:
        match event:
            case ModelLoaded(info):
                self._loaded, self._loading = info, None
            case ModelFailed():
                self._loaded = self._loading = None
            case FrameStaged() | FrameRefused() | WorkerFault():
                self._admitted.discard((event.job, event.index))
            case AssemblyStaged() | AssemblyFailed():
                self._assembling.discard((event.job, event.target))
            case JobGivenUp(job):
                self._giving_up.discard(job)
                self._assembling = {item for item in self._assembling if item[0] != job}
            case StepDone() | WorkerDied():
                pass

    def _bury(self, exit_: str = "") -> None:
        """The process has ended unasked: say so, and be ready to start another."""
        if self._process is not None:
            self._process.join()
            exit_ = _describe_exit(self._process.exitcode)
        died = WorkerDied(
            exit_,
            frozenset(self._admitted),
            frozenset(item for item in self._assembling if item[0] not in self._giving_up),
            self._loading,
        )
        log.error("worker died: %s frames=%d", died.exit, len(died.frames))
        self._unread.append(died)
        self._forget()

    def _forget(self) -> None:
        self._close_pipe()
        if self._process is not None:
            self._process.close()
        self._process = None
        self._loaded = self._loading = None
        self._admitted.clear()
        self._assembling.clear()
        self._give_up_rest()

    def _give_up_rest(self) -> None:
        self._unread.extend(JobGivenUp(job) for job in sorted(self._giving_up))
        self._giving_up.clear()

    def _close_pipe(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None


def _run_worker(pipe: WorkerPipe, backend: str, offline: bool, level: str) -> None:
    """Entry of the child; imports there what the supervisor never needs."""
    from img2imgd.pool.worker import main

    main(pipe, backend, offline, level)


def _describe_exit(code: int | None) -> str:
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
        return f"killed by signal {-code}"
    return f"exit status {code}"


@contextlib.contextmanager
def _interrupts_held_back() -> Generator[None]:
    """Block SIGINT in this thread: a child inherits that and unblocks it once it is ready.

    Without it, Ctrl-C while the child imports its modules prints a traceback. The resource tracker
    must run before: starting it would unblock the signal again (CPython's ``resource_tracker``).
    """
    multiprocessing.resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
