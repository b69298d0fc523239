"""The supervisor's side of the worker: starts it, gives it orders, hears of it, buries it."""

from __future__ import annotations

import contextlib
import logging
import os
import time
import weakref
from multiprocessing.connection import wait

from img2imgd.engine.protocol import FrameTask, ModelInfo, ModelSpec
from img2imgd.log import Lasting
from img2imgd.outputs.orders import FrameFile
from img2imgd.pool.child import Child, OrderPipe
from img2imgd.pool.counting import Counting
from img2imgd.pool.deaths import cause_of_death, exit_in_words
from img2imgd.pool.ending import TERMINATE_SECONDS, end, has_ended, kill
from img2imgd.pool.messages import (
    Admit,
    Assemble,
    Assembly,
    Cancel,
    Death,
    EngineLost,
    FrameSeen,
    FrameStaged,
    JobGivenUp,
    Load,
    ModelFailed,
    ModelLoaded,
    Order,
    PoolEvent,
    Watch,
    WorkerDied,
    WorkerEvent,
)
from img2imgd.pool.outstanding import Outstanding
from img2imgd.pool.progress import ProgressClock, Work
from img2imgd.pool.watching import WATCHED, Watching

log = logging.getLogger(__name__)


class WorkerPool:
    """One worker process, started when it is first needed and again after it died.

    A worker without progress for ``stall_timeout`` seconds is killed, which counts as its death.
    Belongs to one thread; only :meth:`wake` may be called from others and from signal handlers. No
    method raises because the worker is dead: that comes as WorkerDied from :meth:`poll`.
    """

    def __init__(
        self, backend: str, *, offline: bool = False, stall_timeout: float | None = None
    ) -> None:
        self._backend = backend
        self._offline = offline
        self._clock = ProgressClock(stall_timeout)
        self.watching = Watching()
        self._child: Child | None = None
        self._loaded: ModelInfo | None = None
        self._outstanding = Outstanding()
        self._counting = Counting()
        self._engine_lost = ""
        self._hung = False
        self._started_as = (backend, offline)
        self._lasting = Lasting(log)
        self._unread: list[PoolEvent] = []
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._free = weakref.finalize(self, _close, self._wake_read, self._wake_write)

    def reconfigure(
        self, backend: str, *, offline: bool = False, stall_timeout: float | None = None
    ) -> None:
        """Start the next worker in this way; for how long one may stall is so at once."""
        self._backend = backend
        self._offline = offline
        self._clock.limit = stall_timeout

    @property
    def is_outdated(self) -> bool:
        """True when there is a worker that was started in another way than the next will be."""
        return self.running and self._started_as != (self._backend, self._offline)

    @property
    def running(self) -> bool:
        """True while there is a worker process."""
        return self._child is not None

    @property
    def pid(self) -> int | None:
        """Process id of the worker, if there is one."""
        return self._child.pid if self._child else None

    @property
    def stuck(self) -> bool:
        """True while a killed worker has not ended: it waits for a device or disk (state D).

        Give it no orders: no other worker is started before it is gone, which :meth:`poll` tells.
        """
        return self._hung

    @property
    def loaded(self) -> ModelInfo | None:
        """The model that frames are painted with, once ModelLoaded was polled."""
        return self._loaded

    @property
    def loading(self) -> str | None:
        """The name of the model that is being loaded, if one is."""
        return self._outstanding.loading

    @property
    def admitted(self) -> frozenset[tuple[str, int]]:
        """(job, index) of the frames that the worker has and has not answered for."""
        return frozenset(self._outstanding.frames)

    @property
    def unpainted(self) -> frozenset[tuple[str, int]]:
        """(job, index) of the admitted frames that have steps to run; the others are written."""
        return frozenset(self._outstanding.unpainted)

    def load(self, model: ModelSpec) -> None:
        """Load a model, starting the worker if need be; ModelLoaded or ModelFailed follows."""
        self._loaded = None
        self._outstanding.loading = model.name
        self._order(Load(model))

    def let_model_go(self) -> None:
        """Have the loaded model count as none, so that the next load takes its place."""
        self._loaded = None

    def admit(self, task: FrameTask, *files: FrameFile) -> None:
        """Have a frame painted and written durably as every one of ``files``.

        StepDone, then FrameStaged, FrameRefused or WorkerFault follow. The model may still be
        loading; if that fails, the frame comes back as a WorkerFault.
        """
        self._outstanding.frames.add((task.job, task.index))
        self._order(Admit(task, files))

    def assemble(self, job: str, assembly: Assembly) -> None:
        """Have an animation or sheet made, which needs no model.

        AssemblyStaged or AssemblyFailed follows.
        """
        self._outstanding.assembling.append((job, assembly.target))
        self._order(Assemble(job, assembly))

    def cancel(self, job: str) -> None:
        """Have a job given up; JobGivenUp follows, always, when nothing more of it is written.

        Before that, none of its frames may be admitted again.
        """
        self._outstanding.give_up(job)
        self.watching.forget(job)
        if self._child is None:
            self._give_up_rest()
        else:
            self._child.send(Cancel(job))

    def poll(self, timeout: float) -> list[PoolEvent]:
        """Wait up to ``timeout`` seconds for events, a death or :meth:`wake`; all that came."""
        watched: list[int | OrderPipe] = [self._wake_read]
        if self._child is not None:
            watched += self._child.watched
            if self.watching.ask():
                self._child.send(Watch(WATCHED))
            timeout = min(timeout, self._clock.look_every)
        ready = wait(watched, 0 if self._unread else max(timeout, 0))
        if self._wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                while os.read(self._wake_read, 4096):
                    pass
        if self._child is not None:
            dead = self._child.exit_code is not None
            heard = self._take(self._child.receive())
            if dead:
                self._bury()
            elif not self._hung:
                self._watch_progress(self._child, heard=heard)
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
        another worker, unless this one is :attr:`stuck`.
        """
        child = self._child
        if child is None:
            return
        told = self._outstanding
        only_loads = told.loading is not None and not told.frames and not told.assembling
        if self._hung:
            ended = kill(child, self._take)
        else:
            grace = 0 if only_loads else grace
            ended = end(child, self._take, grace=grace, quietly=only_loads)
        if ended:
            self._take(child.receive())
            self._close_child()
        else:
            log.error("worker cannot be ended pid=%s: it waits for a device or disk", self.pid)
            self._hung = True
        self._forget_orders()

    def _order(self, order: Order) -> None:
        if self._child is None:
            try:
                self._child = Child(self._backend, offline=self._offline)
                self._started_as = (self._backend, self._offline)
            except OSError as error:
                self._bury(f"could not be started: {error.strerror or error}")
                return
            self._clock.restart(time.monotonic())
            self._lasting.say("started", f"worker started pid={self.pid}", logging.INFO)
            self._counting.started()
        self._counting.told(order)
        self._child.send(order)

    def _take(self, events: list[WorkerEvent]) -> bool:
        """Note what the worker has answered for; True if it said anything."""
        for event in events:
            self._outstanding.note(event)
            self._counting.heard(event)
            match event:
                case EngineLost(reason):
                    self._engine_lost = reason
                    continue
                case ModelLoaded(info):
                    self._loaded = info
                case ModelFailed():
                    self._loaded = None
                case FrameSeen():
                    self.watching.note(event)
                    continue
                case FrameStaged(job, index):
                    self.watching.forget(job, index)
                    self._lasting.over("started")
                    self._lasting.over("died")
                case _:
                    pass
            self._unread.append(event)
        return bool(events)

    def _watch_progress(self, child: Child, *, heard: bool) -> None:
        """Kill a worker that has something to do and does nothing."""
        now = time.monotonic()
        if heard or not self._outstanding.work:
            self._clock.restart(now)
            return
        # A process that waits for its GPU may use a whole core: there, only events are progress.
        on_gpu = self._loaded is not None and self._loaded.device != "cpu"
        only_events = on_gpu and self._outstanding.painting_only
        work = None if only_events else Work.of(child.pid)
        if self._clock.overdue(now, work):
            log.error(
                "worker hangs pid=%s: no progress for %g s; it %s; killing it",
                child.pid, self._clock.limit, self._outstanding.in_words(),
            )  # fmt: skip
            child.kill()
            self._hung = True
            if has_ended(child, self._take, within=TERMINATE_SECONDS):
                self._bury()

    def _bury(self, exit_: str = "") -> None:
        """The process has ended unasked: say so, and be ready to start another."""
        cause, told = Death.CRASHED, self._outstanding
        if self._child is not None:
            cause, exit_ = self._cause_of_death(self._child.exit_code)
        died = WorkerDied(
            exit_,
            frozenset(told.frames),
            tuple(item for item in told.assembling if item[0] not in told.giving_up),
            told.loading,
            cause,
        )
        inside = sorted({job for job, _ in (*died.frames, *died.assembling)})
        what = f"worker died: {died.exit}, with {', '.join(inside) or 'nothing'} in it"
        self._lasting.say("died", what, logging.ERROR)
        self._counting.died(cause)
        self._unread.append(died)
        self._close_child()
        self._forget_orders()

    def _cause_of_death(self, code: int | None) -> tuple[Death, str]:
        if self._hung:
            return Death.HUNG, f"no progress for {self._clock.limit or 0:g} s, so it was killed"
        if self._engine_lost:
            return Death.DEVICE_LOST, self._engine_lost
        return cause_of_death(code), exit_in_words(code)

    def _close_child(self) -> None:
        if self._child is not None:
            self._child.close()
        self._child = None
        self._hung = False
        self._engine_lost = ""

    def _forget_orders(self) -> None:
        self._loaded = None
        self.watching.forget_all()
        self._give_up_rest()
        self._outstanding = Outstanding()
        self._counting.forget()

    def _give_up_rest(self) -> None:
        self._unread.extend(JobGivenUp(job) for job in sorted(self._outstanding.giving_up))
        self._outstanding.giving_up.clear()


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
