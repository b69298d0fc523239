"""Does anything grow while img2imgd is left alone?

Many small jobs go through the real inbox, ledger, reader process, worker process (with the fake
engine), publishing, archive and upkeep, in one thread and on a tmpfs, where fsync costs nothing.
Retention keeps the last 2,000 jobs. Every 1,000 jobs memory, descriptors, threads, the ledger's
bytes and the number of files are looked at; the medians of the second and the last tenth must not
differ.

Prints a table, writes ``bench/results/soak.json``, and fails where something grows.
Run: ``python bench/soak.py [--jobs N]``, with 5,000 at least.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from img2imgd.config import Config, InboxConfig
from img2imgd.config.sections import EngineConfig, LimitsConfig, ModelConfig, RetentionConfig
from img2imgd.dispatch import Dispatch
from img2imgd.inbox import Inbox
from img2imgd.ledger import open_ledger
from img2imgd.pool.reading import ReaderProcess
from img2imgd.pool.supervision import WorkerPool
from img2imgd.request import BUILT_IN, RequestKeys
from img2imgd.upkeep import Upkeep

BATCH = 50  # jobs that are dropped together
HOUR = 3600.0  # from one sample to the next, as upkeep is told
KEPT = 2  # samples whose jobs retention keeps
AGE = (KEPT - 0.5) * HOUR  # which is counted from the sample that finds them
MOST_RSS = 5.0  # MB
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Sample:
    """What is looked at: sizes in MB, the worker's and the reader's memory together."""

    jobs: int
    seconds: float
    rss: float
    children_rss: float
    descriptors: int
    threads: int
    ledger: float
    wal: float
    files: int


def config_below(root: Path) -> Config:
    """An inbox that waits for nothing, and a retention of two samples."""
    inbox = InboxConfig(
        path=root / "inbox", settle=0, pair_wait=0, late_sidecar=0,
        defaults=RequestKeys(prompt="a lake", seed=1),
    )  # fmt: skip
    config = Config(
        root=root,
        inboxes=(inbox,),
        outbox=root / "outbox",
        done=root / "done",
        failed=root / "failed",
        state=root / "state",
        defaults=RequestKeys(steps=1, strength=0.5, size=(64, 64)).over(BUILT_IN),
        models={"demo": ModelConfig(source=str(root))},
        engine=EngineConfig(backend="fake", idle_unload=None),
        limits=LimitsConfig(min_free_gb=0),
        retention=RetentionConfig(done=AGE, failed=AGE, outbox=AGE, ledger=AGE),
    )
    for folder in (inbox.path, config.outbox):
        (folder / ".img2imgd").mkdir(parents=True)
    for folder in (config.done, config.failed, config.state):
        folder.mkdir()
    return config


class Soak:
    """The daemon's parts in one thread, with a worker and a reader process."""

    def __init__(self, root: Path) -> None:
        self.config = config_below(root)
        path = self.config.state / "ledger.sqlite"
        self.ledger = open_ledger(path)
        self.ledger.set_facts(ledger_id="soak")
        self.reader = ReaderProcess()
        self.pool = WorkerPool("fake")
        self.dispatch = Dispatch(self.config, self.ledger, self.pool, self.reader)
        self.inbox = Inbox(
            self.config, self.config.inboxes[0], self.ledger, lambda _: None, self.reader.glance
        )
        self.now = time.time()
        self.upkeep = Upkeep(self.config, open_ledger(path), uptime=lambda: self.now)
        self.began = time.monotonic()
        self.served = 0
        picture = BytesIO()
        Image.linear_gradient("L").resize((64, 64)).save(picture, "PNG")
        self.picture = picture.getvalue()

    def run(self, jobs: int, every: int) -> list[Sample]:
        """Serve so many jobs; a sample after every so many."""
        samples: list[Sample] = []
        while self.served < jobs:
            self.serve(BATCH)
            if self.served % every == 0:
                self.now += HOUR
                self.upkeep.step(self.now)
                samples.append(self.sample())
                print(row(samples[-1]), flush=True)
        return samples

    def serve(self, jobs: int) -> None:
        """Drop pictures, some with sidecars, a few of those with a mistake; wait until served."""
        for number in range(self.served, self.served + jobs):
            folder = self.config.inboxes[0].path / f"day {number // 1000 % 7}"
            folder.mkdir(exist_ok=True)
            if number % 10 == 0:
                key = "promt" if number % 50 == 0 else "prompt"
                (folder / f"{number}.yaml").write_text(f"{key}: a harbour at dusk\n")
            (folder / f"{number}.png").write_bytes(self.picture)
        self.inbox.step(time.monotonic())
        while self.ledger.unarchived() or self._open():
            self.dispatch.step(0.01)
        self.served += jobs

    def _open(self) -> bool:
        asked = "SELECT 1 FROM jobs WHERE state IN ('queued','running','publishing') LIMIT 1"
        return self.ledger.sql.execute(asked).fetchone() is not None

    def sample(self) -> Sample:
        """Look at this process, its children and its folders."""
        state = self.config.state
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        return Sample(
            jobs=self.served,
            seconds=round(time.monotonic() - self.began, 1),
            rss=rss("self"),
            children_rss=round(sum(map(rss, children)), 1),
            descriptors=len(os.listdir("/proc/self/fd")),
            threads=len(os.listdir("/proc/self/task")),
            ledger=round((state / "ledger.sqlite").stat().st_size / 1e6, 2),
            wal=round((state / "ledger.sqlite-wal").stat().st_size / 1e6, 2),
            files=sum(len(names) for _, _, names in os.walk(self.config.root)),
        )

    def close(self) -> None:
        """End the children."""
        self.pool.stop(5)
        self.reader.close()
        self.ledger.close()


def rss(pid: str) -> float:
    """Resident memory in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(status.partition("VmRSS:")[2].split()[0]) / 1000, 1)


def row(sample: Sample) -> str:
    """A line of the table."""
    return "".join(f"{value!s:>14}" for value in asdict(sample).values())


def growth(samples: list[Sample]) -> list[str]:
    """What is larger in the last tenth than in the second, or the first in which jobs go."""
    tenth = max(len(samples) // 10, 1)
    first = max(tenth, KEPT + 1)
    early, late = samples[first : first + tenth], samples[-tenth:]
    found: list[str] = []
    bounds = {"rss": MOST_RSS, "children_rss": 2 * MOST_RSS, "descriptors": 0, "threads": 0,
              "ledger": 1.0, "wal": 1.0, "files": 100}  # fmt: skip
    for name, most in bounds.items():
        before = statistics.median(getattr(sample, name) for sample in early)
        after = statistics.median(getattr(sample, name) for sample in late)
        if after - before > most:
            found.append(f"{name} grew from {before:g} to {after:g}")
    return found


def soak(folder: Path, jobs: int, every: int) -> list[Sample]:
    """Serve so many jobs in a new root below a folder; the samples."""
    print("".join(f"{name:>14}" for name in Sample.__dataclass_fields__))
    with tempfile.TemporaryDirectory(dir=folder, prefix="img2imgd-soak-") as root:
        running = Soak(Path(root))
        try:
            return running.run(jobs, every)
        finally:
            running.close()


def main() -> None:
    """Serve, print, write, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    jobs = parser.parse_args().jobs
    samples = soak(Path("/dev/shm"), jobs, 1000)  # noqa: S108 - the tmpfs of every Linux
    last = samples[-1]
    facts = {
        "jobs": jobs,
        "jobs_per_second": round(last.jobs / last.seconds, 1),
        "samples": [asdict(sample) for sample in samples[:: max(len(samples) // 20, 1)]],
        "growth": growth(samples),
    }
    (RESULTS / "soak.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(f"{facts['jobs_per_second']} jobs a second")
    assert not facts["growth"], "\n".join(growth(samples))


if __name__ == "__main__":
    main()
