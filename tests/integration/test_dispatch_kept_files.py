"""A file that is kept and saved again while its job runs, with two models in use."""

from __future__ import annotations

import pytest
from in_turns import SINGLE, RigMaker, shorten, with_two_models
from rig import Rig

from img2imgd.dispatch import model_choice, publishing
from img2imgd.dispatch.running import RunningJob
from img2imgd.job import FrameState, JobState
from img2imgd.ledger import JobRow
from img2imgd.pool.messages import Assembly

FRAMES = 200


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch)


@pytest.fixture
def rig(make_rig: RigMaker) -> Rig:
    return with_two_models(make_rig, mode="keep", settle=1)


def save(rig: Rig, name: str, sidecar: str, model: str = "demo", grey: int = 200) -> JobRow:
    rig.drop(f"{name}.yaml", f"{sidecar}model: {model}\n")
    rig.picture(f"{name}.png", grey)
    rig.look(0.1, 1.1)
    return rig.jobs()[-1]


def state(rig: Rig, job: JobRow) -> JobState:
    row = rig.ledger.job(job.id)
    assert row is not None
    return row.state


@pytest.mark.parametrize(("model", "suspect"), [("other", False), ("demo", True)])
def test_nothing_gives_way_to_a_save_that_waits_for_the_one_before_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, model: str, suspect: bool
) -> None:
    held = save(rig, "cat", "prompt: a lake\nn: 2\n")
    next_assembly = publishing.next_assembly

    def refuse(job: RunningJob) -> Assembly | None:
        if job.id == held.id:
            raise PermissionError(13, "Permission denied", "staging")
        return next_assembly(job)

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "next_assembly", refuse)
        patch.setattr(model_choice, "SHORTEST_STAY", 0)  # whoever is due is so at once
        rig.until(lambda: "Permission denied" in rig.ledger.facts().get("waits_for", ""))
        newer = save(rig, "cat", SINGLE, model, grey=40)
        rig.ledger.set_suspect(newer.id, suspect)
        late = save(rig, "late", SINGLE)
        rig.until(lambda: state(rig, late) is JobState.DONE)
        assert (state(rig, held), state(rig, newer)) == (JobState.RUNNING, JobState.QUEUED)
    assert {row.state for row in rig.serve()} == {JobState.DONE}


def test_a_job_that_has_begun_is_not_replaced_by_a_newer_save(rig: Rig) -> None:
    sweep = save(rig, "cat", f"prompt: a lake\nsteps: 10\ngif: false\nsheet: false\nn: {FRAMES}\n")
    staged = FrameState.STAGED
    rig.until(lambda: staged in {frame.state for frame in rig.ledger.frames(sweep.id)})
    save(rig, "dog", SINGLE, "other")
    rig.until(lambda: state(rig, sweep) is JobState.QUEUED)
    stale = save(rig, "cat", SINGLE, grey=40)
    newest = save(rig, "cat", SINGLE, grey=80)
    assert [state(rig, job) for job in (sweep, stale, newest)] == [
        JobState.QUEUED, JobState.REPLACED, JobState.QUEUED,
    ]  # fmt: skip
    rig.serve()
    assert [state(rig, job) for job in (sweep, newest)] == [JobState.DONE, JobState.DONE]
    assert len([name for name in rig.outputs() if name.startswith("cat")]) == FRAMES + 1
