"""Debian's Chromium, driven by playwright, which downloads no browser of its own here."""

from __future__ import annotations

import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = (
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--font-render-hinting=none",
)


def find_chromium() -> str | None:
    """The path of a Chromium or Chrome of this machine."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


@contextmanager
def chromium(nice: int = 0) -> Iterator[Browser]:
    """A running browser without a window; ``nice`` lowers its priority.

    Raises:
        FileNotFoundError: there is none.
    """
    path = find_chromium()
    if path is None:
        raise FileNotFoundError("There is no Chromium. On Debian: apt-get install chromium")
    with sync_playwright() as playwright, _wrapped(path, nice) as program:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def wait_for(page: Page, expression: str, seconds: float = 60) -> None:
    """Until JavaScript says true. It is asked from outside: the page's policy forbids evaluation.

    Raises:
        TimeoutError: it does not come true.
    """
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression):
        if time.monotonic() > deadline:
            raise TimeoutError(expression)
        page.wait_for_timeout(10)


@contextmanager
def _wrapped(path: str, nice: int) -> Iterator[str]:
    """The program itself, or a script that starts it with a lower priority."""
    if nice <= 0:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "chromium"
        script.write_text(f'#!/bin/sh\nexec nice -n {nice} {shlex.quote(path)} "$@"\n')
        script.chmod(0o700)
        yield str(script)
