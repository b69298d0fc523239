"""Pictures that take long to read: what was painted meanwhile does not wait for all of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rig import Rig

from img2imgd.dispatch import dispatch
from img2imgd.job import JobState


def test_a_step_reads_no_further_picture_once_reading_has_taken_long(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.picture("first.png")
    rig.drop("first.yaml")
    rig.claim()
    rig.serve()  # the model is loaded now
    for name in "abc":
        rig.picture(f"{name}.png")
        rig.drop(f"{name}.yaml")
    rig.claim()
    read = 0
    original: Callable[..., object] = rig.reader.prepare

    def prepare(*arguments: object) -> object:
        nonlocal read
        read += 1
        return original(*arguments)

    monkeypatch.setattr(rig.reader, "prepare", prepare)
    monkeypatch.setattr(dispatch, "PATIENCE", 0.0)
    for step in (1, 2, 3):
        rig.dispatch.step(0)
        assert read == step
    assert {job.state for job in rig.serve()} == {JobState.DONE}
