"""What is logged of frames that the model could not paint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from img2imgd.engine.frame_faults import explain
from img2imgd.engine.protocol import FrameRefused, FrameTask


def refuse(index: int, error: Exception) -> FrameRefused:
    task = FrameTask("j1", index, Path("in.png"), "a lake", "", 1, 1.0, 5.0, 2, 2)
    event = explain(task, (64, 64), error, torch.device("cpu"))
    assert isinstance(event, FrameRefused)
    return event


def raised(index: int, *, elsewhere: bool = False) -> Exception:
    try:
        if elsewhere:
            raise OverflowError("int too big")
        raise OverflowError(f"int {index} too big")
    except OverflowError as error:
        return error


def test_every_frame_has_a_line_and_every_kind_of_error_one_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = [refuse(index, raised(index)) for index in range(3)]
    events.append(refuse(3, raised(3, elsewhere=True)))
    assert events[1].reason == "The model could not paint it (OverflowError: int 1 too big)."
    assert [(record.getMessage(), bool(record.exc_info)) for record in caplog.records] == [
        ("frame not painted job=j1 frame=0: OverflowError: int 0 too big", True),
        ("frame not painted job=j1 frame=1: OverflowError: int 1 too big", False),
        ("frame not painted job=j1 frame=2: OverflowError: int 2 too big", False),
        ("frame not painted job=j1 frame=3: OverflowError: int too big", True),
    ]
