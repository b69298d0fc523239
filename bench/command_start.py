"""How long do the commands that paint nothing take, against a bare interpreter's start?

Each round starts every command once, side by side with ``python -c pass``, so that whatever else
the machine does meets all of them; the table shows medians, and the ratio to the bare start. The
row ``msgspec, yaml`` imports those two, argparse and dataclasses: what reads YAML is no faster.

Prints a table, writes ``bench/results/command_start.json``. Run: ``python bench/command_start.py``.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from PIL import Image

ROUNDS = 21
BARE = "python -c pass"
LIBRARIES = "msgspec, yaml"
PROGRAM = str(Path(sys.executable).with_name("img2imgd"))
RESULTS = Path(__file__).parent / "results"
# An installed program finds its modules compiled; where Python may not write, each start compiles.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


class Seconds(NamedTuple):
    """On the clock, and of computing time, which depends less on what else the machine does."""

    clock: float
    computing: float


def served_root(folder: Path) -> Path:
    """A config whose root has a ledger with one job that is done and one that failed."""
    inbox = folder / "root" / "inbox"
    inbox.mkdir(parents=True)
    for name, sidecar in (("good", "prompt: a lake\nsteps: 2\n"), ("bad", "strenght: 1\n")):
        Image.new("RGB", (64, 64)).save(inbox / f"{name}.png")
        (inbox / f"{name}.yaml").write_text(sidecar)
    config = folder / "config.yaml"
    config.write_text(
        f"root: {folder}/root\nengine: {{backend: fake}}\nlimits: {{min_free_gb: 0}}\n"
        f"inboxes: [{{path: {inbox}, settle: 0}}]\n"
    )
    subprocess.run([PROGRAM, "once", "-c", config], capture_output=True, check=False)
    return config


def commands(folder: Path) -> dict[str, list[str | Path]]:
    """What is measured: name → arguments. Nothing is written but by ``init``."""
    config = served_root(folder)
    sidecar = folder / "cat.yaml"
    sidecar.write_text("prompt: a lake\nsweep: {strength: {from: 0.05, to: 0.95, step: 0.03}}\n")
    return {
        BARE: [sys.executable, "-c", "pass"],
        LIBRARIES: [sys.executable, "-c", "import argparse, dataclasses, msgspec, yaml"],
        "--version": [PROGRAM, "--version"],
        "--help": [PROGRAM, "--help"],
        "status": [PROGRAM, "status", "-c", config],
        "status --json": [PROGRAM, "status", "--json", "-c", config],
        "check sidecar": [PROGRAM, "check", sidecar],
        "check config": [PROGRAM, "check", config],
        "schema sidecar": [PROGRAM, "schema", "sidecar"],
        "schema config": [PROGRAM, "schema", "config"],
        "init": [PROGRAM, "init", folder / "fresh"],
    }


def seconds(command: list[str | Path], folder: Path) -> Seconds:
    """One start to its end."""
    (folder / "fresh" / "config.yaml").unlink(missing_ok=True)  # init refuses a second one
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, check=True)
    clock = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    computing = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Seconds(clock, computing)


def figures(own: list[Seconds], bare: list[Seconds]) -> dict[str, float]:
    """Medians in milliseconds, and how many bare starts that is."""
    clock, bare_clock = (statistics.median(s.clock for s in each) for each in (own, bare))
    cpu, bare_cpu = (statistics.median(s.computing for s in each) for each in (own, bare))
    return {
        "ms": round(clock * 1000, 1),
        "ratio": round(clock / bare_clock, 1),
        "cpu_ms": round(cpu * 1000, 1),
        "cpu_ratio": round(cpu / bare_cpu, 1),
    }


def main() -> None:
    """Measure, print, write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measured = commands(folder)
        times: dict[str, list[Seconds]] = {label: [] for label in measured}
        for _ in range(ROUNDS):
            for label, command in measured.items():
                times[label].append(seconds(command, folder))
    rows = [{"command": label, **figures(times[label], times[BARE])} for label in times]
    print(f"{'command':16} {'ms':>8} {'× bare':>8} {'CPU ms':>8} {'× bare':>8}")
    for row in rows:
        print(
            f"{row['command']:16} {row['ms']:>8} {row['ratio']:>8}"
            f" {row['cpu_ms']:>8} {row['cpu_ratio']:>8}"
        )
    facts = {
        "rounds": ROUNDS,
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "rows": rows,
    }
    (RESULTS / "command_start.json").write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
