"""A crash before any step of serving: outputs appear once, inputs are archived once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from crashing import crash_at
from rig import Crash, Rig

from img2imgd.job import JobState
from img2imgd.pool.supervision import WorkerPool

RigMaker = Callable[..., Rig]


@pytest.fixture(scope="module")
def shared() -> Iterator[WorkerPool]:
    """One worker for all the crashes: its model stays loaded."""
    pool = WorkerPool("fake")
    yield pool
    pool.stop(5)


def drop_one(rig: Rig) -> list[str]:
    rig.picture("sub/cat.png")
    rig.drop("sub/cat.yaml")
    return ["sub/cat_a-lake_00_7.png"]


def drop_several(rig: Rig) -> list[str]:
    rig.picture("cat.png")
    rig.drop("cat.yaml", "prompt: a lake\nseed: 7\nn: 2\nsteps: 2\nstrength: 1\n")
    names = ("cat_a-lake_00_7.png", "cat_a-lake_01_8.png", "cat_a-lake_sheet.png")
    return [f"cat_a-lake_7/{name}" for name in names]


def drop_shared(rig: Rig) -> list[str]:
    rig.picture("cat.png")
    rig.drop("cat.jpg", b"no picture")
    rig.drop("cat.yaml")
    return ["cat_a-lake_00_7~2.png"]  # the job that fails has the name before it


@pytest.mark.parametrize(("drop", "stride"), [(drop_one, 1), (drop_several, 2), (drop_shared, 2)])
@pytest.mark.parametrize("lost", [False, True], ids=["ledger-kept", "ledger-lost"])
def test_a_crash_anywhere_publishes_and_archives_once(
    make_rig: RigMaker,
    shared: WorkerPool,
    drop: Callable[[Rig], list[str]],
    stride: int,
    lost: bool,
) -> None:
    at = 0
    crashed = True
    while crashed:
        at += stride
        rig = make_rig(root=f"crash {at}", shared=shared)
        outputs = drop(rig)
        inputs = rig.inputs()
        rig.claim()
        crashed = False
        with crash_at(at) as countdown:
            try:
                rig.serve()
            except Crash:
                crashed = True
        where = f"{at}: before {countdown.last}"
        rig.lose_ledger() if lost else rig.crash()
        rig.look()
        rig.serve()
        assert [name for name in rig.outputs() if name.endswith(".png")] == outputs, where
        ended = {job.spec.rel: job.state for job in rig.jobs()}  # a new ledger knows none archived
        assert ended.pop("cat.jpg", JobState.FAILED) is JobState.FAILED, where
        assert set(ended.values()) == {JobState.DONE} or lost, where
        archived = [*rig.tree(rig.config.done), *rig.tree(rig.config.failed)]
        names = [name.rpartition("/")[2] for name in archived]
        kept = {"cat.jpg.reason.txt", "cat.jpg.yaml"}
        assert sorted(name for name in names if name not in kept) == inputs, where
        assert [path.name for path in rig.spool.iterdir() if path.is_dir()] == [], where
        assert list((rig.config.outbox / ".img2imgd").iterdir()) == [], where
        rig.close()
    assert at > 15, "serving has more steps than that: were they counted?"


@pytest.mark.parametrize("lost", [False, True], ids=["ledger-kept", "ledger-lost"])
def test_an_output_that_the_user_took_away_is_not_made_again(
    make_rig: RigMaker, shared: WorkerPool, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    from img2imgd.ledger import Ledger

    rig = make_rig(shared=shared)
    (name,) = drop_one(rig)
    rig.claim()

    def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "set_published", crash)
        with pytest.raises(Crash):
            rig.serve()
    (rig.config.outbox / name).rename(rig.root / "mine.png")
    rig.lose_ledger() if lost else rig.crash()
    rig.look()
    (job,) = rig.serve()
    assert (job.state, job.published) == (JobState.DONE, name)
    assert rig.outputs() == []
