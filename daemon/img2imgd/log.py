"""One log line per event: time, level, what happened, ``key=value`` facts (job id among them)."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

_FIRST_PAUSE = 60.0  # seconds until a lasting thing is said again; doubled each time
_LONGEST_PAUSE = 3600.0
_FORGOTTEN = 2 * _LONGEST_PAUSE  # what was not met for so long begins anew
_MOST_TEXTS = 20  # of one thing that are said at once
_COMPARED = 2000  # characters of a text that tell it from others
# Each run of hexadecimal digits is looked at once: from its middle, its rest would be tried again.
_NUMBERS = re.compile(r"(?<![0-9a-f])[a-f]*\d[0-9a-f]*")


Form = Literal["auto", "text", "json", "journal"]
"""How lines look: with time and level, an object each, with the journal's priorities.

``auto`` is ``journal`` where stderr goes to the journal, else ``text``.
"""


def configure(level: str = "INFO", form: Form = "auto") -> None:
    """Send the package's log to stderr, one line an event."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_FORMATTERS[_for_journal(os.environ) if form == "auto" else form]())
    root = logging.getLogger("img2imgd")
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False
    # Watchdog calls it an error when an event comes while an observer is being stopped, and warns
    # of folders that are made while it looks; neither matters, an event only wakes a scan.
    logging.getLogger("watchdog").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"watchdog\.")


def form_in_use() -> Form:
    """How the lines of this process look, for a child that writes beside it."""
    for handler in logging.getLogger("img2imgd").handlers:
        if isinstance(handler.formatter, _Lines):
            return handler.formatter.form
    return "auto"


def _for_journal(env: Mapping[str, str]) -> Form:
    """Whether stderr is the stream that the journal has opened for this service.

    Programs further down inherit the variable, and may have stderr elsewhere
    (systemd.exec(5), JOURNAL_STREAM).
    """
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return "text"  # no stderr, or one that is no file
    ours = env.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
    return "journal" if ours else "text"


class _Lines(logging.Formatter):
    """Keeps an event on one line: names and prompts from outside may hold newlines."""

    form: Form = "text"

    def message_of(self, record: logging.LogRecord) -> str:
        return _printable(record.getMessage()).replace("\n", "\\n")

    def trace_of(self, record: logging.LogRecord) -> str:
        """The traceback, which is ours, not from outside, and needs its lines; else nothing."""
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        return _printable("\n".join([*parts, *filter(None, [record.stack_info])]))


class _Text(_Lines):
    """For people: time, level, message; a traceback in lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{self.formatTime(record)} {record.levelname:7} {self.message_of(record)}"
        return "\n".join(filter(None, [line, self.trace_of(record)]))


class _Journal(_Lines):
    """For the journal, which knows the time: each line with its priority (sd-daemon(3))."""

    form = "journal"

    def format(self, record: logging.LogRecord) -> str:
        text = "\n".join(filter(None, [self.message_of(record), self.trace_of(record)]))
        priority = next(number for level, number in _PRIORITIES if record.levelno >= level)
        return "\n".join(f"<{priority}>{line}" for line in text.splitlines())


class _Json(_Lines):
    """For programs: an object a line. ``job`` is the first that the message names."""

    form = "json"

    def format(self, record: logging.LogRecord) -> str:
        time_of_it = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        found = {
            "time": time_of_it.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": _printable(record.getMessage()),
        }
        if job := _JOB.search(found["message"]):
            found["job"] = job[0]
        if trace := self.trace_of(record):
            found["exception"] = trace
        return json.dumps(found, ensure_ascii=False)


def _printable(text: str) -> str:
    """Text without the halves of letters that names from a disk may have."""
    return text.encode("utf-8", "backslashreplace").decode()


_FORMATTERS: Mapping[Form, type[_Lines]] = {"text": _Text, "json": _Json, "journal": _Journal}
_PRIORITIES = (
    (logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7),
)  # fmt: skip
_JOB = re.compile(r"(?<!\w)\d{8}T\d{6}-[0-9a-f]{8}(?!\w)")


class Lasting:
    """Says what goes on and on, for days perhaps, without filling the log.

    A thing is said when it begins and when its text changes, then again after a minute, two, four
    … and at last once an hour, and when it is over. For one thread; ``clock`` gives seconds.
    """

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._things: dict[str, _Thing] = {}

    def say(
        self, what: str, text: str, level: int = logging.WARNING, *, trace: bool = False
    ) -> None:
        """Log ``text`` about ``what`` if it is time; ``trace`` adds the exception at hand."""
        now = self._clock()
        thing = self._things.get(what)
        if thing is None or now - thing.met >= _FORGOTTEN:
            recent = {w: t for w, t in self._things.items() if now - t.met < _FORGOTTEN}
            thing = _Thing()
            self._things = {**recent, what: thing}
        thing.met = now
        bare = _NUMBERS.sub("", text[:_COMPARED])  # another pid, pause or job is no news
        is_news = bare not in thing.texts and len(thing.texts) < _MOST_TEXTS
        if not is_news and now < thing.again_at:
            thing.unsaid += 1
            return
        again = "" if is_news else f" ({thing.unsaid} times more since this was last said)"
        self._logger.log(level, "%s%s", text, again, exc_info=trace and is_news)
        thing.texts.add(bare)
        thing.unsaid = 0
        thing.pause = min(max(2 * thing.pause, _FIRST_PAUSE), _LONGEST_PAUSE)
        thing.again_at = now + thing.pause

    def over(self, what: str, text: str = "") -> None:
        """``what`` is no more; log ``text``, if it was said that it had begun."""
        if self._things.pop(what, None) is not None and text:
            self._logger.info("%s", text)


@dataclass
class _Thing:
    texts: set[str] = field(default_factory=lambda: set[str]())
    met: float = 0.0
    again_at: float = 0.0
    pause: float = 0.0
    unsaid: int = 0
