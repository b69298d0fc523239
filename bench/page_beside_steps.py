"""Does a page that somebody looks at slow down the worker?

One long job is painted, and its steps are counted while nobody looks, while two connections read
all that the page would, and while two Chromiums of low priority show it (left out where there is
none); in turns, so that what else the machine does meets all alike. What the worker itself spends
on being watched shows in the steps for each second of its processor time, which other programs
change little.

Prints a table, adds to ``bench/results/page_beside_steps.json``; fails where a bound does not hold.
Run: ``python bench/page_beside_steps.py [--device cuda] [--model sd21] [--repetitions N]``.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from img2imgd.ledger import read_ledger
from measuring.cases import source_of
from measuring.paged import Daemon, cpu_seconds, daemon, drop, shown, wait_for
from measuring.pairs import Spread
from measuring.report import machine, versions

LEAST_RATIO = 0.93  # of steps for the worker's processor time, with two connections beside
WINDOW = 15.0  # seconds of each count
RESULTS = Path(__file__).parent / "results" / "page_beside_steps.json"


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
    from tools.page.chromium import chromium  # needs playwright, which --no-browser does without

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


def steps(device: str, model: str, size: int, repetitions: int, *, browse: bool) -> dict[str, Any]:
    """Steps a second with and without somebody who looks."""
    wanted = f"model: {model}\nsize: {size}\nn: 1000\nstrength: 1\nsteps: 50\ngif: false\n"
    models = ""
    if model != "demo":
        models = f"models: {{{model}: {{source: {source_of(model, device)}}}}}"

    def prepare(root: Path) -> None:
        drop(root / "inbox", 1)
        (root / "inbox" / "drawing 0000.yaml").write_text(wanted)

    def rates(running: Daemon) -> tuple[float, float]:
        """Steps a second, and steps for each second of the worker's processor time."""
        worker = running.worker()
        began, before, used = time.monotonic(), steps_done(running.root), cpu_seconds(worker)
        time.sleep(WINDOW)
        done = steps_done(running.root) - before
        return done / (time.monotonic() - began), done / (cpu_seconds(worker) - used)

    runs: list[dict[str, tuple[float, float]]] = []
    with daemon(prepare, device=device, models=models) as running:
        wait_for(lambda: steps_done(running.root) > 200, "the first steps")
        lookers: dict[str, Callable[[], Any]] = {
            "nobody": ExitStack,
            "two connections": lambda: listeners(running, 2),
        }
        if browse:
            lookers["two browsers"] = lambda: browsers(running, 2)
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

    facts: dict[str, Any] = {"window_seconds": WINDOW}
    for which, unit in enumerate(("per_second", "per_cpu_second")):
        facts[f"steps_{unit}_nobody"] = Spread.of(run["nobody"][which] for run in runs)
        for name in list(lookers)[1:]:
            facts[f"ratio_{unit}_{name.replace(' ', '_')}"] = Spread.of(
                run[name][which] / run["nobody"][which] for run in runs
            )
    return facts | {"runs": runs}


def name_of(device: str) -> str:
    """A GPU by its name."""
    import torch  # slow to import, and only for this

    return torch.cuda.get_device_name() if device == "cuda" else device


def main() -> None:
    """Measure, print, write, judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--model", choices=("demo", "sd21"), default="demo")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--repetitions", type=int, default=6)
    parser.add_argument("--no-browser", action="store_true")
    told = parser.parse_args()
    found = steps(told.device, told.model, told.size, told.repetitions, browse=not told.no_browser)
    print(shown(found))
    facts: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    facts[f"{told.model}, {told.size} px, {told.device}"] = {
        "machine": machine(), "device": name_of(told.device), "versions": versions(), **found,
    }  # fmt: skip
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n")
    median = found["ratio_per_cpu_second_two_connections"][0]
    assert median > LEAST_RATIO, f"steps at {median:.3f} with two connections"


if __name__ == "__main__":
    main()
