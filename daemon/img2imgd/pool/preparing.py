"""Pictures that the reader prepares while whoever asked for them goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from img2imgd import metrics
from img2imgd.errors import EnvironmentFault
from img2imgd.pool.reading import ReaderProcess
from img2imgd.reader.protocol import Prepared, SizeRule


class Preparing:
    """Asks the reader by a thread, for one picture after the other.

    Belongs to one thread, which opens the files and puts what was made in its place; the other only
    talks with the reader's process, and calls ``done`` after each picture.
    """

    def __init__(self, reader: ReaderProcess, done: Callable[[], None]) -> None:
        self._reader = reader
        self._done = done
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reading")

    def begin(self, path: Path, target: Path, rule: SizeRule) -> Preparation:
        """Have a plain RGB PNG of a picture made, to be found at ``target`` once it is collected.

        Raises:
            PictureError, EnvironmentFault: it cannot be opened, as ``ReaderProcess.prepare`` says.
        """
        with contextlib.ExitStack() as files:
            ask = files.enter_context(self._reader.preparing(path, target, rule))
            try:
                answer = self._thread.submit(_timed, ask)
            except RuntimeError as error:
                raise EnvironmentFault("No thread can be started to read a picture.") from error
            answer.add_done_callback(lambda _: self._done())
            return Preparation(answer, files.pop_all())

    def stop(self) -> None:
        """Begin no further picture; nothing waits for the one that is being read."""
        self._thread.shutdown(wait=False, cancel_futures=True)


class Preparation:
    """A picture on its way through the reader, and then what became of it."""

    def __init__(self, answer: Future[Prepared], files: contextlib.ExitStack) -> None:
        self._answer = answer
        self._files = files
        self._fault: Exception | None = None
        self.collected = False

    def collect(self) -> bool:
        """Once the reader has answered, close the files and have the result ready: True then."""
        if not self.collected and self._answer.done():
            self.collected = True
            try:
                with self._files:
                    self._answer.result()
            except Exception as fault:  # noqa: BLE001 - for whoever asks for the result
                self._fault = fault
        return self.collected

    def result(self) -> Prepared:
        """What was prepared, once it is collected; errors as from ``ReaderProcess.prepare``."""
        if self._fault is not None:
            raise self._fault
        return self._answer.result()

    def drop(self) -> None:
        """Leave nothing at the target, now or when the reader has answered."""
        if not self.collected:
            self._answer.add_done_callback(lambda _: self._discard())

    def _discard(self) -> None:
        with contextlib.suppress(_Dropped), self._files:
            raise _Dropped


def _timed(ask: Callable[[], Prepared]) -> Prepared:
    with metrics.STAGES.timed("read"):
        return ask()


class _Dropped(Exception):
    """Ends the writing of a file that nobody wants any more."""
