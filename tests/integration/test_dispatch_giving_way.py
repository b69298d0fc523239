"""What runs gives way to another model's turn, frame by frame, and goes on from what is staged."""

from __future__ import annotations

import shutil

import pytest
from in_turns import SINGLE, RigMaker, painted, row, shorten, state, with_two_models
from rig import Rig

from img2imgd import durable
from img2imgd.config.sections import ModelConfig
from img2imgd.dispatch import Dispatch, model_choice, publishing
from img2imgd.engine.protocol import FrameTask, ModelSpec
from img2imgd.job import JobState
from img2imgd.outputs.orders import FrameFile
from img2imgd.pool.messages import AssemblyStaged, WorkerEvent
from img2imgd.pool.supervision import WorkerPool

FRAMES = 400
SWEEP = f"prompt: a lake\nseed: 7\nsteps: 10\ngif: false\nsheet: false\nn: {FRAMES}\n"


class WatchedPool(WorkerPool):
    """Remembers each frame it was given, and each model with what the worker had by then."""

    def __init__(self) -> None:
        super().__init__("fake")
        self.given: list[tuple[str, int]] = []
        self.loads: list[str] = []
        self.beside: list[object] = []
        self.holds_assemblies = False
        self._held: list[WorkerEvent] = []

    def load(self, model: ModelSpec) -> None:
        self.loads.append(model.name)
        self.beside += [*self.admitted, *self._outstanding.assembling]
        super().load(model)

    def admit(self, task: FrameTask, *files: FrameFile) -> None:
        self.given.append((task.job, task.index))
        super().admit(task, *files)

    def _take(self, events: list[WorkerEvent]) -> bool:
        all_, self._held = [*self._held, *events], []
        if self.holds_assemblies:
            self._held = [event for event in all_ if isinstance(event, AssemblyStaged)]
        return super()._take([event for event in all_ if event not in self._held])


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch)


@pytest.fixture
def rig(make_rig: RigMaker) -> Rig:
    rig = with_two_models(make_rig)
    pool = WatchedPool()
    rig._pools.append(pool)
    rig.pool = pool
    rig.dispatch = Dispatch(rig.config, rig.ledger, pool, rig.reader)
    return rig


def pool_of(rig: Rig) -> WatchedPool:
    assert isinstance(rig.pool, WatchedPool)
    return rig.pool


def drop(rig: Rig, name: str, sidecar: str = SINGLE, model: str = "demo") -> None:
    rig.picture(f"{name}.png")
    rig.drop(f"{name}.yaml", f"{sidecar}model: {model}\n")
    rig.claim()


def test_a_sweep_gives_way_to_a_picture_of_another_model_and_goes_on_where_it_was(
    rig: Rig,
) -> None:
    pool = pool_of(rig)
    drop(rig, "sweep", SWEEP)
    rig.until(lambda: painted(rig, "sweep") > 0)
    drop(rig, "other", model="other")
    rig.until(lambda: state(rig, "other") is JobState.DONE)
    assert painted(rig, "sweep") < FRAMES / 2
    assert not row(rig, "sweep").suspect
    for name in ("one", "two", "three"):
        drop(rig, name)
    rig.until(lambda: {state(rig, name) for name in ("one", "two", "three")} == {JobState.DONE})
    assert painted(rig, "sweep") < FRAMES
    rig.serve()
    sweep = row(rig, "sweep").id
    assert sorted(index for job, index in pool.given if job == sweep) == list(range(FRAMES))
    assert len([name for name in rig.outputs() if name.startswith("sweep")]) == FRAMES
    assert pool.loads == ["demo", "other", "demo"]
    assert pool.beside == []


def test_pictures_of_the_loaded_model_go_on_while_no_other_is_due(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_choice, "SHORTEST_STAY", 1000.0)
    drop(rig, "sweep", SWEEP)
    rig.until(lambda: painted(rig, "sweep") > 0)
    drop(rig, "other", model="other")
    drop(rig, "late")
    rig.until(lambda: state(rig, "late") is JobState.DONE)
    assert state(rig, "other") is JobState.QUEUED
    assert painted(rig, "sweep") < FRAMES


def test_two_sweeps_of_two_models_take_turns_and_paint_each_frame_once(rig: Rig) -> None:
    pool = pool_of(rig)
    for model in ("demo", "other"):
        drop(rig, model, SWEEP.replace("n: 400", "n: 200"), model)
    rig.until(lambda: painted(rig, "demo") > 0 < painted(rig, "other"))
    assert JobState.DONE not in {job.state for job in rig.jobs()}
    rig.serve()
    assert len(pool.given) == len(set(pool.given)) == FRAMES
    assert {job.attempts for job in rig.jobs()} == {0}
    assert len(pool.loads) > 2


def test_an_animation_is_made_to_its_end_before_the_other_model_is_loaded(rig: Rig) -> None:
    pool = pool_of(rig)
    pool.holds_assemblies = True
    drop(rig, "cat", "prompt: a lake\nseed: 1\nsweep: {strength: [0.2, 0.4, 0.6]}\n")
    rig.until(lambda: bool(pool._held))
    drop(rig, "other", model="other")
    for _ in range(5):
        rig.dispatch.step(0.05)
    assert pool.loads == ["demo"]
    pool.holds_assemblies = False
    rig.serve()
    assert pool.loads == ["demo", "other"]
    assert pool.beside == []


def test_what_was_refused_is_not_tried_again_in_the_next_turn(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_OOM", "huge")
    pool = pool_of(rig)
    drop(rig, "sweep", SWEEP.replace("a lake", "[huge, a lake]").replace("n: 400", "n: 200"))
    rig.until(lambda: painted(rig, "sweep") > 0)
    drop(rig, "other", model="other")
    rig.serve()
    assert pool.loads == ["demo", "other", "demo"]
    assert len(pool.given) == len(set(pool.given))
    assert "could not be painted" in row(rig, "sweep").reason


def test_nothing_gives_way_to_a_job_whose_inbox_is_away(rig: Rig) -> None:
    pool = pool_of(rig)
    drop(rig, "sweep", SWEEP)
    drop(rig, "other", model="other")
    other = row(rig, "other").id
    as_of_another = "UPDATE jobs SET spec=json_set(spec, '$.spool', 'another') WHERE id=?"
    rig.ledger.sql.execute(as_of_another, (other,))
    away = (rig.spool / other).rename(rig.root / "away")
    rig.until(lambda: "another folder" in rig.ledger.facts().get("waits_for", ""))
    rig.until(lambda: painted(rig, "sweep") > FRAMES / 2)
    assert pool.loads == ["demo"]
    away.rename(rig.spool / other)
    rig.until(lambda: state(rig, "other") is JobState.DONE)
    rig.serve()
    assert len(pool.given) == len(set(pool.given))


def test_nothing_gives_way_to_a_job_whose_files_somebody_took(rig: Rig) -> None:
    pool = pool_of(rig)
    drop(rig, "sweep", SWEEP)
    drop(rig, "other", model="other")
    shutil.rmtree(rig.spool / row(rig, "other").id)
    rig.until(lambda: state(rig, "other") is JobState.FAILED)
    assert "no longer in" in row(rig, "other").reason
    assert painted(rig, "sweep") < FRAMES
    assert pool.loads == ["demo"]
    rig.serve()


def test_a_model_that_cannot_be_loaded_keeps_no_sweep_from_its_end(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_POISON", "other")
    pool = pool_of(rig)
    drop(rig, "sweep", SWEEP.replace("n: 400", "n: 200"))
    drop(rig, "never", model="other")
    rig.until(lambda: state(rig, "sweep") is JobState.DONE)
    assert "Model other: the worker died loading it" in rig.ledger.facts()["waits_for"]
    assert len(pool.given) == len(set(pool.given)) == FRAMES / 2
    assert not row(rig, "sweep").suspect
    assert (state(rig, "never"), row(rig, "never").attempts) == (JobState.QUEUED, 0)


@pytest.mark.parametrize("source", ["/nowhere", None])
def test_the_choice_of_models_is_told_of_a_load_that_failed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, source: str | None
) -> None:
    failed: list[str] = []
    tell = model_choice.ModelChoice.failed

    def noted(choice: model_choice.ModelChoice, model: str, seconds: float, now: float) -> None:
        assert seconds > 0
        failed.append(model)
        tell(choice, model, seconds, now)

    monkeypatch.setattr(model_choice.ModelChoice, "failed", noted)
    if source is None:
        monkeypatch.setenv("IMG2IMGD_FAKE_POISON", "other")
    else:
        rig.config.models["other"] = ModelConfig(source=source)
    drop(rig, "never", model="other")
    rig.until(lambda: failed == ["other", "other"])
    assert pool_of(rig).loads == failed


def test_a_painted_job_that_the_disk_holds_up_keeps_no_model_loaded(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied", "staging")

    drop(rig, "held", "prompt: a lake\nn: 2\n")
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "next_assembly", refuse)
        rig.until(lambda: "Permission denied" in rig.ledger.facts().get("waits_for", ""))
        drop(rig, "other", model="other")
        rig.until(lambda: painted(rig, "other") == 1)
        assert state(rig, "held") is JobState.RUNNING
    rig.serve()


def test_a_job_that_is_to_be_painted_again_has_its_model_loaded_first(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its frames were removed while it could not be published, and the worker had gone."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "outbox")

    drop(rig, "cat")
    with monkeypatch.context() as patch:
        patch.setattr(durable, "rename_new", refuse)
        rig.until(lambda: any(job.assembled for job in rig.dispatch._running.values()))
        rig.until(lambda: "Permission denied" in rig.ledger.facts().get("waits_for", ""))
    rig.pool.stop(5)
    shutil.rmtree(rig.config.outbox / ".img2imgd" / row(rig, "cat").id)
    rig.serve()
    assert state(rig, "cat") is JobState.DONE
    assert len(rig.outputs()) == 1
