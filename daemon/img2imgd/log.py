"""One log line per event: time, level, what happened, ``key=value`` facts (job id among them)."""

from __future__ import annotations

import logging
import re
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

_FIRST_PAUSE = 60.0  # seconds until a lasting thing is said again; doubled each time
_LONGEST_PAUSE = 3600.0
_FORGOTTEN = 2 * _LONGEST_PAUSE  # what was not met for so long begins anew
_MOST_TEXTS = 20  # of one thing that are said at once
_COMPARED = 2000  # characters of a text that tell it from others
# Each run of hexadecimal digits is looked at once: from its middle, its rest would be tried again.
_NUMBERS = re.compile(r"(?<![0-9a-f])[a-f]*\d[0-9a-f]*")


def configure(level: str = "INFO") -> None:
    """Send the package's log to stderr, one line an event; under systemd, without the time."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)-7s %(message)s"))
    root = logging.getLogger("img2imgd")
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False
    # Watchdog calls it an error when an event comes while an observer is being stopped, and warns
    # of folders that are made while it looks; neither matters, an event only wakes a scan.
    logging.getLogger("watchdog").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"watchdog\.")


class _OneLine(logging.Formatter):
    """Keeps an event on one line: names and prompts from outside may hold newlines."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if record.exc_info:
            return text  # a traceback is ours, not from outside, and needs its lines
        return text.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n")


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
