"""One log line per event: time, level, what happened, ``key=value`` facts (job id among them)."""

from __future__ import annotations

import logging
import sys
import warnings


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
