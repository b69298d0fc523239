"""The worker without its process, what threads do without them: so a test is repeatable."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from typing import Any, cast

from img2imgd.pool.messages import Cancel, Order, PoolEvent, WorkerEvent
from img2imgd.pool.supervision import WorkerPool
from img2imgd.pool.worker import Pipe, Worker


class _Sink:
    """The worker's end of the pipe: what it says is kept."""

    def __init__(self) -> None:
        self.said: list[WorkerEvent] = []

    def send(self, event: WorkerEvent) -> None:
        self.said.append(event)


class LocalPool(WorkerPool):
    """A pool whose worker, with the fake engine, lives and dies with the test's process.

    Every poll is one turn of its loop.
    """

    def __init__(self) -> None:
        super().__init__("fake")
        self._sink = _Sink()
        self._worker: Worker | None = None

    @property
    def running(self) -> bool:
        """True once something was asked of the worker."""
        return self._worker is not None

    def cancel(self, job: str) -> None:
        """Have a job given up at once."""
        self._outstanding.give_up(job)
        if self._worker is None:
            self._give_up_rest()
        else:
            self._order(Cancel(job))

    def poll(self, timeout: float) -> list[PoolEvent]:  # noqa: ARG002
        """Let the worker take its orders and paint one step; what it said."""
        worker = self._worker
        if worker is not None:
            worker._take(wait=False)
            worker._obey()
            if worker._engine is not None:
                worker._engine.step(worker._report)
            wait([writing for _, writing in worker._stager._writers._begun])
        while self._sink.said:  # an animation is made, and told of, by a thread
            self._take([self._sink.said.pop(0)])
        events, self._unread = self._unread, []
        return events

    def stop(self, grace: float) -> None:  # noqa: ARG002
        """Forget the worker."""
        if self._worker is not None:
            self._worker._finish()
        self._worker = None
        self._forget_orders()

    def _order(self, order: Order) -> None:
        if self._worker is None:
            self._worker = Worker(cast("Pipe", self._sink), "fake", offline=True)
        self._worker._read.put(order)


class AtOnce(Executor):
    """A thread that is none: what is submitted is done when that returns."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do it now."""
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - for whoever asks for the result
            done.set_exception(error)
        return done
