"""A sweep over strengths: img2imgd beside the plain loop and beside what is possible at all.

- ``plain_loop``: one call of diffusers' pipeline a frame, each saved as PNG, then a GIF by Pillow
- ``daemon``: ``img2imgd run`` whose model is loaded, from the drop to the GIF in the outbox
- ``once``: ``img2imgd once`` on the same drop, from the model that is loaded to the GIF in the
  outbox; the start of the program, the model's loading and the end are told apart
- ``limit``: only the UNet's calls that the sweep needs, as many rows at once as is fastest
- ``limit by parts``: the same with a part of the rows on each core instead of all cores on each

Prints a table and who won, writes ``bench/results/sweep.json`` and ``sweep.png``. With two cores:
half an hour. Run: ``python bench/sweep.py [--case NAME] [--quick] [--repetitions N]``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from measuring.bare import LIMITS, Bare, in_words, limits
from measuring.cases import Case, sketch, source_of
from measuring.pairs import Runs, Spread, paired, seconds, share_of_limit, verdict
from measuring.plots import bars
from measuring.remote import Remote
from measuring.report import options, save, table
from measuring.served import Daemon, Drop, Root, once


def measure(case: Case, repetitions: int) -> dict[str, object]:
    """All contenders on one case; what was found, for the JSON."""
    with tempfile.TemporaryDirectory(prefix="img2imgd-sweep-") as name:
        folder = Path(name)
        source, picture = source_of(case.model), sketch(folder, case.side)
        sidecar = case.sidecar(case.sweep[0], case.strengths)
        root = Root(folder / "root", {case.model: source})
        parts: list[dict[str, float]] = []

        def served_once() -> float:
            fresh = Root(folder / f"once-{len(parts)}", {case.model: source})
            parts.append(once(fresh, Drop("sweep", picture, sidecar)))
            return parts[-1]["once"]

        with Remote(Bare, source) as bare, Daemon(root, case, picture) as daemon:
            fastest = {name: bare.call("fastest", case, parts) for name, parts in LIMITS.items()}
            rows = case.rows(case.sweep)
            print(f"\n{in_words(case, fastest)}", flush=True)
            contenders = {
                "plain_loop": lambda: bare.call("sweep", case, case.sweep, picture, folder),
                "daemon": lambda: max(daemon.serve([("sweep", sidecar)]).values()),
                "once": served_once,
                **limits(bare, case, rows),
            }
            runs = paired(contenders, repetitions)
    return report(case, runs, parts, fastest)


def report(
    case: Case, runs: Runs, parts: list[dict[str, float]], fastest: dict[str, int]
) -> dict[str, object]:
    """Print what was found; give it back for the JSON."""
    each = {name: seconds(runs, name) for name in runs[0]}
    aside = {name: Spread.of(part[name] for part in parts) for name in ("start", "load", "end")}
    frames = len(case.sweep)
    rows = [(name, str(spread), spread.median / frames) for name, spread in each.items()]
    print(table((case.name, "seconds", "s/frame"), rows))
    print("once, aside: " + ", ".join(f"{name} {spread} s" for name, spread in aside.items()))
    words = [
        verdict(runs, "once", "plain_loop"),
        verdict(runs, "daemon", "plain_loop"),
        *(share_of_limit(runs, "daemon", limit) for limit in LIMITS),
    ]
    print("\n".join(words), flush=True)
    return {
        "frames": frames, "steps": case.steps, "side": case.side, "rows_at_once": fastest,
        "runs": runs, "once_aside": parts, "verdicts": words,
    }  # fmt: skip


def main() -> None:
    """Measure every case, print, write."""
    told = options(__doc__)
    found = {case.name: measure(case, told.pairs(case.repetitions)) for case in told.cases}
    save(told, "sweep", {"cases": found})
    bars(
        told.results / "sweep.png", "A sweep from drop to GIF, seconds",
        {name: each["runs"] for name, each in found.items()},
    )  # fmt: skip


if __name__ == "__main__":
    main()
