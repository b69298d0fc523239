"""Paints frames by UNet calls that many of them share: step-level continuous batching.

A frame joins between two calls and leaves after its last; each is at a timestep of its own. Orca
(Yu et al., OSDI 2022) schedules language models so, by iterations instead of requests.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray

from img2imgd.engine.devices import (
    fault_of,
    first_line,
    free_memory,
    is_device_lost,
    is_out_of_memory,
)
from img2imgd.engine.frame_faults import explain, flagged
from img2imgd.engine.policy import BatchPolicy, Candidate
from img2imgd.engine.protocol import (
    EngineEvent,
    FrameGivenBack,
    FramePainted,
    FrameRefused,
    FrameTask,
)
from img2imgd.engine.schedulers import Schedulers, UnfitScheduler
from img2imgd.engine.sparingly import Sparingly
from img2imgd.engine.stepping.capping import Capping, Size
from img2imgd.engine.stepping.conditions import Conditions, conditions_of, is_guided
from img2imgd.engine.stepping.decoding import Flagged, decode
from img2imgd.engine.stepping.frame import SteppedFrame
from img2imgd.engine.stepping.images import Images
from img2imgd.engine.stepping.lanes import Lanes
from img2imgd.engine.stepping.latents import LatentScale
from img2imgd.engine.stepping.pictures import Opened, Picture, Pictures
from img2imgd.engine.stepping.texts import Texts

log = logging.getLogger(__name__)

Report = Callable[[EngineEvent], None]
T = TypeVar("T")


class _Again(Enum):
    """What is done after a failure that refuses no frame."""

    LATER = auto()  # with less memory, or in a smaller batch
    APART = auto()  # one frame a call, to find the one to blame


@dataclass(eq=False)
class _Admitted:
    """A frame with its picture, which is being read, and how far it has come."""

    task: FrameTask
    opened: Future[Opened]
    frame: SteppedFrame | None = None

    @property
    def picture(self) -> Picture:
        """The picture; of a frame whose picture has been read."""
        return cast("Picture", self.opened.result())

    @property
    def key(self) -> Hashable:
        """Frames with the same key can share a UNet call."""
        return self.picture.size

    @property
    def started(self) -> SteppedFrame:
        """The frame; of one that has been started."""
        return cast("SteppedFrame", self.frame)

    @property
    def calls_left(self) -> int:
        """UNet calls that are left; about that, before it is started."""
        return self.task.effective_steps if self.frame is None else self.frame.calls_left


class Stepper:
    """The engine for pipelines with a ``UNet2DConditionModel``.

    Alone in its calls, a frame's picture is what the pipeline itself makes of the same seed, bit
    for bit; among others it differs as much as a sum does whose parts are added in another order.
    With ``phased``, parts of the model that share a GPU in turns are used one after the other:
    frames that come while others are painted wait until those are decoded. ``lanes`` is how many
    parts of a call run side by side at most.
    """

    def __init__(
        self,
        pipe: Any,
        device: torch.device,
        capping: Capping | None = None,
        *,
        phased: bool = False,
        lanes: int = 1,
    ) -> None:
        self._pipe = pipe
        self._device = device
        self._capping = capping or Capping(device)
        self._phased = phased
        self._lanes = Lanes(lanes)
        self._schedulers = Schedulers(pipe.scheduler)
        self._scale = LatentScale(pipe, device)
        self._texts = Texts(pipe)
        self._images = Images(pipe, self._scale)
        self._pictures = Pictures()
        self._sparingly = Sparingly(pipe)
        self._policy = BatchPolicy()
        self._admitted: list[_Admitted] = []

    def admit(self, task: FrameTask) -> None:
        """Take a frame; its picture is read meanwhile."""
        self._admitted.append(_Admitted(task, self._pictures.open(task)))

    def cancel(self, job: str) -> None:
        """Forget the job's frames."""
        self._admitted = [one for one in self._admitted if one.task.job != job]

    def idle(self) -> bool:
        """True when no frame is left."""
        return not self._admitted

    def step(self, report: Report) -> None:
        """Run one UNet call, and finish the frames for which it was the last."""
        if not self._admitted:
            return
        with torch.inference_mode():
            self._refuse_unreadable(report)
            if self._phased:
                self._start_phase(report)
            batch = [one for one in self._next_batch() if self._start(one, report)]
            if batch:
                self._run(batch, report)
            if not self._phased:
                self._start_ahead(report)
            if not self._phased or not self._under_way():
                self._finish(report)

    def _refuse_unreadable(self, report: Report) -> None:
        if self._admitted:
            self._admitted[0].opened.result()  # something to do
        for one in self._read():
            event = one.opened.result()
            if not isinstance(event, Picture) and self._drop(one):
                report(event)

    def _read(self) -> list[_Admitted]:
        """The frames whose picture has been read, or found not to be one."""
        return [one for one in self._admitted if one.opened.done()]

    def _next_batch(self) -> list[_Admitted]:
        ready = [one for one in self._read() if one.frame is None or not one.frame.finished]
        if self._phased:
            ready = [one for one in ready if one.frame is not None]
        by_id = {(one.task.job, one.task.index): one for one in ready}
        candidates = [
            Candidate(
                frame=frame,
                key=one.key,
                rows=2 if is_guided(self._pipe.unet, one.task) else 1,
                passes=one.calls_left,
                job_frames=one.task.job_frames,
            )
            for frame, one in by_id.items()
        ]
        return [by_id[frame] for frame in self._policy.choose(candidates, self._most_rows)]

    def _most_rows(self, key: Hashable) -> int:
        return 1 if key in self._sparingly else self._capping.most_rows(cast("Size", key))

    def _start_ahead(self, report: Report) -> None:
        """Start the next frame already: a GPU is still busy with the call that it was given."""
        waiting = [one for one in self._read() if one.frame is None]
        if waiting:
            self._start(min(waiting, key=lambda one: one.task.job_frames), report)

    def _start_phase(self, report: Report) -> None:
        """Start all frames there are, once those before are decoded: texts first, then pictures."""
        if self._under_way():
            return
        for one in self._read():
            self._attempt([one], lambda one=one: self._conditions(one), report)
        for one in self._read():
            self._start(one, report)

    def _under_way(self) -> bool:
        return any(one.frame is not None and not one.frame.finished for one in self._admitted)

    def _start(self, one: _Admitted, report: Report) -> bool:
        """Encode a frame's texts and picture; False if it cannot take part in a call now."""
        if one.frame is None:
            one.frame = self._attempt([one], lambda: self._begin(one), report)
        return one.frame is not None

    def _begin(self, one: _Admitted) -> SteppedFrame:
        task, picture = one.task, one.picture
        scheduler = self._schedulers.take(task.scheduler, task.steps)
        generator = torch.Generator("cpu").manual_seed(task.seed)
        conditions = self._conditions(one)
        latents = self._images.latents(picture, generator)
        return SteppedFrame.begin(task, conditions, scheduler, latents, generator)

    def _conditions(self, one: _Admitted) -> Conditions:
        size = one.picture.size
        return conditions_of(self._pipe, self._texts, one.task, size, self._device)

    def _run(self, batch: Sequence[_Admitted], report: Report) -> None:
        """One UNet call, and the step of each frame that it leads to."""
        frames = [one.started for one in batch]
        predicted = self._attempt(
            batch, lambda: self._predict(batch[0].picture.size, frames), report
        )
        for one, frame, prediction in zip(batch, frames, predicted or (), strict=False):
            self._advance(one, frame, prediction, report)

    def _predict(self, size: Size, frames: Sequence[SteppedFrame]) -> list[torch.Tensor]:
        with self._capping.watching(size, sum(frame.rows for frame in frames)):
            return self._lanes.predict(self._pipe.unet, frames)

    def _advance(
        self, one: _Admitted, frame: SteppedFrame, predicted: torch.Tensor, report: Report
    ) -> None:
        if one not in self._admitted:
            return  # given up while others of its batch reported
        before = frame.done
        self._attempt([one], lambda: frame.advance(predicted), report)
        if frame.done > before:
            report(frame.progress)
        else:
            one.frame = None  # its scheduler may stand between two steps

    def _finish(self, report: Report) -> None:
        """Decode the frames that are through."""
        through = [one for one in self._admitted if one.frame is not None and one.frame.finished]
        for one in through:
            if one not in self._admitted:
                continue  # given up while others were reported
            pixels = self._attempt([one], lambda one=one: self._decode(one.started), report)
            if pixels is not None and self._drop(one):
                height, width = pixels.shape[:2]
                note = self._sparingly.note(one.picture.size)
                task = one.task
                report(FramePainted(task.job, task.index, width, height, pixels.tobytes(), note))

    def _decode(self, frame: SteppedFrame) -> NDArray[np.uint8]:
        return decode(self._pipe, self._scale, frame.latents)

    def _attempt(
        self, batch: Sequence[_Admitted], act: Callable[[], T], report: Report
    ) -> T | None:
        """The edge around frames: what goes wrong for them refuses no others. None if it did."""
        try:
            with self._sparingly.painting(batch[0].picture.size):
                return act()
        except Exception as error:  # noqa: BLE001 - _judge logs it
            verdict = self._judge(batch, error)
        # Only here, out of the except clause, have the frames of the failed call let go of tensors.
        if verdict is _Again.LATER or _is_refused_by_memory(verdict):
            self._pipe.maybe_free_model_hooks()
            free_memory()
        if verdict is _Again.APART:
            for one in batch:
                self._run([one], report)
        elif not isinstance(verdict, _Again) and self._drop(batch[0]):
            report(verdict)
        return None

    def _judge(
        self, batch: Sequence[_Admitted], error: Exception
    ) -> FrameRefused | FrameGivenBack | _Again:
        task, size = batch[0].task, batch[0].picture.size
        if isinstance(error, UnfitScheduler):
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
                self._capping.out_of_memory(size, sum(one.started.rows for one in batch))
            return _Again.LATER
        return _Again.APART if len(batch) > 1 else explain(task, size, error, self._device)

    def _drop(self, one: _Admitted) -> bool:
        """Forget a frame that is over; False if it has been given up already."""
        if one not in self._admitted:
            return False
        self._admitted.remove(one)
        return True


def _is_refused_by_memory(verdict: object) -> bool:
    return isinstance(verdict, FrameRefused) and verdict.out_of_memory
