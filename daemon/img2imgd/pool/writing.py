"""Threads of the worker that write files of jobs, so that painting goes on meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class Writers:
    """Threads that take one piece of writing after the other. Belongs to the worker's thread."""

    def __init__(self, threads: int, name: str) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._begun: list[tuple[str, Future[None]]] = []

    def start(self, job: str, write: Callable[[], None]) -> Future[None]:
        """Have something of a job written after what waits already."""
        self._begun = [(begun, future) for begun, future in self._begun if not future.done()]
        future = self._threads.submit(write)
        self._begun.append((job, future))
        return future

    def drop(self, job: str) -> list[Future[None]]:
        """Drop what waits of a job; what is being written, and cannot be dropped."""
        futures = [future for begun, future in self._begun if begun == job]
        return [future for future in futures if not future.cancel()]

    def finish(self) -> None:
        """Return once everything is written; nothing may be started any more."""
        self._threads.shutdown()

    def stop(self) -> None:
        """Drop what waits; what is being written goes on."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def when_done(futures: list[Future[None]], act: Callable[[], None]) -> None:
    """Act once all of them are done: here, if they are, or else in the thread of the last."""
    for future in futures:
        if not future.done():
            future.add_done_callback(lambda _: when_done(futures, act))
            return
    act()
