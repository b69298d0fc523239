"""What does the worker do with its time while it paints a sweep?

A real ``img2imgd run`` that has painted one before. Its worker times its parts: the UNet, the text
encoder, the autoencoder, the scheduler, files, and what lies between. Each part's seconds are
without those of other parts within it, and a share of the time from the drop to the GIF; threads
work beside each other. The main thread waits for the claim, the prepared picture, the lanes, and at
the end the animation and the sheet.

Prints a table, writes ``bench/results/where_time_goes.json``. With two cores: three minutes.
Run: ``python bench/where_time_goes.py [--case NAME] [--quick]``.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from pathlib import Path

from measuring.cases import Case, sketch, source_of
from measuring.report import options, save, table
from measuring.served import Daemon, Root

Totals = dict[str, dict[str, tuple[float, float]]]
MAIN = "MainThread"
INSIDE = Path(__file__).parent / "measuring" / "inside_worker"


def totals(daemon: Daemon, file: Path) -> Totals:
    """What the worker has timed so far: calls and seconds by thread and part."""
    file.unlink(missing_ok=True)
    worker = daemon.program.worker
    assert worker, "there is no worker"
    os.kill(worker, signal.SIGUSR1)
    deadline = time.monotonic() + 60
    while not file.exists():
        assert daemon.program.worker == worker, "the worker has ended"
        assert time.monotonic() < deadline, "the worker tells nothing"
        time.sleep(0.01)
    return json.loads(file.read_text())


def measure(case: Case) -> dict[str, object]:
    """One sweep; what was found, for the JSON."""
    with tempfile.TemporaryDirectory(prefix="img2imgd-time-") as name:
        folder = Path(name)
        source, picture = source_of(case.model), sketch(folder, case.side)
        root, file = Root(folder / "root", {case.model: source}), folder / "times.json"
        os.environ["IMG2IMGD_BENCH_TIMES"] = str(file)
        with Daemon(root, case, picture) as daemon:
            sidecar = case.sidecar(case.sweep[0], case.strengths)
            daemon.serve([("learning", sidecar)])  # how many rows a call should have
            before = totals(daemon, file)
            seconds = max(daemon.serve([("sweep", sidecar)]).values())
            after = totals(daemon, file)
    rows: list[tuple[str, str, int, float, float]] = []
    for thread, parts in after.items():
        for part, (calls, took) in parts.items():
            calls_before, took_before = before.get(thread, {}).get(part, (0, 0.0))
            if calls > calls_before:
                spent = took - took_before
                rows.append((part, thread, int(calls - calls_before), spent, spent / seconds))
    painting = sum(row[3] for row in rows if row[1] == MAIN)
    rows.append(("waiting, and the rest", MAIN, 0, seconds - painting, 1 - painting / seconds))
    rows.sort(key=lambda row: (row[1] != MAIN, row[1], -row[3]))
    print(f"\n{case.name}: {len(case.sweep)} frames in {seconds:.3g} s")
    header = ("part", "thread", "calls", "seconds", "share")
    print(table(header, [(*row[:4], f"{row[4]:.1%}") for row in rows]), flush=True)
    return {"seconds": seconds, "parts": [dict(zip(header, row, strict=True)) for row in rows]}


def main() -> None:
    """Measure every case, print, write."""
    told = options(__doc__)
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(INSIDE), *([path] if path else [])])
    save(told, "where_time_goes", {"cases": {case.name: measure(case) for case in told.cases}})


if __name__ == "__main__":
    main()
