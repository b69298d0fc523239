"""What a worker has yet to do, by what it was told and has said."""

from __future__ import annotations

import pytest

from img2imgd.engine.protocol import FrameRefused, StepDone
from img2imgd.pool.messages import FrameStaged, WorkerEvent, WorkerFault
from img2imgd.pool.outstanding import Outstanding

FRAMES = {("j1", 0), ("j1", 1), ("j2", 0)}


@pytest.fixture
def outstanding() -> Outstanding:
    return Outstanding(frames=set(FRAMES))


def test_a_frame_is_painted_with_its_last_step_and_stays_until_it_is_staged(
    outstanding: Outstanding,
) -> None:
    outstanding.note(StepDone("j1", 0, 1, 2))
    assert outstanding.unpainted == FRAMES
    outstanding.note(StepDone("j1", 0, 2, 2))
    assert outstanding.unpainted == FRAMES - {("j1", 0)}
    assert outstanding.frames == FRAMES
    outstanding.note(FrameStaged("j1", 0))
    assert outstanding.frames == FRAMES - {("j1", 0)}


@pytest.mark.parametrize(
    "event", [FrameStaged("j1", 0), FrameRefused("j1", 0, "Why"), WorkerFault("j1", 0, "Why")]
)
def test_a_frame_that_is_given_again_is_painted_again(
    outstanding: Outstanding, event: WorkerEvent
) -> None:
    outstanding.note(StepDone("j1", 0, 2, 2))
    outstanding.note(event)
    outstanding.frames.add(("j1", 0))
    assert outstanding.unpainted == FRAMES


def test_a_job_that_is_given_up_has_no_painted_frames_left(outstanding: Outstanding) -> None:
    outstanding.note(StepDone("j1", 0, 2, 2))
    outstanding.give_up("j1")
    outstanding.note(StepDone("j1", 1, 2, 2))  # said before it heard of that
    assert outstanding.frames == outstanding.unpainted == {("j2", 0)}
    assert outstanding.painted == set()


def test_frames_to_paint_and_to_write_are_told_apart(outstanding: Outstanding) -> None:
    outstanding.note(StepDone("j1", 0, 2, 2))
    outstanding.note(StepDone("j2", 0, 1, 2))
    assert outstanding.in_words() == (
        "has 2 frames to paint (step 1 of 2 of frame 0 of j2 is done)"
        " and has 1 painted frames to write"
    )
