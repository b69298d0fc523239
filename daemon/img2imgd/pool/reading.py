"""Asking the reader's child process about pictures, and judging what became of it.

The child is a fresh interpreter that imports Pillow and the reader, and nothing of this process:
neither torch nor the program that was started. It opens no files; those that a question is about
are opened here, unread, and handed over as descriptors. A picture can take it down; the next one
gets a new child.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from img2imgd import durable
from img2imgd.errors import EnvironmentFault, PictureError
from img2imgd.errors import shown as one_line
from img2imgd.pool.answers import (
    glance_report,
    paged_report,
    picture_info,
    prepared_report,
    viewed_report,
)
from img2imgd.pool.deaths import STOPPING, exit_in_words
from img2imgd.pool.reader_child import ReaderChild
from img2imgd.reader.files import open_picture
from img2imgd.reader.protocol import (
    Glance,
    PictureInfo,
    Prepared,
    ReaderLimits,
    SizeRule,
    Viewed,
    shown,
)

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_LARGEST_ANSWER = 4_000_000  # bytes
# Seconds of the clock for each second of computing that a picture may take, on a busy machine or
# from a slow share.
_PATIENCE = 4
_EASIER = "Save it again as PNG, or make it smaller, and put that into the inbox."


class ReaderProcess:
    """The reader as seen from outside: asks a child process, which starts at the first question.

    Safe to use from several threads, which wait for each other. ``timeout`` is in seconds of the
    clock for one question, by default several times the limit on its computing time. :meth:`close`
    frees the child's memory; a later question starts a new one.
    """

    def __init__(self, limits: ReaderLimits | None = None, timeout: float | None = None) -> None:
        self._limits = limits or ReaderLimits()
        self._outdated = False  # the child, which has other limits
        self._timeout = timeout or _PATIENCE * self._limits.cpu_seconds
        self._lock = threading.Lock()
        self._child: ReaderChild | None = None
        self._stopped = False
        self._suspects: set[Path] = set()  # with them the child ended once, which is no proof
        self._told = False  # what the kernel lacks for the sandbox

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        child = self._child
        return child.pid if child else None

    def inspect(self, path: Path) -> PictureInfo:
        """What a picture's header tells.

        Raises:
            PictureError: it cannot be read, or reading it crashed or took too much time or memory.
            EnvironmentFault: the storage fails, or the child could not be started or was stopped.
        """
        with open_picture(path, self._limits) as picture:
            return self._ask(path, {"do": "inspect"}, picture_info, picture)

    def prepare(self, path: Path, target: Path, rule: SizeRule) -> Prepared:
        """Write a plain RGB PNG of a picture at ``target``; errors as :meth:`inspect`."""
        with self.preparing(path, target, rule) as ask:
            return ask()

    @contextmanager
    def preparing(
        self, path: Path, target: Path, rule: SizeRule
    ) -> Generator[Callable[[], Prepared]]:
        """Open the files for :meth:`prepare`, and give what asks the child, in any thread.

        What was written is at ``target`` when the context ends.
        """
        question = {"do": "prepare", **asdict(rule)}
        with open_picture(path, self._limits) as picture, _writing(target) as prepared:
            yield lambda: self._ask(path, question, prepared_report, picture, prepared)

    def view(self, path: Path, picture: BinaryIO, target: Path, side: int) -> Viewed:
        """Write a WebP of an open picture at ``target``, no side longer than ``side`` pixels.

        ``path`` gives its name for messages; errors as :meth:`inspect`.
        """
        with _writing(target) as file:
            return self._ask(path, {"do": "view", "side": side}, viewed_report, picture, file)

    def glance(self, path: Path) -> Glance:
        """What a picture looks like from afar; errors as :meth:`inspect`."""
        with open_picture(path, self._limits) as picture:
            return self._ask(path, {"do": "glance"}, glance_report, picture)

    def count_pages(self, path: Path) -> int:
        """How many pages a document has, 1 for other pictures; errors as :meth:`inspect`."""
        with open_picture(path, self._limits) as picture:
            return self._ask(path, {"do": "count pages"}, paged_report, picture).pages

    def extract_page(self, path: Path, page: int, target: Path) -> None:
        """Write a page, counted from 0, as a PNG at ``target``; errors as :meth:`inspect`."""
        question = {"do": "extract page", "page": page}
        with open_picture(path, self._limits) as picture, _writing(target) as file:
            self._ask(path, question, paged_report, picture, file)

    def reconfigure(self, limits: ReaderLimits) -> None:
        """Read by other limits from the next question on."""
        self._limits = limits
        self._outdated = True

    def close(self) -> None:
        """End the child process, if there is one, once it has answered."""
        with self._lock:
            self._end()

    def stop(self) -> None:
        """End the child amid its question, which raises EnvironmentFault, as any after it does."""
        self._stopped = True
        if (child := self._child) is not None:
            child.interrupt()

    def _ask(
        self,
        path: Path,
        question: Mapping[str, object],
        understood: Callable[[Mapping[str, Any]], Answer],
        *files: BinaryIO,
    ) -> Answer:
        request = json.dumps({"path": os.fspath(path), **question}).encode()
        with self._lock:
            try:
                if self._outdated:
                    self._outdated = False
                    self._end()
                answer = self._hear(path, self._send(request, files))
                return understood(self._result(path, answer))
            except (PictureError, EnvironmentFault):
                raise
            except (TypeError, ValueError, LookupError, AttributeError, RecursionError):
                self._end()
                raise PictureError(
                    f"Reading {shown(path)} made the reader answer nonsense.", _EASIER
                ) from None
            except BaseException:
                self._end()  # an answer that nobody waited for must not meet the next question
                raise

    def _send(self, request: bytes, files: Sequence[BinaryIO]) -> ReaderChild:
        """Hand a request to the child; one that died since the last question is replaced."""
        if self._child is not None:
            try:
                self._child.send(request, files)
            except OSError:
                self._end()
            else:
                return self._child
        child = self._start()
        try:
            child.send(request, files)
        except OSError as fault:
            self._end()
            raise EnvironmentFault(
                f"The reader process cannot be asked: {fault.strerror or fault}.",
                "See what the machine lacks; it is tried again by itself.",
            ) from fault
        return child

    def _hear(self, path: Path, child: ReaderChild) -> Any:
        before = child.cpu_seconds
        try:
            return json.loads(child.receive(self._timeout, _LARGEST_ANSWER))
        except TimeoutError:
            raise self._too_slow(path, child, before) from None
        except (EOFError, OSError):
            raise self._died(path) from None

    def _start(self) -> ReaderChild:
        self._child = child = ReaderChild(self._limits)
        if self._stopped:  # asked for after there is a child: stop() sees it, or it is seen here
            self._end()
            raise EnvironmentFault("No picture is read any more: img2imgd is being stopped.")
        try:
            self._tell_missing(child.missing())
        except (EOFError, OSError):
            raise EnvironmentFault(
                f"The reader process did not start ({exit_in_words(self._end())}).",
                "The log holds its last words.",
            ) from None
        return child

    def _tell_missing(self, missing: Sequence[str]) -> None:
        if missing and not self._told:
            log.warning(
                "this kernel has no %s: pictures are read with less of a sandbox",
                " and no ".join(missing),
            )
        self._told = True

    def _end(self) -> int | None:
        child, self._child = self._child, None
        return child.end() if child else None

    def _suspected(self, path: Path) -> bool:
        """True for a path that was suspected before; now it is, or it is blamed and forgotten."""
        again = path in self._suspects
        self._suspects ^= {path}
        return again

    def _too_slow(
        self, path: Path, child: ReaderChild, before: float
    ) -> PictureError | EnvironmentFault:
        computed, storage_hangs = child.cpu_seconds - before, child.waits_for_disk
        if self._end() is None or storage_hangs:
            return EnvironmentFault(
                f"Reading {path} hangs: its storage does not answer.",
                "Look at the disk or share it lies on.",
            )
        what = f"Reading {shown(path)} took more than {self._timeout:g} s"
        if computed < self._limits.cpu_seconds / 2 and not self._suspected(path):
            return EnvironmentFault(
                f"{what}, but only {computed:.1f} s of computing time.",
                "The disk or share it lies on is slow, or the machine is busy.",
            )
        return PictureError(f"{what}.", _EASIER)

    def _died(self, path: Path) -> PictureError | EnvironmentFault:
        status = self._end()
        name = shown(path)
        if self._stopped or (status is not None and -status in STOPPING):
            return EnvironmentFault(f"The reader was stopped while it read {name}.")
        if status is None:
            return EnvironmentFault(f"The reader cannot be ended after it read {name}.")
        # By hand, or by a kernel out of memory for somebody else's sake; or our end was closed.
        if status in (-signal.SIGKILL, 0) and not self._suspected(path):
            how = "was killed" if status else "ended"
            return EnvironmentFault(f"The reader {how} while it read {name}.")
        if status == -signal.SIGXCPU:
            return PictureError(
                f"Reading {name} took more than {self._limits.cpu_seconds} s of computing time.",
                _EASIER,
            )
        return PictureError(
            f"Reading {name} crashed the reader ({exit_in_words(status)}).", _EASIER
        )

    def _result(self, path: Path, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        match answer.get("error"):
            case None:
                return answer["ok"]
            case "picture":
                raise PictureError(one_line(answer["message"]), one_line(answer["advice"]))
            case "environment":
                raise EnvironmentFault(one_line(answer["message"]), one_line(answer["advice"]))
            case "memory":
                self._end()  # its memory may be in pieces
                raise PictureError(
                    f"Reading {shown(path)} needs more than {self._limits.memory:,} MB of memory.",
                    "Make it smaller, and put that into the inbox.",
                )
            case _:
                self._end()
                raise PictureError(
                    f"{shown(path)} cannot be read ({answer.get('message')}).", _EASIER
                )


@contextmanager
def _writing(target: Path) -> Generator[BinaryIO]:
    try:
        with durable.writing(target) as file:
            yield file
    except OSError as fault:
        raise EnvironmentFault(
            f"{target} cannot be written: {fault.strerror or fault}.",
            "Look at the space and the rights on that disk.",
        ) from fault
