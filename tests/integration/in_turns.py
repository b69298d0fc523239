"""What tests share in which jobs take turns: short stays and pauses, two models, jobs by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rig import Rig

from img2imgd.config.sections import ModelConfig
from img2imgd.dispatch import faults, model_choice
from img2imgd.job import FrameState, JobState
from img2imgd.ledger import JobRow

RigMaker = Callable[..., Rig]
SINGLE = "prompt: a lake\nsteps: 2\nstrength: 1\n"


def shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short stays and pauses; frames of a sweep that take some milliseconds."""
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.002")
    monkeypatch.setattr(model_choice, "SHORTEST_STAY", 0.3)
    monkeypatch.setattr(model_choice, "STAY_PER_LOAD", 0)
    monkeypatch.setattr(faults, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(faults, "_LONGEST_PAUSE", 0.2)


def with_two_models(make_rig: RigMaker, **options: Any) -> Rig:
    """A rig with the models demo and other."""
    source = make_rig(root="one").config.models["demo"].source
    models = {name: ModelConfig(source=source) for name in ("demo", "other")}
    return make_rig(root="models", models=models, **options)


def row(rig: Rig, name: str) -> JobRow:
    """The job of that picture."""
    (found,) = [job for job in rig.jobs() if job.spec.rel == f"{name}.png"]
    return found


def state(rig: Rig, name: str) -> JobState:
    """Its state."""
    return row(rig, name).state


def painted(rig: Rig, name: str) -> int:
    """How many of its frames are painted."""
    there = {FrameState.STAGED, FrameState.PUBLISHED}
    return sum(frame.state in there for frame in rig.ledger.frames(row(rig, name).id))
