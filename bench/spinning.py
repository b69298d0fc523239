"""How long should a thread look out for the others of its operation before it sleeps?

libgomp's ``GOMP_SPINCOUNT``. Who spins is there at once when the others are, and in the way of
whatever else wants the processor. A picture is painted by the bare pipeline, after a rest:

- alone on the machine
- beside a program that computes for 2 ms out of 10, as one that somebody draws with
- beside one, and two, that compute all the time

Prints a table, writes ``bench/results/spinning.json``. With two cores: a quarter of an hour.
Run: ``python bench/spinning.py [--case NAME] [--quick]``.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

from img2imgd.engine.factory import SPINS
from measuring.bare import Bare
from measuring.cases import Case, sketch, source_of
from measuring.pairs import paired, ratio, seconds
from measuring.remote import Remote
from measuring.report import options, save, table

OWN = "torch's own"
SPINCOUNTS = ("1000", "2500", SPINS, "10000", OWN)
BUSY = "while True: pass"
BURSTS = """
import time
while True:
    until = time.perf_counter() + 0.002
    while time.perf_counter() < until: pass
    time.sleep(0.008)
"""
COMPANY = {
    "alone": (),
    "beside bursts": (BURSTS,),
    "beside one busy": (BUSY,),
    "beside two busy": (BUSY, BUSY),
}
_REST = 0.4  # seconds


@contextlib.contextmanager
def beside(programs: tuple[str, ...]) -> Generator[None]:
    """While these run."""
    running = [subprocess.Popen([sys.executable, "-c", program]) for program in programs]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def measure(case: Case, repetitions: int) -> dict[str, object]:
    """One case; what was found, for the JSON."""
    found: dict[str, object] = {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="img2imgd-spins-")))
        picture = sketch(folder, case.side)

        def contender(spins: str) -> Callable[[], float]:
            environment = {"GOMP_SPINCOUNT": None if spins == OWN else spins}
            bare = stack.enter_context(Remote(Bare, source_of(case.model), environment=environment))

            def rested() -> float:
                time.sleep(_REST)
                return bare.call("singles", case, case.pictures[:1], picture, folder)

            return rested

        contenders = {spins: contender(spins) for spins in SPINCOUNTS}
        paired(contenders, 2)  # all warm
        rows: list[tuple[str, ...]] = []
        for company, programs in COMPANY.items():
            with beside(programs):
                runs = paired(contenders, repetitions if not programs else repetitions // 2 or 1)
            found[company] = runs
            for spins in SPINCOUNTS:
                took = seconds(runs, spins).times(1000)
                rows.append((company, spins, str(took), f"{ratio(runs, spins, OWN)}"))
    print(f"\n{case.name}, one picture of {case.steps} steps at strength {case.strength}")
    print(table(("", "spins", "ms", f"times as fast as {OWN}"), rows), flush=True)
    return found


def main() -> None:
    """Measure every case, print, write."""
    told = options(__doc__)
    cases = [case for case in told.cases if case.model == "demo"]
    found = {
        case.name: measure(case if told.quick else replace(case, steps=30), told.pairs(8))
        for case in cases
    }
    save(told, "spinning", {"seconds": found})


if __name__ == "__main__":
    main()
