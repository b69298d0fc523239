"""What the page costs: 10,000 results and 500 queued jobs, one browser that listens.

Fills a ledger, starts the daemon on it with the fake engine, paused, and measures: the seconds
until the first answers, the milliseconds of each kind of answer (median of many), the computing
time of the supervisor over a quiet stretch with and without a listener, and its memory.

Prints a table, writes ``bench/results/page.json``. Run: ``python bench/page.py``.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from img2imgd.job import JobState
from img2imgd.ledger import FileEntry, JobSpec, Outputs, open_ledger
from img2imgd.request import BUILT_IN, RequestKeys, resolve

RESULTS, QUEUED = 10_000, 500
ROUNDS = 30
QUIET_SECONDS = 20.0
PROGRAM = str(Path(sys.executable).with_name("img2imgd"))


def fill(state: Path, inbox: Path) -> None:
    """A ledger of many jobs; a tenth of the results are sweeps of 31 frames."""
    state.mkdir(parents=True)
    with closing(open_ledger(state / "ledger.sqlite")) as ledger, ledger.transaction():
        for number in range(RESULTS + QUEUED):
            frames = 31 if number % 10 == 0 else 1
            sweep = {"sweep": {"strength": [i / 40 for i in range(5, 36)]}} if frames > 1 else {}
            ended = number < RESULTS
            add(ledger, inbox, number, frames, sweep, ended=ended)


def add(ledger, inbox: Path, number: int, frames: int, sweep: dict, *, ended: bool) -> None:  # type: ignore[no-untyped-def,type-arg]
    """One job."""
    from img2imgd.document import Document, validate

    words = {"prompt": f"a cottage by lake number {number} at sunset", "seed": number, **sweep}
    keys = validate(Document("x", words), RequestKeys)
    request = resolve([keys, BUILT_IN], default_model="demo", models=["demo"],
                      draw_seed=lambda: 1, max_frames=400, name="x")  # fmt: skip
    name = f"picture{number}"
    names = tuple(f"{name}_a-cottage-by-lake_{i:02}_{number}.png" for i in range(frames))
    job = f"20261126T{number // 3600 % 24:02}{number // 60 % 60:02}{number % 60:02}-{number:08x}"
    spec = JobSpec(
        id=job, inbox=str(inbox), rel=f"{name}.png", mode="move",
        files=(FileEntry("picture", f"{name}.png", str(inbox / name), "move", number, 1000, 1),),
        request=request, outputs=Outputs("", names[0] if frames == 1 else name, names),
    )  # fmt: skip
    ledger.add_job(spec, JobState.QUEUED, [(i, 40) for i in range(frames)])
    if ended:
        ledger.set_state(job, JobState.DONE)
        ledger.set_published(job, names[0] if frames == 1 else name)
        ledger.set_archived(job)


def ask(port: int, path: str) -> bytes:
    """One answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, answer.status, body[:200])
        return body


def milliseconds(act: Callable[[], object]) -> float:
    """Median over some rounds."""
    times: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        act()
        times.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(times), 1)


def cpu_seconds(pid: int) -> float:
    """Computing time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> dict[str, float]:
    """RSS and PSS in megabytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    found = {line.split(":")[0]: int(line.split()[1]) / 1000 for line in lines}
    return {"rss_mb": round(found["Rss"], 1), "pss_mb": round(found["Pss"], 1)}


def quiet(pid: int) -> float:
    """Milliseconds of computing time for each second."""
    before = cpu_seconds(pid)
    time.sleep(QUIET_SECONDS)
    return round(1000 * (cpu_seconds(pid) - before) / QUIET_SECONDS, 2)


def measure(folder: Path) -> dict[str, object]:
    """All of it."""
    root = folder / "root"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    fill(root / "state", root / "inbox")
    with closing(open_ledger(root / "state" / "ledger.sqlite")) as ledger:
        ledger.set_paused(True)
    (root / "inbox").mkdir()
    config = folder / "config.yaml"
    config.write_text(
        f"root: {root}\nengine: {{backend: fake}}\nstatus: {{listen: '127.0.0.1:{port}'}}\n"
        "limits: {min_free_gb: 0}\n"
    )
    began = time.perf_counter()
    daemon = subprocess.Popen([PROGRAM, "run", "-c", config], stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                ask(port, "/api/now")
                break
            except OSError:
                time.sleep(0.02)
        found: dict[str, object] = {
            "start_to_first_answer_s": round(time.perf_counter() - began, 2)
        }
        time.sleep(5)
        found["cpu_ms_per_s_nobody"] = quiet(daemon.pid)
        cursor = json.loads(ask(port, "/api/results?limit=60"))["next"]
        for name, path in {
            "now": "/api/now",
            "results": "/api/results?limit=60",
            "results_next": f"/api/results?limit=60&before={cursor}",
            "search": "/api/results?q=number%20777",
            "job_of_31_frames": "/api/jobs/" + newest_sweep(port),
            "drop_form": "/api/drop",
            "metrics": "/metrics",
        }.items():
            found[f"{name}_ms"] = milliseconds(lambda path=path: ask(port, path))  # type: ignore[misc]
        with socket.create_connection(("127.0.0.1", port)) as listener:
            listener.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            listener.recv(100)
            found["cpu_ms_per_s_listening"] = quiet(daemon.pid)
            found.update(memory(daemon.pid))
        return found
    finally:
        daemon.terminate()
        daemon.wait(30)


def newest_sweep(port: int) -> str:
    """The id of a result of 31 frames."""
    items = json.loads(ask(port, "/api/results?limit=60"))["items"]
    return next(item["id"] for item in items if item["frames"] == 31)


def main() -> None:
    """Measure and tell."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder))
    for name, value in found.items():
        print(f"{name:28} {value}")
    target = Path(__file__).parent / "results" / "page.json"
    target.write_text(json.dumps({"results": RESULTS, "queued": QUEUED, **found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
