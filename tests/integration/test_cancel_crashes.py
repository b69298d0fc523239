"""A crash at any durable call while a sweep is cancelled: what is painted is published once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from crashing import crashes_at
from in_turns import RigMaker, painted, row, shorten

from img2imgd.job import FrameState, JobState
from img2imgd.pool.supervision import WorkerPool

FRAMES = 8
SWEEP = f"""\
prompt: a lake
seed: 7
steps: 10
strength: 1
sweep: {{guidance_scale: {{from: 1, to: {FRAMES}, step: 1}}}}
"""


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerPool]:
    """One slow worker for all the rigs."""
    shorten(monkeypatch)
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.01")
    pool = WorkerPool("fake")
    yield pool
    pool.stop(2)


@pytest.mark.parametrize("queued", [False, True], ids=["running", "stopped-before"])
def test_a_crash_anywhere_while_a_sweep_is_cancelled_keeps_its_frames_and_paints_no_more(
    make_rig: RigMaker, worker: WorkerPool, queued: bool
) -> None:
    for at in itertools.count(1, 2):
        rig = make_rig(root=f"crash {at}", shared=worker)
        rig.picture("sub/cat.png")
        rig.drop("sub/cat.yaml", SWEEP)
        rig.claim()
        rig.until(lambda rig=rig: painted(rig, "sub/cat") >= 2)
        if queued:
            rig.dispatch.stop(2)
            rig.crash()
        job = row(rig, "sub/cat").id
        rig.ledger.give_order("cancel", job)
        crashed = crashes_at(rig, at)
        assert rig.inputs() == ["cat.png", "cat.yaml"], at
        rig.serve()
        rig.until(lambda rig=rig: not rig.ledger.orders("cancel"))
        done = row(rig, "sub/cat")
        kept = [f for f in rig.ledger.frames(job) if f.state is FrameState.PUBLISHED]
        assert done.state is JobState.CANCELLED, at
        assert (done.attempts, 2 <= len(kept) < FRAMES) == (0, True), at
        names = {name.rpartition("/")[2] for name in rig.outputs()}
        assert {frame.name for frame in kept} <= names, at
        assert len(names) == len(kept) + 2, (at, names)
        failed = ["sub/cat.png", "sub/cat.png.reason.txt", "sub/cat.yaml"]
        assert rig.tree(rig.config.failed) == failed, at
        assert not list((rig.config.outbox / ".img2imgd").iterdir()), at
        rig.close()
        if not crashed:
            break
    assert at > 10
