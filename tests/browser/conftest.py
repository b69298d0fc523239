"""A real Chromium on the page of a real daemon; what any page does wrong fails the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from browsing import OpenPage, StartStudio, Studio, Watched
from playwright.sync_api import Browser
from tools.page.chromium import chromium, find_chromium


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser these tests are skipped, and say so."""
    if find_chromium() is not None:
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="there is no Chromium here"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests of this process."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A daemon with a page, for the tests of a module; the engine is the fake one."""
    with Studio.running(tmp_path_factory.mktemp("studio")) as started:
        yield started


@pytest.fixture
def start_studio(tmp_path: Path) -> Iterator[StartStudio]:
    """Starts a studio of a test's own; it ends after the windows that look at it."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Studio.running(tmp_path, **options))


@pytest.fixture
def open_page(browser: Browser, start_studio: object) -> Iterator[OpenPage]:
    """Opens a view of a studio in a window of its own; nothing may go wrong in it."""
    opened: list[Watched] = []

    def open_one(studio: Studio, view: str = "#now", **options: object) -> Watched:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        watched = Watched.on(context.new_page())
        opened.append(watched)
        watched.page.goto(f"{studio.url}/{view}")
        return watched

    yield open_one
    troubles = [trouble for watched in opened for trouble in watched.end()]
    assert not troubles, "\n".join(troubles)
