"""Somebody draws for a minute and saves every two seconds; the embedded model paints along.

The drawing is that of ``tools/drawing``; the inbox has ``profile: tablet``, once with ``live`` and
once without. Prints a table of what became of the saves, writes ``bench/results/drawing_run.json``.
Run: ``python bench/drawing_run.py``; ``--keep DIR`` leaves the folders there to be looked at,
``--saves N`` and ``--seconds S`` are 30 and 60.
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

from tools.drawing.account import Account, digest_of
from tools.drawing.replay import SECONDS, replay

from img2imgd.job import JobState
from img2imgd.ledger import JobRow, read_ledger

SAVES = 30
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


def run(root: Path, saves: int, seconds: float, *, live: bool) -> Account:
    """Draw once, with a worker that is warm."""
    (root / "inbox").mkdir(parents=True)
    config = root / "config.yaml"
    config.write_text(CONFIG.format(root=root, live="true" if live else "false"))
    with (root / "log").open("wb") as log:
        daemon = subprocess.Popen([PROGRAM, "run", "-c", config], stdout=log, stderr=log)
    try:
        list(replay(root / "inbox" / "warm.png", 1, 1))
        warm = {job.id for job in wait_served(root)}
        drawing = root / "inbox" / "drawing.png"
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
    return Account.of(jobs, saved)


def main() -> None:
    """Draw with and without ``live``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--saves", type=int, default=SAVES)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        for live in (True, False):
            name = "live" if live else "not-live"
            folder = (options.keep or Path(temporary)).absolute() / name
            account = run(folder, options.saves, options.seconds, live=live)
            print(f"\n`live: {'true' if live else 'false'}`\n\n{account.table()}")
            results[name] = asdict(account)
    target = Path(__file__).parent / "results" / "drawing_run.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
