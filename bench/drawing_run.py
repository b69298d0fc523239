"""Somebody draws for a minute and saves every two seconds; the embedded model paints along.

The drawing is that of ``tools/drawing``; the inbox has ``profile: tablet``, once with ``live`` and
once without. Prints a table of what became of the saves, writes ``bench/results/drawing_run.json``.
Run: ``python bench/drawing_run.py``; ``--keep DIR`` leaves the folders there to be looked at,
``--picture FILE`` shows some saves with what was painted of them, ``--saves N`` and ``--seconds S``
are 30 and 60.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image
from tools.drawing.account import Account, digest_of
from tools.drawing.replay import SECONDS, Drawing, replay

from img2imgd.job import JobState
from img2imgd.ledger import JobRow, read_ledger

SAVES, DRAWING = 30, "drawing.png"
SHOWN, SIDE, GAP = 5, 300, 8  # of the picture; sides in pixels
PROGRAM = str(Path(sys.executable).with_name("img2imgd"))
CONFIG = """\
root: {root}
engine: {{device: cpu}}
limits: {{min_free_gb: 0}}
inboxes:
  - path: {root}/inbox
    profile: tablet
    live: {live}
    defaults: {{prompt: an oil painting of a house in the hills at sunset, strength: 0.7}}
"""


def jobs_of(root: Path) -> list[JobRow]:
    """All jobs, oldest first."""
    if (ledger := read_ledger(root / "state" / "ledger.sqlite")) is None:
        return []
    with closing(ledger):
        return ledger.jobs_in(*JobState)


def wait_served(root: Path, seconds: float = 120) -> list[JobRow]:
    """The jobs once all have ended."""
    deadline = time.monotonic() + seconds
    while not (jobs := jobs_of(root)) or not all(job.state.ended for job in jobs):
        if time.monotonic() > deadline:
            raise TimeoutError("the drawing is not served")
        time.sleep(0.1)
    return jobs


def run(root: Path, saves: int, seconds: float, *, live: bool) -> tuple[Account, dict[str, int]]:
    """Draw once, with a worker that is warm; also the number of each save by its digest."""
    (root / "inbox").mkdir(parents=True)
    config = root / "config.yaml"
    config.write_text(CONFIG.format(root=root, live="true" if live else "false"))
    with (root / "log").open("wb") as log:
        daemon = subprocess.Popen([PROGRAM, "run", "-c", config], stdout=log, stderr=log)
    try:
        list(replay(root / "inbox" / "warm.png", 1, 1))
        warm = {job.id for job in wait_served(root)}
        drawing = root / "inbox" / DRAWING
        saved = {}
        for at in replay(drawing, saves, seconds):
            saved[digest_of(drawing.read_bytes())] = at
        time.sleep(2)
        jobs = [job for job in wait_served(root) if job.id not in warm]
    finally:
        daemon.terminate()
        daemon.wait(60)
    latest = (root / "outbox" / "drawing.latest.png").read_bytes()
    assert latest == (root / "outbox" / jobs[-1].published).read_bytes()
    return Account.of(jobs, saved), {digest: n for n, digest in enumerate(saved, 1)}


def show(root: Path, saved: dict[str, int], saves: int, target: Path) -> None:
    """Some saves in a row, and below each what was painted of it."""
    jobs = [job for job in jobs_of(root) if job.published and job.spec.rel == DRAWING]
    chosen = [jobs[round(at * (len(jobs) - 1) / (SHOWN - 1))] for at in range(SHOWN)]
    drawing = Drawing.recorded()
    sheet = Image.new("RGB", (SHOWN * (SIDE + GAP) - GAP, 2 * SIDE + GAP), "#888888")
    for column, job in enumerate(chosen):
        drawn = drawing.at(saved[job.spec.digest] / saves * SECONDS)
        with Image.open(root / "outbox" / job.published) as painted:
            for row, image in enumerate((drawn, painted)):
                side = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
                sheet.paste(side, (column * (SIDE + GAP), row * (SIDE + GAP)))
    sheet.save(target, quality=85)


def main() -> None:
    """Draw with and without ``live``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--saves", type=int, default=SAVES)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        for live in (True, False):
            name = "live" if live else "not-live"
            folder = (options.keep or Path(temporary)).absolute() / name
            account, numbers = run(folder, options.saves, options.seconds, live=live)
            if live and options.picture:
                show(folder, numbers, options.saves, options.picture)
            print(f"\n`live: {'true' if live else 'false'}`\n\n{account.table()}")
            results[name] = asdict(account)
    target = Path(__file__).parent / "results" / "drawing_run.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
