"""Frames are written beside the painting: told of once they are there, bounded, given up, kept."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue

import pytest
from PIL import Image

from img2imgd.engine.protocol import FrameGivenBack, FramePainted, FrameRefused, StepDone
from img2imgd.outputs.encode import write_frame
from img2imgd.outputs.orders import Animation, AnimationFrame, Encoding, FrameFile
from img2imgd.pool import assembling, staging
from img2imgd.pool.messages import (
    Assemble,
    AssemblyStaged,
    Cancel,
    EngineLost,
    FrameStaged,
    JobGivenUp,
    Stop,
    WorkerEvent,
    WorkerFault,
)
from img2imgd.pool.staging import Stager
from img2imgd.pool.worker import Worker
from waiting import wait_until

SIDE = 256
BYTES = SIDE * SIDE * 3


def painted(index: int = 0, job: str = "j1") -> FramePainted:
    return FramePainted(job, index, SIDE, SIDE, Image.effect_noise((SIDE, SIDE), 9).tobytes() * 3)


class Gate:
    """Holds up what writes until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Semaphore(0)
        self.open = threading.Event()

    def before(self, act: Callable[..., object]) -> Callable[..., object]:
        def gated(*arguments: object) -> object:
            self.reached.release()
            assert self.open.wait(30)
            return act(*arguments)

        return gated


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate()
    monkeypatch.setattr(staging, "write_frame", made.before(write_frame))
    monkeypatch.setattr(assembling, "_write", made.before(assembling._write))
    yield made
    made.open.set()


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "_MOST_THREADS", 1)


class Supervised:
    """A worker without its process, whose frames are painted when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        pipes: tuple[Connection[object, WorkerEvent], Connection[WorkerEvent, object]]
        pipes = multiprocessing.Pipe()  # type: ignore[assignment]
        self.ours, theirs = pipes
        self.worker = Worker(theirs, "fake", offline=True)  # type: ignore[arg-type]

    def paint(self, index: int, job: str = "j1") -> Path:
        file = FrameFile(self.folder / f"{job}-{index}.png")
        self.worker._files[job, index] = (file,)
        self.worker._report(painted(index, job))
        return file.path

    def told(self, number: int) -> list[WorkerEvent]:
        """What the worker says next."""
        events: list[WorkerEvent] = []
        for _ in range(number):
            assert self.ours.poll(30), events
            events.append(self.ours.recv())
        return events


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    made = Supervised(tmp_path)
    yield made
    made.worker._finish()
    made.ours.close()
    made.worker._pipe.close()


def test_every_frame_is_told_of_once_when_its_files_are_there(tmp_path: Path) -> None:
    said: SimpleQueue[tuple[WorkerEvent, list[str]]] = SimpleQueue()
    files = [tuple(FrameFile(tmp_path / f"{i}{which}.png") for which in "ab") for i in range(9)]

    def send(event: WorkerEvent) -> None:
        assert isinstance(event, FrameStaged)
        names = [file.path.name for file in files[event.index] if file.path.exists()]
        said.put((event, names))

    stager = Stager(send)
    for index in range(9):
        stager.stage(painted(index), files[index])
    stager.finish()
    events = [said.get_nowait() for _ in range(9)]
    assert said.empty()
    assert sorted(event.index for event, _ in events if isinstance(event, FrameStaged)) == [
        *range(9)
    ]
    assert all(len(names) == 2 for _, names in events)
    assert len(list(tmp_path.iterdir())) == 18, "and nothing half written is left"


def test_painting_goes_on_while_frames_are_written(supervised: Supervised, gate: Gate) -> None:
    for index in range(3):
        supervised.paint(index)
    supervised.worker._report(StepDone("j1", 3, 1, 2))
    assert supervised.told(1) == [StepDone("j1", 3, 1, 2)], "before any frame is written"
    gate.open.set()
    assert sorted(event.index for event in supervised.told(3)) == [0, 1, 2]  # type: ignore[union-attr]


@pytest.mark.parametrize("most", [1, BYTES * 3])
def test_no_more_pictures_than_memory_is_set_aside_for_wait_to_be_written(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first write takes until the painting waits for it: only that lets it go on."""
    said: SimpleQueue[WorkerEvent] = SimpleQueue()
    held: list[int] = []
    waiting = threading.Event()
    stager = Stager(said.put, most)
    wait_for = stager._room.wait_for

    def wait_and_tell(predicate: Callable[[], bool]) -> bool:
        if not predicate():
            waiting.set()
        return wait_for(predicate)

    def write(*arguments: object) -> None:
        assert waiting.wait(30), "the painting went on for ever"
        held.append(stager._bytes)

    monkeypatch.setattr(stager._room, "wait_for", wait_and_tell)
    monkeypatch.setattr(staging, "write_frame", write)
    for index in range(20):
        stager.stage(painted(index), (FrameFile(tmp_path / f"{index}.png"),))
    stager.finish()
    assert said.qsize() == 20
    assert max(held) <= max(most, BYTES), "one that is larger than all of it is written alone"


def test_a_cancel_is_answered_when_nothing_of_the_job_is_written_any_more(
    supervised: Supervised, gate: Gate, one_thread: None, tmp_path: Path
) -> None:
    Image.new("RGB", (SIDE, SIDE)).save(tmp_path / "frame.png")
    frames = (AnimationFrame(tmp_path / "frame.png"),) * 2
    worker = supervised.worker
    worker._stager = Stager(worker._send)
    written, dropped, other = supervised.paint(0), supervised.paint(1), supervised.paint(0, "j2")
    worker._assembler.start(Assemble("j1", Animation(frames, tmp_path / "sweep.gif")))
    for _ in range(2):
        assert gate.reached.acquire(timeout=30)
    worker._read.put(Cancel("j1"))
    worker._take(wait=False)
    assert not supervised.ours.poll()
    gate.open.set()
    told = supervised.told(4)
    of_it = [event for event in told if event != FrameStaged("j2", 0)]
    assert set(of_it[:2]) == {FrameStaged("j1", 0), AssemblyStaged("j1", tmp_path / "sweep.gif")}
    assert of_it[2:] == [JobGivenUp("j1")]
    assert written.exists()
    assert other.exists()
    assert not dropped.exists()


def test_a_job_of_which_only_frames_are_left_that_wait_is_given_up_at_once(
    supervised: Supervised, gate: Gate, one_thread: None
) -> None:
    supervised.worker._stager = Stager(supervised.worker._send)
    supervised.paint(0, "j2")
    waits = supervised.paint(0)
    assert gate.reached.acquire(timeout=30)
    supervised.worker._give_up("j1")
    assert supervised.told(1) == [JobGivenUp("j1")]
    gate.open.set()
    assert supervised.told(1) == [FrameStaged("j2", 0)]
    assert not waits.exists()
    wait_until(lambda: not supervised.worker._stager._bytes, "its memory is free for others")


def test_a_painted_frame_is_staged_before_the_worker_stops(
    supervised: Supervised, gate: Gate
) -> None:
    paths = [supervised.paint(index) for index in range(4)]
    threading.Timer(0.1, gate.open.set).start()
    supervised.worker._read.put(Stop())
    with pytest.raises(SystemExit) as ended:
        supervised.worker._take(wait=False)
    assert ended.value.code == 0
    assert all(path.exists() for path in paths)
    assert len(supervised.told(4)) == 4


def test_a_painted_frame_is_staged_and_told_of_before_a_lost_device(
    supervised: Supervised, gate: Gate
) -> None:
    path = supervised.paint(0)
    threading.Timer(0.1, gate.open.set).start()
    with pytest.raises(SystemExit):
        supervised.worker._report(FrameGivenBack("j1", 1, "The device has failed.", True))
    assert supervised.told(2) == [FrameStaged("j1", 0), EngineLost("The device has failed.")]
    assert path.exists()


def test_a_frame_that_cannot_be_written_is_alone_in_that(tmp_path: Path) -> None:
    said: SimpleQueue[WorkerEvent] = SimpleQueue()
    stager = Stager(said.put)
    stager.stage(painted(0), (FrameFile(tmp_path / "absent" / "0.png"),))
    wide = FramePainted("j1", 1, 70_000, 1, bytes(70_000 * 3))
    stager.stage(wide, (FrameFile(tmp_path / "1.jpg", Encoding("jpeg")),))
    stager.stage(painted(2), (FrameFile(tmp_path / "2.png"),))
    stager.finish()
    by_index = {event.index: event for event in (said.get() for _ in range(3))}  # type: ignore[union-attr]
    assert isinstance(by_index[0], WorkerFault)
    assert by_index[0].message.endswith("0.png could not be written: No such file or directory")
    assert isinstance(by_index[1], FrameRefused)
    assert "70000×1 pixels as jpeg" in by_index[1].reason
    assert by_index[2] == FrameStaged("j1", 2)
    assert said.empty()


@pytest.mark.parametrize(("processors", "threads"), [(1, 1), (2, 1), (4, 2), (64, 4)])
def test_the_engine_keeps_half_of_the_processors(processors: int, threads: int) -> None:
    assert staging._threads(processors) == threads
