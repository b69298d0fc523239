"""What a frame's error means: whose fault it is, in the words of an event."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence

import torch

from img2imgd.engine.devices import fault_of, first_line, is_device_lost, is_out_of_memory
from img2imgd.engine.protocol import FrameGivenBack, FrameRefused, FrameTask

log = logging.getLogger(__name__)

_traced: set[tuple[object, ...]] = set()  # errors, and where, whose traceback is in the log


def explain(
    task: FrameTask, size: tuple[int, int], error: Exception, device: torch.device
) -> FrameRefused | FrameGivenBack:
    """The event that tells of ``error``, raised while the frame alone was painted; logs it."""
    lost = error if is_device_lost(error) else fault_of(device)
    if lost is not None:
        log.error("device lost job=%s frame=%d", task.job, task.index, exc_info=error)
        reason = f"The device has failed: {first_line(lost)}."
        return FrameGivenBack(task.job, task.index, reason, engine_lost=True)
    if is_out_of_memory(error):
        log.warning(  # in words: whoever keeps an error keeps what its frames hold on the GPU
            "out of memory job=%s frame=%d size=%dx%d: %s",
            task.job, task.index, *size, first_line(error),
        )  # fmt: skip
        return FrameRefused(task.job, task.index, _too_large(size), out_of_memory=True)
    if isinstance(error, FloatingPointError):
        log.warning("not a number job=%s frame=%d: %s", task.job, task.index, error)
        reason = (
            "The picture would be black or white: the model's numbers went out of range. Set "
            "`engine.dtype` to fp32, or ask for other steps or another scheduler."
        )
        return FrameRefused(task.job, task.index, reason)
    said = f"{type(error).__name__}: {first_line(error)}"
    log.error(
        "frame not painted job=%s frame=%d: %s",
        task.job, task.index, said, exc_info=error if _is_news(error) else None,
    )  # fmt: skip
    reason = f"The model could not paint it ({said})."
    return FrameRefused(task.job, task.index, reason)


def _is_news(error: Exception) -> bool:
    """Whether nothing was raised there before: one traceback tells of a whole queue's frames."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = type(error).__name__, *((one.filename, one.lineno) for one in last)
    is_news = where not in _traced
    _traced.add(where)
    return is_news


def flagged(task: FrameTask) -> FrameRefused:
    """The event of a frame that the model's safety checker did not let pass."""
    return FrameRefused(
        task.job,
        task.index,
        "The model's safety checker flagged the result, so it is not published. "
        "Another seed, prompt or strength may pass.",
    )


def painted_with(otherwise: Sequence[str], size: tuple[int, int]) -> str:
    """The note of a frame that was painted with less memory than usual."""
    return (
        f"Memory did not hold {size[0]}×{size[1]} at once, so it was painted with "
        f"{' and '.join(otherwise)}: the picture may differ a little from one painted whole."
    )


def _too_large(size: tuple[int, int]) -> str:
    smaller = max(max(size) * 3 // 4 // 64 * 64, 64)
    return (
        f"The device's memory ran out at {size[0]}×{size[1]}. Ask for a smaller size, such as "
        f"`size: {smaller}`, or set `engine.offload` to model or sequential."
    )
