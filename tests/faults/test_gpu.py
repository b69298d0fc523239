"""A real GPU that faults, hangs or is full, under the real engine: only where CUDA finds one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from engines import difference, paint
from invariants import check
from PIL import Image
from real_worker import DROPS, kill, largest_difference, pixels, real_config, serve
from world import put

from img2imgd.app.daemon import Daemon
from img2imgd.config.sections import DEMO_FOLDER
from img2imgd.dispatch import faults
from img2imgd.engine.diffusers_engine import DiffusersEngine
from img2imgd.engine.protocol import (
    EngineEvent,
    FramePainted,
    FrameRefused,
    FrameTask,
    ModelSpec,
)
from img2imgd.job import JobState
from img2imgd.ledger import JobRow, Ledger, read_ledger

if TYPE_CHECKING:
    from fault_table import Tally

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that CUDA can use"),
    # diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

# Python runs a module of this name at its start: here, in the worker alone.
SITE = """
import os, sys, threading, time

def fault():
    torch.zeros(1, device="cuda")[torch.tensor([7], device="cuda")].item()  # outside: an assertion

def hang():
    torch.cuda._sleep(10**14)  # clock cycles, in the stream that the engine paints in

def wait(folder):
    global torch
    while True:
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
            import torch
            globals()[name]()
        time.sleep(0.002)

if "img2imgd.pool.process" in sys.orig_argv:
    threading.Thread(target=wait, args=(os.environ["TROUBLE"],), daemon=True).start()
"""

# Takes all the memory there is, says so, and holds it until its input ends.
HOG = """
import sys, torch
kept, size = [], 1 << 33
while size >= 1 << 20:
    try:
        kept.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
    except torch.OutOfMemoryError:
        size //= 2
print("full", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_FIRST_PAUSE", 0.1)
    monkeypatch.setattr(faults, "_LONGEST_PAUSE", 0.2)


@pytest.fixture
def trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Callable[[int], None]]:
    """Makes harms: within a millisecond or two, the worker's process does this to its GPU."""
    site, folder = tmp_path / "site", tmp_path / "trouble"
    site.mkdir()
    folder.mkdir()
    (site / "sitecustomize.py").write_text(SITE)
    others = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(site), others))))
    monkeypatch.setenv("TROUBLE", str(folder))
    return lambda name: lambda _: (folder / name).touch()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What comes out when nobody harms anything."""
    config = real_config(tmp_path_factory.mktemp("undisturbed") / "root", device="cuda")
    assert serve(config).harmed == []
    check(config, DROPS).assert_fine()
    return pixels(config)


def rows(state: Path) -> list[JobRow]:
    ledger = read_ledger(state / "ledger.sqlite")
    assert ledger is not None
    found = ledger.jobs_in(*JobState)
    ledger.close()
    return found


def free_memory() -> int:
    """In bytes, of the whole GPU."""
    return torch.cuda.mem_get_info()[0]


@pytest.mark.parametrize(
    ("harm", "times", "said"),
    [
        ("kill", 3, "killed by SIGKILL"),
        ("fault", 3, "device-side assert"),
        ("hang", 1, "no progress for 8 s"),
    ],
)
def test_a_worker_that_loses_its_gpu_is_replaced_and_paints_what_it_would_have_painted(
    harm: str, times: int, said: str, tmp_path: Path, undisturbed: dict[str, bytes], tally: Tally,
    trouble: Callable[[str], Callable[[int], None]], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    config = real_config(tmp_path / "root", device="cuda", stall_timeout=8.0)
    before = free_memory()
    harmer = serve(config, [5, 18, 31][:times], kill if harm == "kill" else trouble(harm))
    verdict = check(config, DROPS)
    for _ in harmer.harmed:
        tally.count(f"GPU: {harm} while the worker paints", verdict)
    verdict.assert_fine(caplog.text)
    assert len(set(harmer.harmed)) == times
    assert caplog.text.count(said) >= times
    assert harmer.repainted == []
    assert largest_difference(pixels(config), undisturbed) <= 1
    assert {row.state for row in rows(config.state)} == {JobState.DONE}
    assert free_memory() > before - 2**28, "the ended processes hold nothing of the GPU"


@contextmanager
def full_gpu() -> Generator[Callable[[], object]]:
    """Another program fills the GPU's memory; gives what ends it."""
    torch.cuda.empty_cache()
    hog = subprocess.Popen(
        [sys.executable, "-c", HOG], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert hog.stdout is not None
        assert hog.stdout.readline() == b"full\n"
        yield hog.communicate
    finally:
        if hog.poll() is None:
            hog.communicate()


def test_a_gpu_that_others_have_filled_is_waited_for(tmp_path: Path, tally: Tally) -> None:
    config = real_config(tmp_path / "root", device="cuda")
    put(config, DROPS)
    waited: list[str] = []
    daemon = Daemon(config)
    deadline = time.monotonic() + 120
    with full_gpu() as empty:

        def tick(ledger: Ledger) -> bool:
            assert time.monotonic() < deadline, ledger.facts()
            waits_for = ledger.facts().get("waits_for", "")
            if "memory" in waits_for and not waited:
                assert {row.state for row in ledger.jobs_in(*JobState)} <= {JobState.QUEUED}
                waited.append(waits_for)
                empty()
            known = ledger.jobs_in(*JobState)
            return len(known) == len(DROPS) and all(row.archived for row in known)

        daemon.serve(tick, seconds=0.05)
    verdict = check(config, DROPS)
    tally.count("GPU: full while the model is loaded", verdict)
    verdict.assert_fine()
    assert waited
    assert {(row.state, row.attempts) for row in rows(config.state)} == {(JobState.DONE, 0)}


DEMO = ModelSpec("demo", str(DEMO_FOLDER), device="cuda", offline=True)


@pytest.fixture
def engine() -> Iterator[DiffusersEngine]:
    """The embedded model on the GPU, in the test's own process."""
    made = DiffusersEngine()
    made.load(DEMO)
    yield made
    torch.cuda.set_per_process_memory_fraction(1.0)


def frame(image: Path, index: int = 0) -> FrameTask:
    return FrameTask("j1", index, image, "a house by a lake", "", 7, 0.6, 5.0, 5, 3)


def drawn(folder: Path, side: int) -> Path:
    path = folder / f"{side}.png"
    Image.radial_gradient("L").resize((side, side)).convert("RGB").save(path)
    return path


def test_with_less_and_less_memory_a_picture_is_painted_whole_then_in_tiles_then_refused(
    tmp_path: Path, engine: DiffusersEngine
) -> None:
    """The allocator's own answer, at a limit that it keeps to: nothing is raised by the test."""
    large, small = drawn(tmp_path, 1536), drawn(tmp_path, 64)
    total = torch.cuda.mem_get_info()[1]
    paint(engine, frame(large))
    most = torch.cuda.max_memory_reserved()
    engine.load(DEMO)
    torch.cuda.reset_peak_memory_stats()
    paint(engine, frame(small))
    least = torch.cuda.max_memory_reserved()
    ways: list[str] = []
    for share in (1.2, 0.8, 0.6, 0.45, 0.3, 0.2, 0.1, 0.05, 0.02):
        engine.load(DEMO)
        allowed = least + (most - least) * share
        torch.cuda.set_per_process_memory_fraction(allowed / total)
        engine.admit(frame(large))
        engine.admit(frame(small, 1))
        events: list[EngineEvent] = []
        while not engine.idle():
            engine.step(events.append)
        torch.cuda.set_per_process_memory_fraction(1.0)
        first, second = [e for e in events if isinstance(e, FramePainted | FrameRefused)]
        if isinstance(first, FramePainted):
            ways.append("in tiles" if first.note else "whole")
            assert not first.note or "1536×1536" in first.note
        else:
            ways.append("refused")
            assert first.out_of_memory
            assert "ran out at 1536×1536" in first.reason
        assert isinstance(second, FramePainted), f"{second} after {ways}"
        assert second.note == "", ways
    order = ["whole", "in tiles", "refused"]
    assert ways == sorted(ways, key=order.index)
    assert set(ways) == set(order)


def test_a_gpu_paints_what_the_cpu_paints(tmp_path: Path) -> None:
    image = drawn(tmp_path, 256)
    pictures = []
    for device in ("cuda", "cpu"):
        engine = DiffusersEngine()
        engine.load(replace(DEMO, device=device, dtype="fp32"))
        pictures.append(paint(engine, frame(image))[0])
    assert difference(*pictures) <= 3
