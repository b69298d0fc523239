"""What does the page cost the browser and the supervisor?

A real ``img2imgd run`` (fake engine, slow steps) with 10,000 results in its ledger and
500 jobs in its queue, and a real Chromium: first paint, time until results and the queue are seen,
main thread and memory per update; the supervisor's time per snapshot, processor time and memory
with and without a page that looks on.

Prints a table, writes ``bench/results/page_in_browser.json``; fails where a bound does not hold.
What it costs the worker: ``page_beside_steps.py``.

Run: ``python bench/page_in_browser.py [--repetitions N]``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import Browser, Page
from tools.page.chromium import chromium
from tools.page.chromium import wait_for as in_page
from tools.page.years import fill

from measuring.paged import daemon, drop, shown, wait_for
from measuring.pairs import Spread
from measuring.report import machine, versions

RESULTS_IN_LEDGER, QUEUED = 10_000, 500
IN_WORKER = 96  # frames that the worker has beside the queue
MOST_RSS = 120.0  # MB, of the supervisor
MOST_SNAPSHOT = 250.0  # ms, on a machine that does other things too
STEP_SECONDS = 0.4
RESULTS = Path(__file__).parent / "results" / "page_in_browser.json"


def first_paint(browser: Browser, url: str, view: str, seen: str) -> tuple[float, float]:
    """Milliseconds until something is painted, and until what one came for is there."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{url}/{view}", wait_until="commit")
    in_page(page, seen)
    there = page.evaluate("performance.now()")
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    context.close()
    return painted, there


def update_cost(page: Page, seconds: float) -> dict[str, float]:
    """What the updates of some seconds cost the main thread, each, in milliseconds."""
    page.evaluate(
        "import('/static/js/live.js').then(({ live }) => { window.updates = 0;"
        " live.addEventListener('now', () => { window.updates += 1; }); })"
    )
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def metrics() -> dict[str, float]:
        found = session.send("Performance.getMetrics")["metrics"]
        return {one["name"]: one["value"] for one in found}

    before = metrics()
    page.wait_for_timeout(seconds * 1000)
    after = metrics()
    updates = page.evaluate("window.updates")
    spent = {
        "main_thread_ms": "TaskDuration",
        "script_ms": "ScriptDuration",
        "layout_ms": "LayoutDuration",
    }
    costs = {
        name: round(1000 * (after[key] - before[key]) / updates, 2) for name, key in spent.items()
    }
    nodes = page.evaluate("document.querySelectorAll('*').length")
    return {
        "updates": updates,
        **costs,
        "nodes": nodes,
        "heap_mb": round(after["JSHeapUsedSize"] / 1e6, 1),
    }


def cost(repetitions: int) -> dict[str, Any]:
    """The page with years of results and a long queue."""

    def prepare(root: Path) -> None:
        fill(root, results=RESULTS_IN_LEDGER)
        drop(root / "inbox", QUEUED + IN_WORKER + 60)

    with daemon(prepare, backend="fake", step_seconds=STEP_SECONDS) as running:
        wait_for(lambda: running.now()["queued_total"] >= QUEUED, "the queue")
        url = f"http://127.0.0.1:{running.port}"
        time.sleep(5)
        facts: dict[str, Any] = {
            "rss_mb_nobody_looks": round(running.rss_mb(), 1),
            "cpu_percent_nobody_looks": round(running.cpu_percent(15), 1),
        }
        running.get("/api/now")
        took: list[float] = []
        for _ in range(20):
            time.sleep(1.1)  # older snapshots are not given twice
            began = time.perf_counter()
            running.get("/api/now")
            took.append(1000 * (time.perf_counter() - began))
        facts["snapshot_ms"] = Spread.of(took)
        facts["results_page_ms"] = Spread.of(
            [_milliseconds(lambda: running.get("/api/results?limit=120")) for _ in range(10)]
        )
        facts["search_ms"] = Spread.of(
            [_milliseconds(lambda: running.get("/api/results?q=number+4711")) for _ in range(10)]
        )
        with chromium() as browser:
            views = {
                "results": "Boolean(document.querySelector('#gallery img')?.complete)",
                "now": "Boolean(document.querySelector('#queue li'))",
            }
            for name, seen in views.items():
                pairs = [first_paint(browser, url, f"#{name}", seen) for _ in range(repetitions)]
                facts[f"{name}_first_paint_ms"] = Spread.of(pair[0] for pair in pairs)
                facts[f"{name}_seen_ms"] = Spread.of(pair[1] for pair in pairs)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{url}/#now")
            page.wait_for_selector("#queue li")
            page.wait_for_timeout(3000)
            facts["update"] = update_cost(page, 20)
            facts["cpu_percent_one_looks"] = round(running.cpu_percent(15), 1)
            facts["rss_mb_one_looks"] = round(running.rss_mb(), 1)
    return facts


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def judge(cost: dict[str, Any]) -> None:
    """Fail where a bound does not hold."""
    assert cost["rss_mb_one_looks"] < MOST_RSS, f"{cost['rss_mb_one_looks']} MB"
    assert cost["snapshot_ms"][0] < MOST_SNAPSHOT, f"{cost['snapshot_ms']} ms a snapshot"


def main() -> None:
    """Measure, print, write, judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=6)
    told = parser.parse_args()
    facts = {
        "machine": machine(), "versions": versions(),
        "results_in_ledger": RESULTS_IN_LEDGER, "queued": QUEUED, "cost": cost(told.repetitions),
    }  # fmt: skip
    print(shown(facts["cost"]))
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n")
    judge(facts["cost"])


if __name__ == "__main__":
    main()
