"""What does a supervisor cost that has nothing to do?

A real ``img2imgd run`` with 10,000 finished jobs in its ledger and 5,000 pictures, all served
already, in an inbox that keeps them: processor time over a minute, memory, and whether torch is in
the process. Once with the profile ``tablet``, once with a network share's scan every 5 seconds.

Prints a table, writes ``bench/results/idle.json``, and fails where a bound does not hold.
Run: ``python bench/idle.py [--seconds N]``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from img2imgd.job import JobState
from img2imgd.ledger import ArchivePlan, FileEntry, JobSpec, Outputs, open_ledger
from img2imgd.request import Request

JOBS = 10_000
PICTURES = 5_000
MOST_CPU = 1.0  # percent of one core
MOST_RSS = 80.0  # MB
PROGRAM = str(Path(sys.executable).with_name("img2imgd"))
RESULTS = Path(__file__).parent / "results"
INBOXES = {
    "tablet": "profile: tablet",
    "share": "mode: keep, settle: 2, rescan: 5",
}
_TICKS = os.sysconf("SC_CLK_TCK")


def prepare(root: Path, rules: str) -> Path:
    """A root as a year leaves it; the path of its config."""
    inbox = root / "inbox"
    (inbox / ".img2imgd").mkdir(parents=True)
    (root / "state").mkdir()
    config = root / "config.yaml"
    config.write_text(
        f"root: {root}\nengine: {{backend: fake}}\nlimits: {{min_free_gb: 0}}\n"
        f"inboxes: [{{path: {inbox}, {rules}, defaults: {{prompt: a lake}}}}]\n"
    )
    for number in range(PICTURES):
        (inbox / f"drawing {number:04}.png").write_bytes(b"%d" % number)
    # A keeping inbox that another ledger served takes what lies there as served.
    (inbox / ".img2imgd" / "ledger").write_text("another")
    fill(root, root / "state" / "ledger.sqlite")
    return config


def fill(root: Path, path: Path) -> None:
    """Jobs that ended, as real ones look."""
    ledger = open_ledger(path)
    ledger.sql.execute("PRAGMA synchronous=OFF")
    request = Request(
        prompt="a lake in the mountains, oil on canvas", negative_prompt="", strength=0.5,
        guidance_scale=7.5, steps=50, seed=7, model="demo", size=(512, 512),
    )  # fmt: skip
    with ledger.transaction():
        for number in range(JOBS):
            name = f"old {number}.png"
            entry = FileEntry("picture", name, str(root / "inbox" / name), "move", number, 9, 9)
            outputs = Outputs("", f"{number}.png", (f"{number}.png",))
            spec = JobSpec(
                f"20260101T000000-{number:08x}", str(root / "inbox"), name, "move", (entry,),
                request, outputs,
            )  # fmt: skip
            plan = ArchivePlan("done", str(root / "done"), {name: name}, "")
            ledger.add_job(spec, JobState.QUEUED, [(0, 25)])
            ledger.set_archive(spec.id, plan, JobState.DONE, "")
            ledger.set_archived(spec.id)
        ledger.set_facts(ledger_id="this")
    ledger.close()


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1000


def wait_until_served(state: Path) -> None:
    """Wait until the daemon knows every picture as served."""
    ledger = open_ledger(state / "ledger.sqlite")
    deadline = time.monotonic() + 300
    while ledger.sql.execute("SELECT count(*) FROM served").fetchone()[0] < PICTURES:
        assert time.monotonic() < deadline, "the pictures were not taken for served"
        time.sleep(0.5)
    ledger.close()


def measure(rules: str, seconds: float) -> dict[str, float | bool]:
    """Run the daemon on such an inbox and look at it while it rests."""
    with tempfile.TemporaryDirectory(prefix="img2imgd-idle-") as name:
        config = prepare(Path(name), rules)
        with (Path(name) / "log").open("wb") as log:
            daemon = subprocess.Popen([PROGRAM, "run", "-c", config], stderr=log)
        try:
            wait_until_served(Path(name) / "state")
            time.sleep(10)  # the scans that look at each picture once more
            began, before = time.monotonic(), cpu_seconds(daemon.pid)
            time.sleep(seconds)
            used = (cpu_seconds(daemon.pid) - before) / (time.monotonic() - began)
            return {
                "cpu_percent": round(100 * used, 2),
                "rss_mb": round(rss_mb(daemon.pid), 1),
                "torch": "torch" in Path(f"/proc/{daemon.pid}/maps").read_text(),
            }
        finally:
            daemon.terminate()
            daemon.wait(60)


def main() -> None:
    """Measure, print, write, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    rows = {label: measure(rules, seconds) for label, rules in INBOXES.items()}
    print(f"{'inbox':8} {'CPU %':>7} {'RSS MB':>8} {'torch':>6}")
    for label, row in rows.items():
        print(f"{label:8} {row['cpu_percent']:>7} {row['rss_mb']:>8} {row['torch']!s:>6}")
    facts = {
        "seconds": seconds,
        "jobs": JOBS,
        "pictures": PICTURES,
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "rows": rows,
    }
    (RESULTS / "idle.json").write_text(json.dumps(facts, indent=2) + "\n")
    for label, row in rows.items():
        assert not row["torch"], f"{label}: torch is in the supervisor"
        assert row["cpu_percent"] < MOST_CPU, f"{label}: {row['cpu_percent']} % of a core"
        assert row["rss_mb"] < MOST_RSS, f"{label}: {row['rss_mb']} MB"


if __name__ == "__main__":
    main()
