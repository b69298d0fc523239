"""Whose turn it is, with the real queue and a real worker: short jobs first, few loads."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from rig import Rig

from img2imgd.config.sections import ModelConfig
from img2imgd.dispatch import Dispatch, model_choice
from img2imgd.dispatch.turns import WINDOW
from img2imgd.engine.protocol import FrameTask, ModelSpec
from img2imgd.job import JobState
from img2imgd.outputs.orders import FrameFile
from img2imgd.pool.supervision import WorkerPool

RigMaker = Callable[..., Rig]
SWEEP = (
    "prompt: a lake\nseed: 7\nsteps: 100\ngif: false\nsheet: false\n"
    "sweep: {strength: {from: 0.01, to: 1.0, step: 0.01}}\n"
)
FRAMES = 100


class RecordingPool(WorkerPool):
    """Remembers the models that it was told to load, and the most frames that it had to paint."""

    def __init__(self, backend: str) -> None:
        super().__init__(backend)
        self.loads: list[str] = []
        self.most = 0

    def load(self, model: ModelSpec) -> None:
        self.loads.append(model.name)
        super().load(model)

    def admit(self, task: FrameTask, *files: FrameFile) -> None:
        super().admit(task, *files)
        self.most = max(self.most, len(self.unpainted))


def use(rig: Rig) -> RecordingPool:
    """Have another pool serve the rig, ended with it."""
    pool = RecordingPool("fake")
    rig._pools.append(pool)
    rig.pool = pool
    rig.dispatch = Dispatch(rig.config, rig.ledger, pool, rig.reader)
    return pool


def sweep(rig: Rig, name: str) -> None:
    rig.picture(f"{name}.png")
    rig.drop(f"{name}.yaml", SWEEP)


def ended(rig: Rig) -> list[str]:
    """The pictures whose jobs have ended, in the order of their end."""
    rows = sorted(rig.jobs(JobState.DONE), key=lambda row: row.ended_at or 0)
    return [row.spec.rel for row in rows]


def test_a_picture_behind_long_sweeps_is_served_before_them(make_rig: RigMaker) -> None:
    rig = make_rig(root="long")
    pool = use(rig)
    for number in range(40):  # more than are looked at for whoever is the oldest
        sweep(rig, f"sweep{number:02}")
    rig.claim()
    rig.until(lambda: bool(rig.ledger.frames(rig.jobs()[0].id)) and len(pool.admitted) > 30)
    assert ended(rig) == []
    rig.pair("late")
    rig.claim()
    rig.until(lambda: "late.png" in ended(rig))
    assert len(ended(rig)) <= 3
    assert pool.most <= WINDOW


def test_a_sweep_among_pictures_that_never_end_is_served(make_rig: RigMaker) -> None:
    rig = make_rig(root="short")
    use(rig)
    sweep(rig, "sweep")
    for number in range(30):
        rig.pair(f"first{number:02}")
    rig.claim()
    for number in itertools.count():
        assert number < 30, "a quarter of the worker is the sweep's"
        if "sweep.png" in ended(rig):
            break
        for more in range(10):
            rig.pair(f"p{number:02}{more}")
        rig.claim()
        have = len(ended(rig))
        rig.until(lambda have=have: len(ended(rig)) >= have + 10 or "sweep.png" in ended(rig))


def test_a_picture_that_was_read_ahead_is_kept_until_there_is_room(
    make_rig: RigMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig(root="full")
    use(rig)
    rig.pair("cat")
    rig.claim()
    starting = rig.dispatch._starting
    rig.read_ahead(1)
    (reading,) = starting._readings.values()
    with monkeypatch.context() as full:
        full.setattr(rig.dispatch._turns, "has_room", lambda _: False)
        rig.until(lambda: not starting.under_way)
        rig.dispatch.step(0.01)
        assert list(starting._readings.values()) == [reading]
    rig.serve()
    assert ended(rig) == ["cat.png"]


@pytest.fixture
def two_models(make_rig: RigMaker) -> Rig:
    source = make_rig(root="one").config.models["demo"].source
    models = {name: ModelConfig(source=source) for name in ("demo", "other")}
    return make_rig(root="models", models=models)


def alternating(rig: Rig, pictures: int) -> None:
    for number in range(pictures):
        rig.picture(f"p{number:02}.png")
        model = "demo" if number % 2 else "other"
        rig.drop(f"p{number:02}.yaml", f"prompt: a lake\nsteps: 10\nmodel: {model}\n")


def test_models_that_alternate_drop_by_drop_are_loaded_once_each(two_models: Rig) -> None:
    pool = use(two_models)
    alternating(two_models, 24)
    two_models.claim()
    two_models.serve()
    assert len(ended(two_models)) == 24
    assert pool.loads == ["other", "demo"]


def drop_for(rig: Rig, name: str, model: str, sidecar: str = "prompt: a lake\n") -> None:
    rig.picture(f"{name}.png")
    rig.drop(f"{name}.yaml", f"{sidecar}model: {model}\n")


def test_one_picture_is_not_behind_all_those_of_another_model(
    two_models: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are more of them than are looked at for whoever is the oldest."""
    monkeypatch.setattr(model_choice, "SHORTEST_STAY", 0.3)
    monkeypatch.setattr(model_choice, "STAY_PER_LOAD", 0)
    use(two_models)
    for number in range(200):
        drop_for(two_models, f"many{number:03}", "demo")
    two_models.claim()
    drop_for(two_models, "one", "other")
    two_models.claim()
    two_models.until(lambda: "one.png" in ended(two_models))
    assert len(ended(two_models)) < 150


def test_a_model_gives_way_once_another_has_waited_for_as_long_as_is_right(
    two_models: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_choice, "SHORTEST_STAY", 0.3)
    monkeypatch.setattr(model_choice, "STAY_PER_LOAD", 0)
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.005")
    pool = use(two_models)
    alternating(two_models, 200)
    two_models.claim()
    two_models.serve()
    assert len(ended(two_models)) == 200
    assert len(pool.loads) > 2
