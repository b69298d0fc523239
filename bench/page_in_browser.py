"""What does the page cost: the browser, the supervisor, and the worker that paints beside it?

**Cost**: a real ``img2imgd run`` (fake engine, slow steps) with 10,000 results in its ledger and
500 jobs in its queue, and a real Chromium: first paint, time until results and the queue are seen,
main thread and memory per update; the supervisor's time per snapshot, processor time and memory
with and without a page that looks on. **Steps** (``--steps``): the embedded model paints one
long job, and its steps are counted while nobody looks, while two connections read all that the page
would, and while two Chromiums of low priority show it; in turns, so that what else the machine does
meets all alike. What the worker itself spends on being watched shows in the steps for each second
of its processor time, which other programs change little.

Prints tables, writes ``bench/results/page_in_browser.json``; fails where a bound does not hold.
Run: ``python bench/page_in_browser.py [--steps | --cost] [--repetitions N]``.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image
from playwright.sync_api import Browser, Page
from tools.page.chromium import chromium, free_port
from tools.page.chromium import wait_for as in_page
from tools.page.years import fill

from img2imgd.ledger import read_ledger
from measuring.pairs import Spread
from measuring.report import machine, table, versions

RESULTS_IN_LEDGER, QUEUED = 10_000, 500
IN_WORKER = 96  # frames that the worker has beside the queue
MOST_RSS = 120.0  # MB, of the supervisor
MOST_SNAPSHOT = 250.0  # ms, on a machine that does other things too
LEAST_RATIO = 0.93  # of steps for the worker's processor time, with two connections beside
STEP_SECONDS = "0.4"
WINDOW = 15.0  # seconds of each count
PROGRAM = str(Path(sys.executable).with_name("img2imgd"))
RESULTS = Path(__file__).parent / "results" / "page_in_browser.json"
_TICKS = os.sysconf("SC_CLK_TCK")
CONFIG = """\
root: {root}
engine: {{backend: {backend}, device: cpu}}
limits: {{min_free_gb: 0, max_frames: 1000}}
status: {{listen: "127.0.0.1:{port}"}}
inboxes: [{{path: {root}/inbox, settle: 0.3, rescan: 2, pair_wait: 0.5,
           defaults: {{prompt: a lake with mountains, seed: 7}}}}]
"""


@dataclass(frozen=True)
class Daemon:
    """A daemon with a page."""

    root: Path
    port: int
    pid: int

    def get(self, path: str) -> bytes:
        """What the page answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def now(self) -> Any:
        """What the page tells of now."""
        return json.loads(self.get("/api/now"))

    def cpu_seconds(self) -> float:
        """Processor time of the supervisor so far."""
        return cpu_seconds(self.pid)

    def worker(self) -> int:
        """The pid of the process that paints."""
        children = Path(f"/proc/{self.pid}/task").glob("*/children")
        pids = [int(pid) for file in children for pid in file.read_text().split()]
        return next(
            pid for pid in pids if b"pool.process" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )

    def rss_mb(self) -> float:
        """Its resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1000

    def cpu_percent(self, seconds: float) -> float:
        """Of one core, from now on for so long."""
        began, before = time.monotonic(), self.cpu_seconds()
        time.sleep(seconds)
        return 100 * (self.cpu_seconds() - before) / (time.monotonic() - began)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def wait_for(condition: Callable[[], object], what: str, seconds: float = 600) -> None:
    """Until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


@contextmanager
def daemon(backend: str, prepare: Callable[[Path], object]) -> Iterator[Daemon]:
    """Start one on a root of its own."""
    with tempfile.TemporaryDirectory(prefix="img2imgd-page-") as name:
        root, port = Path(name) / "root", free_port()
        (root / "inbox").mkdir(parents=True)
        prepare(root)
        config = Path(name) / "config.yaml"
        config.write_text(CONFIG.format(root=root, backend=backend, port=port))
        environment = {**os.environ, "IMG2IMGD_FAKE_STEP_SECONDS": STEP_SECONDS}
        with (Path(name) / "log").open("wb") as log:
            process = subprocess.Popen([PROGRAM, "run", "-c", config], stderr=log, env=environment)
        try:
            started = Daemon(root, port, process.pid)

            def answers() -> bool:
                try:
                    return bool(started.now())
                except OSError:
                    return False

            wait_for(answers, "the page does not answer", 60)
            yield started
        finally:
            process.terminate()
            process.wait(60)


def drop(inbox: Path, count: int) -> None:
    """So many small pictures; the folder's defaults say what they become."""
    first = inbox / "drawing 0000.png"
    Image.new("RGB", (96, 96), (200, 160, 90)).save(first)
    for number in range(1, count):
        (inbox / f"drawing {number:04}.png").write_bytes(first.read_bytes())


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

    with daemon("fake", prepare) as running:
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


@contextmanager
def listeners(running: Daemon, count: int) -> Iterator[None]:
    """Connections that read the events, and fetch each new preview, as the page does."""
    ending = threading.Event()

    def listen() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
        connection.request("GET", "/api/events")
        stream = connection.getresponse()
        seen = ""
        while not ending.is_set():
            line = stream.readline()
            if not line.startswith(b"data:") or b'"running"' not in line:
                continue
            for job in json.loads(line[5:])["running"]:
                if job["preview"] and job["preview"] != seen:
                    seen = job["preview"]
                    running.get(seen)
        connection.close()

    threads = [threading.Thread(target=listen, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ending.set()


@contextmanager
def browsers(running: Daemon, count: int) -> Iterator[None]:
    """Windows of a Chromium of the lowest priority: what it paints is no cost of the daemon."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    with ExitStack() as stack:
        browser = stack.enter_context(chromium(nice=19 - own))
        for _ in range(count):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"http://127.0.0.1:{running.port}/#now")
            page.wait_for_selector(".work")
        yield


def steps_done(root: Path) -> int:
    """Steps of all frames so far."""
    ledger = read_ledger(root / "state" / "ledger.sqlite")
    assert ledger is not None
    try:
        (row,) = ledger.read(
            "SELECT sum(CASE WHEN state='staged' THEN steps ELSE step END) AS done FROM frames"
        )
        return int(row["done"] or 0)
    finally:
        ledger.close()


def steps(repetitions: int) -> dict[str, Any]:
    """Steps a second with and without somebody who looks."""

    def prepare(root: Path) -> None:
        drop(root / "inbox", 1)
        (root / "inbox" / "drawing 0000.yaml").write_text("n: 800\nstrength: 1\ngif: false\n")

    def rates(running: Daemon) -> tuple[float, float]:
        """Steps a second, and steps for each second of the worker's processor time."""
        worker = running.worker()
        began, before, used = time.monotonic(), steps_done(running.root), cpu_seconds(worker)
        time.sleep(WINDOW)
        done = steps_done(running.root) - before
        return done / (time.monotonic() - began), done / (cpu_seconds(worker) - used)

    runs: list[dict[str, tuple[float, float]]] = []
    with daemon("diffusers", prepare) as running:
        wait_for(lambda: steps_done(running.root) > 200, "the first steps")
        lookers: dict[str, Callable[[], Any]] = {
            "nobody": ExitStack,
            "two connections": lambda: listeners(running, 2),
            "two browsers": lambda: browsers(running, 2),
        }
        for number in range(repetitions):
            found: dict[str, tuple[float, float]] = {}
            for name in list(lookers) if number % 2 == 0 else reversed(lookers):
                with lookers[name]():
                    time.sleep(4)
                    found[name] = rates(running)
            runs.append(found)
            told = (
                f"{name} {value[0]:.1f}/s {value[1]:.1f}/cpu s" for name, value in found.items()
            )
            print("  ".join(told), flush=True)

    def ratio(name: str, which: int) -> Spread:
        return Spread.of(run[name][which] / run["nobody"][which] for run in runs)

    return {
        "window_seconds": WINDOW,
        "steps_per_second_nobody": Spread.of(run["nobody"][0] for run in runs),
        "steps_per_cpu_second_nobody": Spread.of(run["nobody"][1] for run in runs),
        "ratio_two_connections": ratio("two connections", 0),
        "ratio_two_browsers_same_cores": ratio("two browsers", 0),
        "ratio_per_cpu_second_two_connections": ratio("two connections", 1),
        "ratio_per_cpu_second_two_browsers": ratio("two browsers", 1),
        "runs": runs,
    }


def shown(facts: dict[str, Any]) -> str:
    """As a table."""
    rows: list[tuple[str, object]] = []
    for name, value in facts.items():
        if isinstance(value, dict):
            rows += [(f"{name}: {key}", one) for key, one in value.items()]
        elif name != "runs":
            rows.append((name, value))
    return table(("", "value"), rows)


def judge(facts: dict[str, Any]) -> None:
    """Fail where a bound does not hold."""
    if told := facts.get("cost"):
        assert told["rss_mb_one_looks"] < MOST_RSS, f"{told['rss_mb_one_looks']} MB"
        assert told["snapshot_ms"][0] < MOST_SNAPSHOT, f"{told['snapshot_ms']} ms a snapshot"
    if told := facts.get("steps"):
        median = told["ratio_per_cpu_second_two_connections"][0]
        assert median > LEAST_RATIO, f"steps at {median:.3f} with two connections"


def main() -> None:
    """Measure, print, write, judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", action="store_true", help="the worker beside the page alone")
    parser.add_argument("--cost", action="store_true", help="browser and supervisor alone")
    parser.add_argument("--repetitions", type=int, default=6)
    told = parser.parse_args()
    facts: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    facts |= {"machine": machine(), "versions": versions()}
    facts |= {"results_in_ledger": RESULTS_IN_LEDGER, "queued": QUEUED}
    if not told.steps:
        facts["cost"] = cost(told.repetitions)
        print(shown(facts["cost"]), flush=True)
    if not told.cost:
        facts["steps"] = steps(told.repetitions)
        print(shown(facts["steps"]), flush=True)
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n")
    judge(facts)


if __name__ == "__main__":
    main()
