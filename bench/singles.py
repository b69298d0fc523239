"""Many single pictures, each with its own prompt, dropped together.

- ``plain_loop``: one call of diffusers' pipeline a picture, each saved as PNG
- ``daemon``: ``img2imgd run`` whose model is loaded, from the first drop to the last output
- ``limit``: only the UNet's calls that they need, as many rows at once as is fastest
- ``limit by parts``: the same with a part of the rows on each core instead of all cores on each

Prints a table and who won, writes ``bench/results/singles.json`` and ``singles.png``. With two
cores: a quarter of an hour. Run: ``python bench/singles.py [--case NAME] [--quick]``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from measuring.bare import LIMITS, Bare, limits
from measuring.cases import Case, sketch, source_of
from measuring.pairs import paired, seconds, share_of_limit, verdict
from measuring.plots import bars
from measuring.remote import Remote
from measuring.report import options, save, table
from measuring.served import Daemon, Root


def measure(case: Case, repetitions: int) -> dict[str, object]:
    """All contenders on one case; what was found, for the JSON."""
    frames = case.pictures
    sidecars = [(f"single{number}", case.sidecar(frame)) for number, frame in enumerate(frames)]
    with tempfile.TemporaryDirectory(prefix="img2imgd-singles-") as name:
        folder = Path(name)
        source, picture = source_of(case.model), sketch(folder, case.side)
        root = Root(folder / "root", {case.model: source})
        with Remote(Bare, source) as bare, Daemon(root, case, picture) as daemon:
            contenders = {
                "plain_loop": lambda: bare.call("singles", case, frames, picture, folder),
                "daemon": lambda: max(daemon.serve(sidecars).values()),
                **limits(bare, case, case.rows(frames)),
            }
            runs = paired(contenders, repetitions)
    print(f"\n{case.name}: {len(frames)} pictures, {case.rows(frames)} rows of the UNet")
    each = {name: seconds(runs, name) for name in runs[0]}
    rows = [(name, str(spread), spread.median / len(frames)) for name, spread in each.items()]
    print(table((case.name, "seconds", "s/picture"), rows))
    words = [
        verdict(runs, "daemon", "plain_loop"),
        *(share_of_limit(runs, "daemon", limit) for limit in LIMITS),
    ]
    print("\n".join(words), flush=True)
    return {"pictures": len(frames), "runs": runs, "verdicts": words}


def main() -> None:
    """Measure every case, print, write."""
    told = options(__doc__)
    found = {case.name: measure(case, told.pairs(case.repetitions)) for case in told.cases}
    save(told, "singles", {"cases": found})
    bars(
        told.results / "singles.png", "Single pictures dropped together, seconds",
        {name: each["runs"] for name, each in found.items()},
    )  # fmt: skip


if __name__ == "__main__":
    main()
