"""Pictures that arrive during a sweep: how long does each wait for its result?

A sweep is dropped, then a picture now and then, while the daemon paints the sweep.

- ``plain queue``: the plain loop serves all of it first in, first out, with the same arrivals
- ``daemon``: ``img2imgd run`` whose model is loaded
- ``daemon's queue``: computed: the daemon's own times of the sweep alone and of a picture alone,
  first in, first out; what is better than that is owed to the order, not to the speed

Prints a table and who won, writes ``bench/results/mixed.json`` and ``mixed.png``. With two cores:
half an hour. Run: ``python bench/mixed.py [--case NAME] [--quick]``.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from measuring.bare import Bare
from measuring.cases import Case, sketch, source_of
from measuring.pairs import Runs, Spread, verdict
from measuring.plots import bars
from measuring.remote import Remote
from measuring.report import options, save, table
from measuring.served import Daemon, Root

ARRIVALS = (0.1, 0.3, 0.5, 0.7, 0.9)  # shares of the time that the daemon's sweep takes alone


class Mixed:
    """One case with its contenders."""

    def __init__(
        self, case: Case, bare: Remote, daemon: Daemon, picture: Path, folder: Path
    ) -> None:
        self._case, self._bare, self._daemon = case, bare, daemon
        self._picture, self._folder = picture, folder
        self._sweep = ("sweep", case.sidecar(case.sweep[0], case.strengths))
        self._singles = [(f"single{n}", case.sidecar(f)) for n, f in enumerate(case.pictures)]

    def repetition(self) -> dict[str, list[float]]:
        """Seconds from each drop to its result, the sweep's first, by contender."""
        alone = self._served_alone(self._sweep)
        single = self._served_alone(self._singles[0])
        pauses = [share * alone for share in ARRIVALS[: len(self._singles)]]
        sweep, waited = self._bare.call(
            "first_in_first_out", self._case, self._picture, self._folder, pauses
        )
        return {
            "plain queue": [sweep, *waited],
            "daemon's queue": [alone, *queue(alone, single, pauses)],
            "daemon": self._served_mixed(pauses),
        }

    def _served_alone(self, sidecar: tuple[str, str]) -> float:
        return max(self._daemon.serve([sidecar]).values())

    def _served_mixed(self, pauses: Sequence[float]) -> list[float]:
        began = time.perf_counter()
        dropped = self._daemon.drop([self._sweep])
        for pause, sidecar in zip(pauses, self._singles, strict=False):
            time.sleep(max(0.0, began + pause - time.perf_counter()))
            dropped |= self._daemon.drop([sidecar])
        return list(self._daemon.collect(dropped).values())


def queue(first: float, each: float, arrivals: Sequence[float]) -> list[float]:
    """How long those wait that come while the first is served, one after the other."""
    free, waited = first, []
    for arrival in arrivals:
        free = max(free, arrival) + each
        waited.append(free - arrival)
    return waited


def measure(case: Case, repetitions: int) -> dict[str, object]:
    """One case; what was found, for the JSON."""
    with tempfile.TemporaryDirectory(prefix="img2imgd-mixed-") as name:
        folder = Path(name)
        source, picture = source_of(case.model), sketch(folder, case.side)
        root = Root(folder / "root", {case.model: source})
        with Remote(Bare, source) as bare, Daemon(root, case, picture) as daemon:
            mixed = Mixed(case, bare, daemon, picture, folder)
            waits = [mixed.repetition() for _ in range(repetitions)]
    pictures: Runs = [{name: statistics.median(w[1:]) for name, w in run.items()} for run in waits]
    sweeps: Runs = [{name: w[0] for name, w in run.items()} for run in waits]
    rows = [
        (
            name, str(Spread.of(run[name] for run in pictures)),
            str(Spread.of(max(run[name][1:]) for run in waits)),
            str(Spread.of(run[name] for run in sweeps)),
        )
        for name in waits[0]
    ]  # fmt: skip
    print(f"\n{case.name}: a sweep of {len(case.sweep)}, {len(waits[0]['daemon']) - 1} pictures")
    print(table(("seconds from drop to result", "picture", "slowest picture", "sweep"), rows))
    words = [
        "picture: " + verdict(pictures, "daemon", "plain queue"),
        "picture: " + verdict(pictures, "daemon", "daemon's queue"),
        "sweep: " + verdict(sweeps, "daemon", "plain queue"),
        "sweep: " + verdict(sweeps, "daemon", "daemon's queue"),
    ]
    print("\n".join(words), flush=True)
    return {"waits": waits, "runs": pictures, "verdicts": words}


def main() -> None:
    """Measure every case, print, write."""
    told = options(__doc__)
    found = {case.name: measure(case, told.pairs(case.repetitions)) for case in told.cases}
    save(told, "mixed", {"cases": found})
    bars(
        told.results / "mixed.png", "Pictures that arrive during a sweep, seconds to the result",
        {name: each["runs"] for name, each in found.items()},
    )  # fmt: skip


if __name__ == "__main__":
    main()
