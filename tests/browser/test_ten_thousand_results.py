"""10,000 results: few elements in the page, wherever one scrolls, and nothing gets slow."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from browsing import OpenPage, Studio, Watched
from playwright.sync_api import expect
from tools.page.years import fill

RESULTS = 10_000
MOST_NODES = 2_000  # in the whole page
MOST_BLOCKED = 250  # milliseconds of one task, on a busy machine


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A root with years of work."""
    prepare = partial(fill, results=RESULTS, failures=300)
    folder: Path = tmp_path_factory.mktemp("old")
    with Studio.running(folder, prepare=prepare) as started:
        yield started


def nodes(watched: Watched) -> int:
    """How many elements the page has."""
    return int(watched.page.evaluate("document.querySelectorAll('*').length"))


def scroll_to(watched: Watched, part: float) -> None:
    """Scroll there, and wait until the tiles in sight are loaded."""
    watched.page.evaluate(
        "(part) => scrollTo(0, part * (document.documentElement.scrollHeight - innerHeight))", part
    )
    watched.until("""() => {
      const shown = [...document.querySelectorAll('#gallery .tile')].filter((tile) => {
        const box = tile.getBoundingClientRect();
        return box.bottom > 0 && box.top < innerHeight;
      });
      return shown.length > 4 && shown.every((tile) => tile.querySelector('img')?.complete);
    }""")


def test_one_scrolls_through_ten_thousand_results(open_page: OpenPage, old: Studio) -> None:
    watched = open_page(old, "#results")
    page = watched.page
    watched.patience = 60
    expect(page.locator("#results-count")).to_have_text("10,000 jobs")
    page.evaluate(
        "window.blocked = []; new PerformanceObserver((list) => window.blocked.push("
        "...list.getEntries().map((one) => one.duration))).observe({ type: 'longtask' })"
    )
    counts: list[int] = []
    for part in (0.01, 0.05, 0.2, 0.5, 1.0, 0.0):
        scroll_to(watched, part)
        counts.append(nodes(watched))
    assert max(counts) < MOST_NODES
    assert max(counts) < 2 * min(counts)
    assert max(page.evaluate("window.blocked"), default=0) < MOST_BLOCKED
    page.locator("#gallery a").first.focus()
    page.keyboard.press("End")
    expect(page.locator("#gallery a:focus")).to_contain_text("painted 00000.png")
    assert nodes(watched) < MOST_NODES


def test_search_in_ten_thousand_results_finds_one(open_page: OpenPage, old: Studio) -> None:
    page = open_page(old, "#results?q=number+4711").page
    expect(page.locator("#gallery .tile-name")).to_have_count(1)
    expect(page.locator("#gallery .tile-name")).to_contain_text("painted 04711.png")


def test_many_failures_come_some_at_a_time(open_page: OpenPage, old: Studio) -> None:
    page = open_page(old, "#failures").page
    expect(page.locator("#failures-count")).to_have_text("300 jobs")
    expect(page.locator(".failure")).to_have_count(60)
    page.get_by_role("button", name="Show older ones").click()
    expect(page.locator(".failure")).to_have_count(120)
