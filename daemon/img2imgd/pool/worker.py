"""The worker process: holds the engine, has its frames staged, obeys the supervisor's pipe.

A thread reads the pipe, so that the worker dies at once when the supervisor is gone, even in the
middle of a long step. The main thread paints; between steps it looks at what was read. What is to
be written, other threads write.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import threading
from collections import deque
from multiprocessing.connection import Connection
from typing import NoReturn, TypeAlias

from PIL import Image

from img2imgd import log as package_log
from img2imgd.engine.factory import create_engine
from img2imgd.engine.protocol import (
    Engine,
    EngineEvent,
    FrameGivenBack,
    FramePainted,
    FrameRefused,
    ModelSpec,
    ModelUnavailable,
    StepDone,
)
from img2imgd.errors import Img2imgdError
from img2imgd.outputs.orders import FrameFile
from img2imgd.pool.assembling import Assembler
from img2imgd.pool.glimpsing import Glimpsing
from img2imgd.pool.messages import (
    Admit,
    Assemble,
    Cancel,
    EngineLost,
    JobGivenUp,
    Load,
    ModelFailed,
    ModelLoaded,
    Order,
    Stop,
    Watch,
    WorkerEvent,
    WorkerFault,
)
from img2imgd.pool.staging import Stager
from img2imgd.pool.steps import Steps
from img2imgd.pool.writing import when_done

log = logging.getLogger(__name__)

EXIT_ORPHANED = 70
EXIT_ENGINE_LOST = 71

Pipe: TypeAlias = "Connection[WorkerEvent, Order]"


def main(
    pipe: Pipe, backend: str, offline: bool, log_level: str, log_form: package_log.Form = "auto"
) -> NoReturn:
    """Serve the supervisor at the other end of ``pipe`` until it says stop or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the supervisor to act on
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.dup2(sys.stderr.fileno(), 1)  # the supervisor's stdout is for its answers alone
    package_log.configure(log_level, log_form)
    Image.MAX_IMAGE_PIXELS = None  # only frames of our own are opened here, whatever their size
    Worker(pipe, backend, offline=offline).run()


class Worker:
    """The loop of the process: take orders, run one step, report."""

    def __init__(self, pipe: Pipe, backend: str, *, offline: bool) -> None:
        self._pipe = pipe
        self._sending = threading.Lock()
        self._backend = backend
        self._offline = offline
        self._engine: Engine | None = None
        self._model_loaded = False
        self._read: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._orders: deque[Load | Admit] = deque()
        self._files: dict[tuple[str, int], tuple[FrameFile, ...]] = {}
        self._steps = Steps(self._send)
        self._glimpsing = Glimpsing(self._send)
        self._stager = Stager(self._send)
        self._assembler = Assembler(self._send)
        self._lasting = package_log.Lasting(log)

    def run(self) -> NoReturn:
        """Work until told to stop."""
        threading.Thread(target=self._read_pipe, name="pipe", daemon=True).start()
        while True:
            self._take(wait=not self._orders and self._idle())
            self._obey()
            if self._engine is not None:
                self._engine.step(self._report)
                self._glimpsing.look(self._engine)

    def _idle(self) -> bool:
        return self._engine is None or self._engine.idle()

    def _read_pipe(self) -> None:
        while True:
            try:
                order = self._pipe.recv()
            except (EOFError, OSError):
                os._exit(EXIT_ORPHANED)
            self._read.put(order)

    def _send(self, event: WorkerEvent) -> None:
        with self._sending:
            try:
                self._pipe.send(event)
            except OSError:
                os._exit(EXIT_ORPHANED)

    def _take(self, *, wait: bool) -> None:
        """Sort what has been read: some orders act at once, others wait for the end of the step."""
        while wait or not self._read.empty():
            order = self._read.get()
            wait = False
            match order:
                case Stop():
                    self._finish()
                    self._exit(0)
                case Cancel():
                    self._give_up(order.job)
                case Assemble():
                    self._assembler.start(order)
                case Watch():
                    self._glimpsing.watch(order.seconds)
                case Load() | Admit():
                    self._orders.append(order)

    def _obey(self) -> None:
        """Carry out the waiting orders in turn; a model to load waits until no frame is left."""
        while self._orders:
            match self._orders[0]:
                case Load(model):
                    if not self._idle():
                        return
                    self._load(model)
                case Admit() as order:
                    self._admit(order)
            self._orders.popleft()

    def _load(self, model: ModelSpec) -> None:
        self._model_loaded = False
        try:
            if self._engine is None:
                self._engine = create_engine(self._backend, offline=self._offline)
            info = self._engine.load(model)
        except Img2imgdError as error:
            self._send(ModelFailed(model.name, error.message, error.advice))
            if isinstance(error, ModelUnavailable) and error.engine_lost:
                self._give_back(error.message)
                self._end_without_engine(error.message)
        except Exception as error:  # noqa: BLE001 - one model's edge
            what = f"model not loaded model={model.name} source={model.source}"
            self._lasting.say(model.name, what, logging.ERROR, trace=True)
            reason = f"Model {model.name}: {type(error).__name__}: {error}"
            self._send(ModelFailed(model.name, reason, "The log has the details."))
        else:
            self._model_loaded = True
            self._lasting.over(model.name)
            self._send(ModelLoaded(info))

    def _admit(self, order: Admit) -> None:
        task = order.task
        if self._engine is None or not self._model_loaded:
            self._send(WorkerFault(task.job, task.index, "No model is loaded."))
            return
        self._files[task.job, task.index] = order.files
        self._engine.admit(task)

    def _give_back(self, reason: str) -> None:
        """The frames that waited for a model have nothing to do with its fault."""
        for order in self._orders:
            if isinstance(order, Admit):
                self._send(WorkerFault(order.task.job, order.task.index, reason))

    def _give_up(self, job: str) -> None:
        self._orders = deque(
            order for order in self._orders if isinstance(order, Load) or order.task.job != job
        )
        for frame in [frame for frame in self._files if frame[0] == job]:
            del self._files[frame]
        self._steps.forget(job)
        if self._engine is not None:
            self._engine.cancel(job)
        running = self._stager.cancel(job) + self._assembler.cancel(job)
        when_done(running, lambda: self._send(JobGivenUp(job)))

    def _report(self, event: EngineEvent) -> None:
        """Pass on what the engine says; called from within its step."""
        match event:
            case StepDone():
                self._steps.done(event)
                self._glimpsing.stepped(event.job)
                self._take(wait=False)
            case FramePainted():
                self._steps.forget(event.job, event.index)
                if (files := self._files.pop(event.key, None)) is not None:  # not given up
                    self._stager.stage(event, files)
            case FrameRefused():
                self._forget(event.job, event.index)
                self._send(event)
            case FrameGivenBack():
                if event.engine_lost:
                    self._end_without_engine(event.reason)
                self._forget(event.job, event.index)
                self._send(WorkerFault(event.job, event.index, event.reason))

    def _forget(self, job: str, index: int) -> None:
        self._steps.forget(job, index)
        self._files.pop((job, index), None)

    def _finish(self) -> None:
        """Before the end: what is painted is staged, what waits to be assembled is dropped."""
        self._assembler.stop()
        self._stager.finish()

    def _end_without_engine(self, reason: str) -> NoReturn:
        """End: the next process may find the device in order."""
        log.error("engine lost: %s", reason)
        self._finish()
        self._send(EngineLost(reason))
        self._exit(EXIT_ENGINE_LOST)

    def _exit(self, code: int) -> NoReturn:
        # While Python ends, the threads of what is being assembled could start none of their own.
        self._assembler.finish()
        sys.exit(code)
