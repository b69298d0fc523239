"""What does one picture cost beyond the pipeline's call, when everything is warm?

- ``bare``: diffusers' pipeline with its model loaded: the picture opened, one call, a PNG saved;
  its threads wait for each other as the daemon's do
- ``torch's own``: the same with threads that wait as torch has them
- ``daemon``: ``img2imgd run`` whose model is loaded and that rests, from the drop
  to the output in the outbox; files settle at once here, so what a user waits is longer by the
  inbox's ``settle``
- ``daemon, next``: a picture that is dropped as soon as the one before is in the outbox

All but the last come after a rest of 0.6 s, which makes a call of the bare pipeline slower, too.

The parts of the daemon's time are the ledger's: found and claimed, waiting for its start, and from
there (prepared, painted, written, published) to the end. A picture takes three steps, so that the
call is short and the rest shows, and then thirty, as the article's.

Prints a table, writes ``bench/results/overhead.json``. With two cores: three minutes.
Run: ``python bench/overhead.py [--case NAME] [--quick]``.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

from img2imgd.engine.factory import SPINS
from measuring.bare import Bare
from measuring.cases import Case, sketch, source_of
from measuring.pairs import Spread, paired, seconds
from measuring.remote import Remote
from measuring.report import options, save, table
from measuring.served import HELD_BACK, Daemon, Root

PARTS = ("drop to claim", "claim to start", "start to end")


def measure(case: Case, repetitions: int) -> dict[str, object]:
    """One case; what was found, for the JSON."""
    parts: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="img2imgd-overhead-") as name:
        folder = Path(name)
        source, picture = source_of(case.model), sketch(folder, case.side)
        root = Root(folder / "root", {case.model: source})
        frame = case.pictures[0]
        ours = {"GOMP_SPINCOUNT": SPINS}
        with (
            Remote(Bare, source, environment=ours) as bare,
            Remote(Bare, source) as torchs_own,
            Daemon(root, case, picture) as daemon,
        ):

            def rested() -> float:
                daemon.rest()
                return served()

            def served() -> float:
                offset = time.time() - time.perf_counter()
                dropped = daemon.drop([("picture", case.sidecar(frame))])
                took = max(daemon.collect(dropped).values())
                ((drop, moment),) = dropped.items()
                claimed, started, ended = root.moments(drop)
                times = (claimed - moment - offset, started - claimed, ended - started)
                parts.append(dict(zip(PARTS, times, strict=True)))
                return took

            def following() -> float:
                daemon.collect(daemon.drop([("before", case.sidecar(frame))]))
                took = served()
                parts.pop()
                return took

            def called(pipeline: Remote) -> float:
                time.sleep(HELD_BACK)
                return pipeline.call("singles", case, [frame], picture, folder)

            contenders = {
                "bare": lambda: called(bare),
                "torch's own": lambda: called(torchs_own),
                "daemon": rested,
                "daemon, next": following,
            }
            paired(contenders, 2)  # both warm
            parts.clear()
            runs = paired(contenders, repetitions)
    beyond = Spread.of(run["daemon"] - run["bare"] for run in runs).times(1000)
    share = Spread.of(run["daemon"] / run["bare"] - 1 for run in runs).times(100)
    found = {name: seconds(runs, name).times(1000) for name in runs[0]} | {
        name: Spread.of(part[name] for part in parts).times(1000) for name in PARTS
    }
    print(f"\n{case.name}, {case.steps} steps at strength {frame.strength}")
    print(table((case.name, "ms"), [(name, str(spread)) for name, spread in found.items()]))
    print(f"overhead of the daemon for one picture: {beyond} ms, {share} %, {repetitions} pairs")
    return {"runs": runs, "parts": parts, "overhead_ms": beyond, "overhead_percent": share}


def main() -> None:
    """Measure every case, print, write."""
    told = options(__doc__)
    cases = [case for case in told.cases if case.model == "demo"]
    found = {
        f"{case.name}, {steps} steps": measure(replace(case, steps=steps), told.pairs(pairs))
        for case in cases
        for steps, pairs in ((5, 20), (50, 8))
    }
    save(told, "overhead", {"cases": found})


if __name__ == "__main__":
    main()
