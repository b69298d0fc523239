"""The worker process with the fake engine: what it stages, survives, and how it ends."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from descriptors import descriptors_left
from PIL import Image

from img2imgd.engine.protocol import FrameRefused, FrameTask, ModelSpec
from img2imgd.outputs.orders import Animation, AnimationFrame, FrameFile
from img2imgd.pool.messages import (
    AssemblyFailed,
    AssemblyStaged,
    FrameStaged,
    JobGivenUp,
    ModelFailed,
    ModelLoaded,
    PoolEvent,
    StepDone,
    WorkerDied,
    WorkerFault,
)
from img2imgd.pool.supervision import WorkerPool
from waiting import wait_until

DEADLINE = 30.0
MODEL = ModelSpec("demo", "demo")


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool("fake")
    yield made
    made.stop(grace=5)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    Image.linear_gradient("L").resize((64, 64)).convert("RGB").save(path)
    return path


def task(image: Path, index: int = 0, job: str = "j1", **changes: object) -> FrameTask:
    values: dict[str, object] = {
        "job": job,
        "index": index,
        "image": image,
        "prompt": "a lake",
        "negative_prompt": "",
        "seed": 1,
        "strength": 0.5,
        "guidance_scale": 7.0,
        "steps": 4,
        "effective_steps": 2,
    }
    return FrameTask(**(values | changes))  # type: ignore[arg-type]


def until(pool: WorkerPool, wanted: Callable[[PoolEvent], bool]) -> list[PoolEvent]:
    """Poll until a wanted event has come; all events up to then."""
    seen: list[PoolEvent] = []
    deadline = time.monotonic() + DEADLINE
    while not any(wanted(event) for event in seen):
        assert time.monotonic() < deadline, f"not heard of in {DEADLINE} s; heard: {seen}"
        seen += pool.poll(0.5)
    return seen


def last(pool: WorkerPool, kind: type[PoolEvent]) -> PoolEvent:
    return until(pool, lambda event: isinstance(event, kind))[-1]


def gone(pid: int) -> bool:
    """True when the process has ended, or is a zombie that only waits to be reaped."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def test_admitted_frames_are_staged_as_pngs(pool: WorkerPool, image: Path, tmp_path: Path) -> None:
    pool.load(MODEL)
    for index in range(3):
        pool.admit(task(image, index, seed=index), FrameFile(tmp_path / f"{index}.png"))
    assert pool.running
    assert pool.admitted == {("j1", 0), ("j1", 1), ("j1", 2)}
    seen = until(pool, lambda _: not pool.admitted)
    assert isinstance(seen[0], ModelLoaded)
    assert pool.loaded == seen[0].info
    staged = [event.index for event in seen if isinstance(event, FrameStaged)]
    assert sorted(staged) == [0, 1, 2]
    assert seen.index(StepDone("j1", 2, 2, 2)) < seen.index(FrameStaged("j1", 2))
    assert pool.admitted == frozenset()
    pictures = set[bytes]()
    for index in range(3):
        with Image.open(tmp_path / f"{index}.png") as staged:
            assert (staged.format, staged.mode, staged.size) == ("PNG", "RGB", (64, 64))
            pictures.add(staged.tobytes())
    assert len(pictures) == 3


def test_a_model_that_cannot_be_loaded_is_reported_and_its_frames_come_back(
    pool: WorkerPool, image: Path, tmp_path: Path
) -> None:
    pool.load(ModelSpec("mine", str(tmp_path / "absent")))
    pool.admit(task(image), FrameFile(tmp_path / "0.png"))
    failed, fault = until(pool, lambda event: isinstance(event, WorkerFault))
    assert isinstance(failed, ModelFailed)
    assert failed.name == "mine"
    assert str(tmp_path / "absent") in failed.reason
    assert fault == WorkerFault("j1", 0, "No model is loaded.")
    assert pool.loaded is None
    assert pool.admitted == frozenset()


def test_a_killed_worker_is_reported_with_its_frames_and_another_starts(
    pool: WorkerPool, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.05")
    pool.load(MODEL)
    pool.admit(task(image, 0, effective_steps=1), FrameFile(tmp_path / "0.png"))
    pool.admit(task(image, 1, effective_steps=1000, steps=1000), FrameFile(tmp_path / "1.png"))
    pool.admit(task(image, 2), FrameFile(tmp_path / "2.png"))
    until(pool, lambda event: event == FrameStaged("j1", 0))
    assert pool.pid is not None
    os.kill(pool.pid, signal.SIGKILL)
    died = last(pool, WorkerDied)
    assert isinstance(died, WorkerDied)
    assert died.exit == "killed by SIGKILL"
    assert died.frames == {("j1", 1), ("j1", 2)}
    assert died.loading is None
    assert (pool.running, pool.pid, pool.loaded, pool.admitted) == (False, None, None, frozenset())
    pool.load(MODEL)
    pool.admit(task(image, 2), FrameFile(tmp_path / "2.png"))
    until(pool, lambda event: event == FrameStaged("j1", 2))


def test_a_frame_that_kills_the_process_is_among_the_dead_workers_frames(
    pool: WorkerPool, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_POISON", "hemlock")
    pool.load(MODEL)
    pool.admit(task(image, 0), FrameFile(tmp_path / "0.png"))
    until(pool, lambda event: event == FrameStaged("j1", 0))
    pool.admit(task(image, 1, prompt="a hemlock by the lake"), FrameFile(tmp_path / "1.png"))
    died = last(pool, WorkerDied)
    assert isinstance(died, WorkerDied)
    assert died.frames == {("j1", 1)}


def test_a_cancelled_job_stops_at_the_next_step_and_leaves_no_file(
    pool: WorkerPool, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.02")
    pool.load(MODEL)
    pool.admit(task(image, 0, effective_steps=10_000, steps=10_000), FrameFile(tmp_path / "0.png"))
    pool.admit(task(image, 1), FrameFile(tmp_path / "1.png"))
    pool.admit(task(image, 0, job="j2"), FrameFile(tmp_path / "other.png"))
    until(pool, lambda event: isinstance(event, StepDone))
    pool.cancel("j1")
    assert pool.admitted == {("j2", 0)}
    seen = until(pool, lambda event: event == FrameStaged("j2", 0))
    given_up = seen.index(JobGivenUp("j1"))
    assert {event.job for event in seen[given_up + 1 :] if isinstance(event, StepDone)} == {"j2"}
    assert not (tmp_path / "0.png").exists()
    assert not (tmp_path / "1.png").exists()


def test_a_cancel_is_answered_with_no_worker_and_by_a_dead_one(
    pool: WorkerPool, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.cancel("j1")
    assert pool.poll(0) == [JobGivenUp("j1")]
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "3600")
    pool.load(MODEL)
    pool.admit(task(image), FrameFile(tmp_path / "0.png"))
    last(pool, ModelLoaded)
    assert pool.pid is not None
    os.kill(pool.pid, signal.SIGSTOP)  # it must not hear of the cancel
    pool.cancel("j1")
    os.kill(pool.pid, signal.SIGKILL)
    died, given_up = until(pool, lambda event: isinstance(event, JobGivenUp))
    assert isinstance(died, WorkerDied)
    assert died.frames == frozenset()
    assert given_up == JobGivenUp("j1")


def test_a_staging_folder_that_cannot_be_written_gives_the_frame_back(
    pool: WorkerPool, image: Path, tmp_path: Path
) -> None:
    pool.load(MODEL)
    pool.admit(task(image), FrameFile(tmp_path / "absent" / "0.png"))
    fault = last(pool, WorkerFault)
    assert isinstance(fault, WorkerFault)
    assert (fault.job, fault.index) == ("j1", 0)
    assert fault.message.endswith("0.png could not be written: No such file or directory")
    assert pool.admitted == frozenset()


def test_a_broken_picture_is_refused_and_the_next_frame_painted(
    pool: WorkerPool, image: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    pool.load(MODEL)
    pool.admit(task(tmp_path / "broken.png", 0), FrameFile(tmp_path / "0.png"))
    pool.admit(task(image, 1), FrameFile(tmp_path / "1.png"))
    seen = until(pool, lambda event: event == FrameStaged("j1", 1))
    (refused,) = [event for event in seen if isinstance(event, FrameRefused)]
    assert "broken.png is no picture" in refused.reason


def test_another_model_is_loaded_after_the_frames_before_it(
    pool: WorkerPool, image: Path, tmp_path: Path
) -> None:
    pool.load(MODEL)
    pool.admit(task(image, 0), FrameFile(tmp_path / "0.png"))
    pool.load(ModelSpec("other", "other"))
    pool.admit(task(image, 1), FrameFile(tmp_path / "1.png"))
    seen = until(pool, lambda event: event == FrameStaged("j1", 1))
    assert [
        event.info.name if isinstance(event, ModelLoaded) else event.index
        for event in seen
        if isinstance(event, ModelLoaded) or event == StepDone("j1", event.index, 2, 2)
    ] == ["demo", 0, "other", 1]


def gif(pool: WorkerPool, frames: list[Path], target: Path, job: str = "j1") -> None:
    shown = tuple(AnimationFrame(frame) for frame in frames)
    pool.assemble(job, Animation(shown, target))


def test_a_gif_is_made_without_a_model(pool: WorkerPool, image: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    gif(pool, [image, tmp_path / "red.png"], tmp_path / "sweep.gif")
    assert last(pool, AssemblyStaged) == AssemblyStaged("j1", tmp_path / "sweep.gif")
    with Image.open(tmp_path / "sweep.gif") as made:
        assert (made.format, made.n_frames) == ("GIF", 2)


def test_a_gif_is_made_while_a_frame_is_painted(
    pool: WorkerPool, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.02")
    pool.load(MODEL)
    pool.admit(task(image, effective_steps=10_000, steps=10_000), FrameFile(tmp_path / "0.png"))
    until(pool, lambda event: isinstance(event, StepDone))
    gif(pool, [image], tmp_path / "one.gif")
    seen = until(pool, lambda event: isinstance(event, AssemblyStaged))
    assert not any(isinstance(event, FrameStaged) for event in seen)


def test_a_gif_that_is_being_made_outlives_a_lost_engine(
    pool: WorkerPool, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_LOSS", "a lake")
    Image.effect_noise((512, 512), 60).convert("RGB").save(tmp_path / "large.png")
    pool.load(MODEL)
    last(pool, ModelLoaded)
    gif(pool, [tmp_path / "large.png"] * 60, tmp_path / "long.gif")
    pool.admit(task(image, job="j2"), FrameFile(tmp_path / "0.png"))
    seen = until(pool, lambda event: isinstance(event, WorkerDied))
    assert AssemblyStaged("j1", tmp_path / "long.gif") in seen, seen


def test_a_gif_of_missing_frames_fails_alone(pool: WorkerPool, image: Path, tmp_path: Path) -> None:
    gif(pool, [tmp_path / "absent.png"], tmp_path / "bad.gif")
    failed = last(pool, AssemblyFailed)
    assert isinstance(failed, AssemblyFailed)
    assert "bad.gif could not be made" in failed.reason
    assert "absent.png" in failed.reason
    gif(pool, [image], tmp_path / "good.gif")
    assert last(pool, AssemblyStaged) == AssemblyStaged("j1", tmp_path / "good.gif")


def test_unfinished_gifs_are_named_when_the_worker_dies(
    pool: WorkerPool, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "3600")
    pool.load(MODEL)
    pool.admit(task(image), FrameFile(tmp_path / "0.png"))
    last(pool, ModelLoaded)
    assert pool.pid is not None
    os.kill(pool.pid, signal.SIGSTOP)
    gif(pool, [image], tmp_path / "a.gif")
    os.kill(pool.pid, signal.SIGKILL)
    died = last(pool, WorkerDied)
    assert isinstance(died, WorkerDied)
    assert died.assembling == (("j1", tmp_path / "a.gif"),)


def test_poll_returns_when_its_time_is_over(pool: WorkerPool) -> None:
    assert pool.poll(0.01) == []


def test_wake_ends_a_poll_from_another_thread(pool: WorkerPool) -> None:
    waker = threading.Timer(0.1, pool.wake)
    waker.start()
    began = time.monotonic()
    assert pool.poll(DEADLINE) == []
    assert time.monotonic() - began < DEADLINE / 2
    waker.join()


def test_many_wakes_before_a_poll_count_as_one(pool: WorkerPool) -> None:
    for _ in range(100_000):
        pool.wake()
    pool.poll(DEADLINE)
    began = time.monotonic()
    pool.poll(0.2)
    assert time.monotonic() - began >= 0.15


def test_stop_ends_the_worker_within_a_step_and_nothing_is_called_a_death(
    pool: WorkerPool, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.02")
    pool.load(MODEL)
    pool.admit(task(image, effective_steps=10_000, steps=10_000), FrameFile(tmp_path / "0.png"))
    until(pool, lambda event: isinstance(event, StepDone))
    pid = pool.pid
    assert pid is not None
    began = time.monotonic()
    pool.stop(grace=DEADLINE)
    assert time.monotonic() - began < DEADLINE / 2
    assert gone(pid)
    assert (pool.running, pool.admitted) == (False, frozenset())
    assert not any(isinstance(event, WorkerDied) for event in pool.poll(0))
    pool.stop(grace=0)


def test_stop_terminates_a_worker_that_does_not_listen(
    pool: WorkerPool, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "3600")
    pool.load(MODEL)
    pool.admit(task(image), FrameFile(tmp_path / "0.png"))
    last(pool, ModelLoaded)
    pid = pool.pid
    assert pid is not None
    pool.stop(grace=0.1)
    assert gone(pid)


def test_ctrl_c_leaves_the_worker_alone(pool: WorkerPool, image: Path, tmp_path: Path) -> None:
    pool.load(MODEL)
    assert pool.pid is not None
    os.kill(pool.pid, signal.SIGINT)  # while it imports its modules
    last(pool, ModelLoaded)
    os.kill(pool.pid, signal.SIGINT)
    pool.admit(task(image), FrameFile(tmp_path / "0.png"))
    until(pool, lambda event: event == FrameStaged("j1", 0))


def test_the_worker_dies_in_the_middle_of_a_step_when_its_supervisor_is_killed(
    image: Path, tmp_path: Path
) -> None:
    script = tmp_path / "supervisor.py"
    script.write_text(
        "import pathlib, sys\n"
        "from img2imgd.engine.protocol import FrameTask, ModelSpec\n"
        "from img2imgd.outputs.orders import FrameFile\n"
        "from img2imgd.pool.supervision import WorkerPool\n"
        "if __name__ == '__main__':\n"
        "    image, staged = map(pathlib.Path, sys.argv[1:])\n"
        "    pool = WorkerPool('fake')\n"
        "    pool.load(ModelSpec('demo', 'demo'))\n"
        "    while pool.loaded is None:\n"
        "        pool.poll(1)\n"
        "    pool.admit(FrameTask('j1', 0, image, 'a', '', 1, 0.5, 7.0, 4, 2), FrameFile(staged))\n"
        "    print(pool.pid, flush=True)\n"
        "    pool.poll(3600)\n"
    )
    supervisor = subprocess.Popen(
        [sys.executable, str(script), str(image), str(tmp_path / "0.png")],
        env=os.environ | {"IMG2IMGD_FAKE_STEP_SECONDS": "3600"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with supervisor:
        assert supervisor.stdout is not None
        worker = int(supervisor.stdout.readline())
        assert not gone(worker)
        supervisor.kill()
    wait_until(lambda: gone(worker), f"worker {worker} outlived its supervisor")


def test_a_worker_that_cannot_be_started_is_reported_not_raised(pool: WorkerPool) -> None:
    with descriptors_left(0):
        pool.load(MODEL)
    (died,) = pool.poll(0)
    assert isinstance(died, WorkerDied)
    assert died.exit == "could not be started: Too many open files"
    assert died.loading == "demo"
    pool.load(MODEL)
    last(pool, ModelLoaded)


def test_the_supervisors_side_imports_neither_torch_nor_pillow() -> None:
    program = (
        "import sys, img2imgd.pool, img2imgd.pool.supervision, img2imgd.engine;"
        "print([m for m in ('torch', 'diffusers', 'transformers', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_workers_own_output_goes_to_stderr(pool: WorkerPool) -> None:
    pool.load(MODEL)
    last(pool, ModelLoaded)
    ours = Path("/proc/self/fd")
    its = Path(f"/proc/{pool.pid}/fd")
    assert (ours / "1").readlink() != (ours / "2").readlink()
    assert (its / "1").readlink() == (its / "2").readlink() == (ours / "2").readlink()


def test_an_engine_there_is_not_is_reported_as_a_model_that_failed() -> None:
    pool = WorkerPool("tea")
    pool.load(MODEL)
    failed = last(pool, ModelFailed)
    pool.stop(grace=5)
    assert isinstance(failed, ModelFailed)
    assert failed.reason == "There is no engine 'tea'."


def test_while_somebody_watches_a_frame_can_be_seen_before_it_is_painted(
    pool: WorkerPool, image: Path, tmp_path: Path
) -> None:
    pool.load(ModelSpec("demo", "demo"))
    pool.admit(task(image, steps=10**7, effective_steps=10**7), FrameFile(tmp_path / "out.png"))

    def is_seen() -> bool:
        pool.watching.watch()
        pool.poll(0.05)
        return pool.watching.of("j1") is not None

    wait_until(is_seen, "a glimpse")

    seen = pool.watching.of("j1")
    assert seen is not None
    assert 0 < seen.step < 10**7
    with Image.open(io.BytesIO(seen.png)) as glimpse:
        assert glimpse.size == (64, 64)
    pool.cancel("j1")
    last(pool, JobGivenUp)
    assert pool.watching.of("j1") is None
