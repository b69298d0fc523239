"""How does the cost grow: with the frames of a job, the queue, and the size of pictures?

- frames: jobs of 1 to 256 frames with the embedded model at 64 px: seconds a frame, the worker's
  memory
- queue: 1 to 20,000 drops wait, on a tmpfs with the fake engine, and the first of them are served:
  milliseconds of the dispatcher's steps a job, of a scan of the inbox, memory. Fails where these
  grow with the queue
- size painted: 64 to 512 px, one picture, beside the pipeline's bare call
- size dropped: pictures of up to 4,096 px a side that are painted at 64 px

Prints tables, writes ``bench/results/growth.json`` and ``growth.png``. With two cores: ten minutes.
Run: ``python bench/growth.py [--quick] [--repetitions N]``.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from measuring.bare import Bare
from measuring.cases import CASES, sketch, source_of
from measuring.pairs import Spread, paired, ratio, seconds, timed
from measuring.plots import lines
from measuring.remote import Remote
from measuring.report import options, save, table
from measuring.served import Daemon, Root
from soak import Soak, rss

Rows = list[dict[str, float]]
CASE = replace(CASES["demo-64"], steps=4, strength=0.5)
MOST_GROWTH = 2.0  # of the median time of a job, from the shortest queue to the longest
MOST_RSS = 20.0  # MB that the worker may grow from the shortest queue to the longest


def by_frames(counts: Iterable[int], repetitions: int) -> Rows:
    """One job after the other, each several times."""
    found: Rows = []
    with tempfile.TemporaryDirectory(prefix="img2imgd-growth-") as name:
        folder = Path(name)
        root = Root(folder / "root", {"demo": source_of("demo")})
        with Daemon(root, CASE, sketch(folder, CASE.side)) as daemon:
            for count in counts:
                seeds = f"sweep: {{seed: {list(range(count))}}}\n"
                sidecar = CASE.sidecar(CASE.pictures[0]) + seeds
                took = [max(daemon.serve([("job", sidecar)]).values()) for _ in range(repetitions)]
                found.append({
                    "frames": count, "seconds": statistics.median(took),
                    "ms a frame": 1000 * statistics.median(took) / count,
                    "worker MB": rss(str(daemon.program.worker)),
                })  # fmt: skip
    return found


def by_queue(lengths: Iterable[int], served: int) -> Rows:
    """As many drops as that are claimed; then the first are served."""
    found: Rows = []
    for length in lengths:
        with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="img2imgd-growth-") as name:
            soak = Soak(Path(name))
            try:
                found.append(queued(soak, length, min(served, length)))
            finally:
                soak.close()
    return found


def queued(soak: Soak, length: int, served: int) -> dict[str, float]:
    """Claim them, look at the inbox, serve some."""
    inbox = soak.config.inboxes[0].path
    for number in range(length):
        (inbox / f"{number:05}.png").write_bytes(soak.picture)

    def count(states: str) -> int:
        asked = f"SELECT count(*) FROM jobs WHERE {states}"  # noqa: S608 - our own words
        return soak.ledger.sql.execute(asked).fetchone()[0]

    began = time.perf_counter()
    while count("state = 'queued'") < length:
        soak.inbox.step(time.monotonic())
    claiming = time.perf_counter() - began
    scans = [timed(lambda: soak.inbox.step(time.monotonic())) for _ in range(20)]
    soak.dispatch.step(0.01)
    while soak.pool.loaded is None:
        soak.dispatch.step(0.01)
    steps: list[float] = []
    while (ended := count("state = 'done' AND archived = 1")) < served:
        steps.append(timed(lambda: soak.dispatch.step(0.01)))
    return {
        "queue": length, "claim ms a drop": 1000 * claiming / length,
        "scan ms": 1000 * statistics.median(scans), "serve ms a job": 1000 * sum(steps) / ended,
        "longest step ms": 1000 * max(steps), "supervisor MB": rss("self"),
        "worker MB": rss(str(soak.pool.pid)),
    }  # fmt: skip


def by_size(sides: Iterable[int], repetitions: int) -> Rows:
    """A picture painted at each size, by the daemon and by the pipeline's bare call."""
    found: Rows = []
    with tempfile.TemporaryDirectory(prefix="img2imgd-growth-") as name:
        folder = Path(name)
        source = source_of("demo")
        picture = sketch(folder, 512)
        root = Root(folder / "root", {"demo": source})
        with Remote(Bare, source) as bare, Daemon(root, CASE, picture) as daemon:
            for side in sides:
                case = replace(CASE, side=side, steps=20)
                frames = case.pictures[:1]
                contenders = {
                    "bare": lambda: bare.call("singles", case, frames, picture, folder),  # noqa: B023
                    "daemon": lambda: max(
                        daemon.serve([("size", case.sidecar(frames[0]))]).values()  # noqa: B023
                    ),
                }
                paired(contenders, 1)
                runs = paired(contenders, repetitions)
                found.append({
                    "side": side, "bare s": seconds(runs, "bare").median,
                    "daemon s": seconds(runs, "daemon").median,
                    "daemon / bare": 1 / ratio(runs, "daemon", "bare").median,
                })  # fmt: skip
    return found


def by_dropped_size(sides: Iterable[int], repetitions: int) -> Rows:
    """Large pictures painted small: what reading and preparing them costs."""
    found: Rows = []
    with tempfile.TemporaryDirectory(prefix="img2imgd-growth-") as name:
        folder = Path(name)
        root = Root(folder / "root", {"demo": source_of("demo")})
        for side in sides:
            with Daemon(root, CASE, sketch(folder, side)) as daemon:
                sidecar = CASE.sidecar(CASE.pictures[0])
                took = [max(daemon.serve([("big", sidecar)]).values()) for _ in range(repetitions)]
                found.append({"side": side, "seconds": Spread.of(took).median})
    return found


def show(rows: Rows) -> None:
    """As a table."""
    print("\n" + table(list(rows[0]), [list(row.values()) for row in rows]), flush=True)


def plot(path: Path, found: dict[str, Rows]) -> None:
    """A panel a question."""
    asked = {
        "frames of a job": ("frames", "frames", ("ms a frame",)),
        "drops in the queue": ("queue", "queue", ("claim ms a drop", "scan ms", "serve ms a job")),
        "side painted, px": ("size painted", "side", ("bare s", "daemon s")),
        "side dropped, px": ("size dropped", "side", ("seconds",)),
    }
    panels = {
        below: {name: [(row[place], row[name]) for row in found[kind]] for name in names}
        for below, (kind, place, names) in asked.items()
    }
    lines(path, "How the cost grows", panels)


def judge(queue: Rows) -> None:
    """Fail where something grows with the queue; below 100 drops the start is most of it."""
    first, *_, last = [row for row in queue if row["queue"] >= 100]
    for name in ("serve ms a job", "scan ms"):
        assert last[name] < MOST_GROWTH * first[name], f"{name} grows with the queue"
    grown = last["worker MB"] - first["worker MB"]
    assert grown < MOST_RSS, f"the worker grew by {grown:.0f} MB"


def main() -> None:
    """Measure, print, write, judge."""
    told = options(__doc__)
    if told.quick:
        frames, queue, painted, dropped = (1, 16), (1, 100, 500), (64, 128), (256, 2048)
    else:
        frames, queue = (1, 4, 16, 64, 256), (1, 10, 100, 1_000, 20_000)
        painted, dropped = (64, 128, 192, 256, 384, 512), (256, 1024, 2048, 4096)
    repetitions = told.pairs(5)
    found = {
        "frames": by_frames(frames, repetitions),
        "queue": by_queue(queue, 200),
        "size painted": by_size(painted, repetitions),
        "size dropped": by_dropped_size(dropped, repetitions),
    }
    for rows in found.values():
        show(rows)
    save(told, "growth", found)
    plot(told.results / "growth.png", found)
    if not told.quick:
        judge(found["queue"])


if __name__ == "__main__":
    main()
