"""Whose fault an error is that frames of one UNet call met, and what is done next."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from enum import Enum, auto

import torch

from img2imgd.engine.devices import fault_of, first_line, is_device_lost, is_out_of_memory
from img2imgd.engine.frame_faults import explain, flagged
from img2imgd.engine.protocol import FrameGivenBack, FrameRefused
from img2imgd.engine.schedulers import UnfitScheduler
from img2imgd.engine.sparingly import Sparingly
from img2imgd.engine.stepping.admitted import Admitted
from img2imgd.engine.stepping.capping import Capping
from img2imgd.engine.stepping.decoding import Flagged
from img2imgd.engine.stepping.prompts import BadPrompt

log = logging.getLogger(__name__)


class Again(Enum):
    """What is done after a failure that refuses no frame."""

    LATER = auto()  # with less memory, or in a smaller batch
    APART = auto()  # one frame a call, to find the one to blame


Verdict = FrameRefused | FrameGivenBack | Again


class Judge:
    """Learns from memory that runs out: ``sparingly`` and ``capping`` are told."""

    def __init__(self, device: torch.device, sparingly: Sparingly, capping: Capping) -> None:
        self._device = device
        self._sparingly = sparingly
        self._capping = capping

    def verdict(self, batch: Sequence[Admitted], error: Exception) -> Verdict:
        """The end of a frame that was alone with the error, or how to go on."""
        task, size = batch[0].task, batch[0].picture.size
        if isinstance(error, UnfitScheduler | BadPrompt):
            return FrameRefused(task.job, task.index, str(error))
        if isinstance(error, Flagged):
            return flagged(task)
        if is_device_lost(error) or fault_of(self._device) is not None:
            return explain(task, size, error, self._device)
        if is_out_of_memory(error) and (len(batch) > 1 or size not in self._sparingly):
            log.warning(  # in words: whoever keeps an error keeps what its frames hold on the GPU
                "out of memory frames=%d size=%dx%d, trying with less: %s",
                len(batch), *size, first_line(error),
            )  # fmt: skip
            if len(batch) == 1:
                self._sparingly.add(size)
            else:
                self._capping.out_of_memory(batch[0].shape, sum(one.started.rows for one in batch))
            return Again.LATER
        return Again.APART if len(batch) > 1 else explain(task, size, error, self._device)


def is_for_memory(verdict: Verdict) -> bool:
    """Whether memory ran out, so that what can be freed should be."""
    refused = isinstance(verdict, FrameRefused) and verdict.out_of_memory
    return refused or verdict is Again.LATER
