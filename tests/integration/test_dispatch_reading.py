"""Pictures that take long to read: everything else goes on, and one that is not wanted any more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rig import Rig

from img2imgd.config.sections import ModelConfig
from img2imgd.dispatch import faults
from img2imgd.engine.protocol import ModelSpec
from img2imgd.job import JobState
from img2imgd.reader.protocol import Prepared

RigMaker = Callable[..., Rig]
Asking = Generator[Callable[[], Prepared]]


class Slow:
    """A reader that answers for pictures named ``slow…`` when it is let go."""

    def __init__(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()
        preparing = rig.reader.preparing

        @contextmanager
        def held_up(path: Path, *rest: object) -> Asking:
            self.asked.append(path.stem)
            with preparing(path, *rest) as ask:  # type: ignore[arg-type]
                yield lambda: self._after_a_while(path, ask)

        monkeypatch.setattr(rig.reader, "preparing", held_up)

    def _after_a_while(self, path: Path, ask: Callable[[], Prepared]) -> Prepared:
        if path.stem.startswith("slow"):
            assert self.go.wait(30)
        return ask()


@pytest.fixture
def slow(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    made = Slow(rig, monkeypatch)
    yield made
    made.go.set()


def drop(rig: Rig, *names: str, sidecar: str = "prompt: a lake\nseed: 1\n") -> None:
    for name in names:
        rig.picture(f"{name}.png")
        rig.drop(f"{name}.yaml", sidecar)
        rig.claim()


def states(rig: Rig) -> dict[str, JobState]:
    return {job.spec.rel.removesuffix(".png"): job.state for job in rig.jobs()}


def halves(rig: Rig) -> list[Path]:
    return list(rig.spool.glob("*/.*.part"))


def test_what_is_painted_is_published_and_archived_while_a_picture_is_read(
    rig: Rig, slow: Slow
) -> None:
    drop(rig, "cat", "slow")
    rig.until(lambda: states(rig)["cat"] is JobState.DONE and rig.jobs()[0].archived)
    assert slow.asked == ["cat", "slow"]
    assert states(rig)["slow"] is JobState.QUEUED
    slow.go.set()
    assert {job.state for job in rig.serve()} == {JobState.DONE}


def test_the_next_picture_waits_at_the_reader_and_no_further_one(rig: Rig, slow: Slow) -> None:
    drop(rig, "slow1", "slow2", "c", "d")
    rig.until(lambda: len(slow.asked) == 2)
    for _ in range(5):
        rig.dispatch.step(0)
    assert slow.asked == ["slow1", "slow2"]
    assert len(halves(rig)) == 2
    slow.go.set()
    assert {job.state for job in rig.serve()} == {JobState.DONE}
    assert slow.asked == ["slow1", "slow2", "c", "d"], "each once, in their order"


def test_a_step_that_waits_goes_on_when_the_picture_is_read(rig: Rig, slow: Slow) -> None:
    drop(rig, "slow")
    rig.until(lambda: slow.asked == ["slow"])
    threading.Timer(0.1, slow.go.set).start()
    rig.dispatch.step(3600)
    assert states(rig)["slow"] is JobState.RUNNING


def test_jobs_that_are_cancelled_while_their_pictures_are_read_leave_nothing(
    rig: Rig, slow: Slow
) -> None:
    drop(rig, "slow1", "slow2", "b")
    rig.until(lambda: slow.asked == ["slow1", "slow2"])
    for job in rig.jobs()[:2]:
        rig.ledger.set_state(job.id, JobState.CANCELLED)
    rig.until(lambda: all(job.archived for job in rig.jobs()[:2]))
    slow.go.set()
    rig.serve()
    assert [job.state for job in rig.jobs()] == [JobState.CANCELLED] * 2 + [JobState.DONE]
    assert rig.ledger.facts().get("waits_for", "") == ""
    assert [path.name for path in rig.spool.iterdir()] == ["ledger"]


def test_an_inbox_that_goes_away_while_its_picture_is_read_is_waited_for(
    rig: Rig, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(faults, "_LONGEST_PAUSE", 0.2)
    drop(rig, "slow")
    rig.until(lambda: bool(slow.asked))
    away = rig.folder.rename(rig.root / "away")
    slow.go.set()
    rig.until(lambda: f"{rig.folder} is not there" in rig.ledger.facts().get("waits_for", ""))
    assert states(rig) == {"slow": JobState.QUEUED}
    away.rename(rig.folder)
    assert {(job.state, job.attempts) for job in rig.serve()} == {(JobState.DONE, 0)}


def test_another_model_is_loaded_after_the_pictures_that_are_read_for_this_one(
    make_rig: RigMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = {name: ModelConfig(source=str(tmp_path)) for name in ("demo", "other")}
    rig = make_rig(models=models)
    slow = Slow(rig, monkeypatch)
    loaded: list[str] = []
    load = rig.pool.load

    def noted(model: ModelSpec) -> None:
        loaded.append(model.name)
        load(model)

    monkeypatch.setattr(rig.pool, "load", noted)
    drop(rig, "slow", sidecar="prompt: a lake\nmodel: demo\n")
    drop(rig, "b", sidecar="prompt: a lake\nmodel: other\n")
    rig.until(lambda: bool(slow.asked))
    for _ in range(5):
        rig.dispatch.step(0)
    slow.go.set()
    assert {job.state for job in rig.serve()} == {JobState.DONE}
    assert loaded == ["demo", "other"]


def test_stopping_waits_for_no_picture_and_leaves_no_half_one(rig: Rig, slow: Slow) -> None:
    drop(rig, "slow", "slow2")
    rig.until(lambda: len(halves(rig)) == 2)
    rig.dispatch.stop(5)
    assert states(rig) == {"slow": JobState.QUEUED, "slow2": JobState.QUEUED}
    assert len(halves(rig)) == 1, "the reader is being handed the first one's"
    slow.go.set()
    rig.dispatch._starting._preparing._thread.shutdown()
    assert halves(rig) == []
    rig.crash()
    assert {job.state for job in rig.serve()} == {JobState.DONE}
