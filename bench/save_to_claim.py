"""How long after a save has ended is the picture claimed?

A real ``img2imgd run`` with a tablet's inbox; each program of ``tests/feeders/saving.py`` saves one
picture a dozen times, as the real one does, all side by side. Once with ``live: false``, where
every file must be unchanged for the whole settle time, and once with ``live: true``, where a path
whose last three saves looked alike waits for less; its first four saves, from which that is
learned, are left out.

Prints a table and writes ``bench/results/save_to_claim.json``. Two minutes.
Run: ``python bench/save_to_claim.py [--saves N]``.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/feeders"))

from PIL import Image
from saving import PROGRAMS, Program

DAEMON = str(Path(sys.executable).with_name("img2imgd"))
RESULTS = Path(__file__).parent / "results"
LEARNED = 4  # saves: the first sight of a file, and three that are looked at
CONFIG = """\
root: {root}
engine: {{backend: fake}}
limits: {{min_free_gb: 0}}
inboxes: [{{path: {root}/inbox, profile: tablet, live: {live},
           defaults: {{prompt: a lake, steps: 4, sheet: false}}}}]
"""


class Claims:
    """When the daemon said that it has claimed a path."""

    def __init__(self, root: Path, live: bool) -> None:
        config = root / "config.yaml"
        config.write_text(CONFIG.format(root=root, live=str(live).lower()))
        self._daemon = subprocess.Popen(
            [DAEMON, "run", "-c", config], stderr=subprocess.PIPE, text=True
        )
        self._claimed: list[tuple[float, str]] = []
        self._watching = threading.Event()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        assert self._watching.wait(60), "the daemon watches its inbox"

    def _read(self) -> None:
        assert self._daemon.stderr is not None
        for line in self._daemon.stderr:
            now = time.perf_counter()
            if "watching" in line:
                self._watching.set()
            if " claimed " in line:
                self._claimed.append((now, line.rpartition(" claimed ")[2].split()[0].rstrip(",")))

    def of(self, rel: str) -> list[float]:
        """The moments of a path's claims."""
        return [moment for moment, claimed in self._claimed if claimed == rel]

    def stop(self) -> None:
        """End the daemon."""
        self._daemon.terminate()
        self._daemon.wait(30)
        self._reading.join(5)


def measure(live: bool, saves: int) -> dict[str, list[float]]:
    """Seconds from the end of each save to its claim, by program; all save side by side."""
    with tempfile.TemporaryDirectory(prefix="img2imgd-saves-") as name:
        inbox = Path(name) / "inbox"
        for program in PROGRAMS:
            (inbox / program.name).mkdir(parents=True)
        claims = Claims(Path(name), live)
        try:
            with ThreadPoolExecutor(len(PROGRAMS)) as pool:
                took = pool.map(lambda program: _save(program, inbox, claims, saves), PROGRAMS)
                return {
                    program.name: seconds for program, seconds in zip(PROGRAMS, took, strict=True)
                }
        finally:
            claims.stop()


def _save(program: Program, inbox: Path, claims: Claims, saves: int) -> list[float]:
    rel = f"{program.name}/art.png"
    took: list[float] = []
    for number in range(saves):
        content = io.BytesIO()
        Image.effect_noise((400, 300), 60 + number).convert("RGB").save(content, "PNG")
        program.save(inbox / rel, content.getvalue())
        ended = time.perf_counter()
        while len(claims.of(rel)) <= number:
            assert time.perf_counter() < ended + 30, f"{rel} is not claimed"
            time.sleep(0.005)
        took.append(claims.of(rel)[number] - ended)
        time.sleep(2.5)  # nobody saves again at once; a change so soon would look half-written
    return took[LEARNED:]


def main() -> None:
    """Measure all programs and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--saves", type=int, default=12)
    saves: int = parser.parse_args().saves
    whole, learned = measure(False, saves), measure(True, saves)
    rows: dict[str, dict[str, float]] = {}
    print(f"{'median seconds to the claim':28} {'whole settle':>13} {'learned':>9} {'slowest':>9}")
    for program in PROGRAMS:
        row = rows[program.name] = {
            "whole": round(statistics.median(whole[program.name]), 3),
            "learned": round(statistics.median(learned[program.name]), 3),
            "slowest_learned": round(max(learned[program.name]), 3),
        }
        print(f"{program.name:28} {row['whole']:13.2f} {row['learned']:9.2f}"
              f" {row['slowest_learned']:9.2f}")  # fmt: skip
    document = {
        "python": platform.python_version(), "cores": os.cpu_count(), "saves": saves,
        "programs": rows,
    }  # fmt: skip
    (RESULTS / "save_to_claim.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
