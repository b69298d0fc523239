"""A crash at any durable call while a newer save takes the place of what is painted."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from crashing import crashes_at
from in_turns import shorten
from rig import Rig

from img2imgd.job import JobState
from img2imgd.pool.supervision import WorkerPool
from img2imgd.request import RequestKeys

RigMaker = Callable[..., Rig]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerPool]:
    """One slow worker for all the rigs."""
    shorten(monkeypatch)
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.01")
    pool = WorkerPool("fake")
    yield pool
    pool.stop(2)


def test_a_crash_anywhere_leaves_the_newest_save_painted_and_its_result_the_latest(
    make_rig: RigMaker, worker: WorkerPool
) -> None:
    for at in itertools.count(1, 3):
        rig = make_rig(
            root=f"crash {at}", shared=worker, mode="keep", settle=1, live=True, latest=True,
            defaults=RequestKeys(prompt="a lake", steps=20, strength=1),
        )  # fmt: skip
        for grey in (200, 100):
            rig.picture("cat.png", grey)
            rig.look(0.1, 1.1)
            if grey == 200:
                rig.until(
                    lambda rig=rig: any(j.steps_taken for j in rig.dispatch._running.values())
                )
        crashed = crashes_at(rig, at)
        rig.serve()
        first, newest = rig.jobs()
        assert newest.state is JobState.DONE, at
        assert first.state in (JobState.REPLACED, JobState.DONE), at
        latest = (rig.config.outbox / "cat.latest.png").read_bytes()
        assert latest == (rig.config.outbox / newest.published).read_bytes(), at
        painted = [job for job in (first, newest) if job.state is JobState.DONE]
        assert rig.outputs() == sorted(["cat.latest.png", *(job.published for job in painted)]), at
        assert not list((rig.config.outbox / ".img2imgd").iterdir()), at
        rig.close()
        if not crashed:
            break
    assert at > 10
