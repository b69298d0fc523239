"""Paints frames by UNet calls that many of them share: step-level continuous batching.

A frame joins between two calls and leaves after its last; each is at a timestep of its own. Orca
(Yu et al., OSDI 2022) schedules language models so, by iterations instead of requests.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, cast

import torch

from img2imgd.engine.devices import free_memory
from img2imgd.engine.policy import BatchPolicy, Candidate
from img2imgd.engine.protocol import (
    EngineEvent,
    FramePainted,
    FrameTask,
    Glimpse,
)
from img2imgd.engine.schedulers import Schedulers
from img2imgd.engine.sparingly import Sparingly
from img2imgd.engine.stepping.admitted import Admitted
from img2imgd.engine.stepping.batch import Batch
from img2imgd.engine.stepping.capping import Capping, Shape
from img2imgd.engine.stepping.conditions import (
    Conditions,
    chunks_of,
    conditions_of,
    is_guided,
    left_out,
)
from img2imgd.engine.stepping.decoding import Decoder
from img2imgd.engine.stepping.frame import SteppedFrame
from img2imgd.engine.stepping.glimpses import Glimpses
from img2imgd.engine.stepping.images import Images
from img2imgd.engine.stepping.judge import Again, Judge, is_for_memory
from img2imgd.engine.stepping.lanes import Lanes
from img2imgd.engine.stepping.latents import LatentScale
from img2imgd.engine.stepping.pictures import Picture, Pictures
from img2imgd.engine.stepping.texts import Texts

log = logging.getLogger(__name__)

PHASE = 32
"""Frames at most that take turns with the parts of an offloaded model; others wait so long."""

Report = Callable[[EngineEvent], None]
T = TypeVar("T")


class Stepper:
    """The engine for pipelines with a ``UNet2DConditionModel``.

    Alone in its calls, a frame's picture is what the pipeline itself makes of the same seed, bit
    for bit; among others it differs as much as a sum does whose parts are added in another order.
    With ``phased``, parts of the model that share a GPU in turns are used one after the other:
    frames that come while others are painted wait until those are decoded. ``offloaded`` is a model
    of which not all parts are on their device. ``lanes`` is how many
    parts of the work run side by side at most.
    """

    def __init__(
        self,
        pipe: Any,
        device: torch.device,
        capping: Capping | None = None,
        *,
        phased: bool = False,
        offloaded: bool = False,
        lanes: int = 1,
        compiled: bool = False,
    ) -> None:
        self._pipe = pipe
        self._device = device
        self._capping = capping or Capping(device)
        self._phased = phased
        self._batch = Batch(pipe.unet, compiled=compiled)
        self._lanes = Lanes(lanes)
        self._schedulers = Schedulers(pipe.scheduler)
        self._scale = LatentScale(pipe, device)
        self._texts = Texts(pipe)
        self._images = Images(pipe, self._scale)
        self._decoder = Decoder(pipe, self._scale, self._lanes)
        self._glimpses = Glimpses(pipe, self._scale, offloaded=offloaded)
        self._pictures = Pictures()
        self._sparingly = Sparingly(pipe)
        self._judge = Judge(device, self._sparingly, self._capping)
        self._policy = BatchPolicy()
        self._admitted: list[Admitted] = []

    def admit(self, task: FrameTask) -> None:
        """Take a frame; its picture is read meanwhile."""
        self._admitted.append(Admitted(task, self._pictures.open(task)))

    def cancel(self, job: str) -> None:
        """Forget the job's frames."""
        self._admitted = [one for one in self._admitted if one.task.job != job]

    def idle(self) -> bool:
        """True when no frame is left."""
        return not self._admitted

    def glimpse(self, job: str) -> Glimpse | None:
        """What the job's frame that is nearest to its end looks like so far."""
        with torch.inference_mode():
            return self._glimpses.of(self._admitted, job)

    def step(self, report: Report) -> None:
        """Run one UNet call, and finish the frames for which it was the last."""
        if not self._admitted:
            return
        with torch.inference_mode():
            self._look_at_new(report)
            if self._phased:
                self._start_phase(report)
            batch = [one for one in self._next_batch() if self._start(one, report)]
            if batch:
                self._run(batch, report)
            if not self._phased:
                self._start_ahead(report)
            if not self._phased or not self._under_way():
                self._finish(report)

    def _look_at_new(self, report: Report) -> None:
        """Read the texts of frames whose picture is there; refuse those that cannot be read."""
        self._admitted[0].opened.result()  # something to do
        new = [one for one in self._admitted if one.chunks is None and one.opened.done()]
        for one in new:
            event = one.opened.result()
            if isinstance(event, Picture):
                task = one.task
                one.chunks = self._attempt(
                    [one], lambda task=task: chunks_of(self._pipe, self._texts, task), report
                )
            elif self._drop(one):  # the event may be of a frame that has the same picture
                report(replace(event, job=one.task.job, index=one.task.index))

    def _read(self) -> list[Admitted]:
        """The frames whose picture and texts have been read."""
        return [one for one in self._admitted if one.chunks is not None]

    def _next_batch(self) -> list[Admitted]:
        ready = [one for one in self._read() if one.frame is None or not one.frame.finished]
        if self._phased:
            ready = [one for one in ready if one.frame is not None]
        by_id = {(one.task.job, one.task.index): one for one in ready}
        candidates = [
            Candidate(
                frame=frame,
                key=one.shape,
                rows=2 if is_guided(self._pipe.unet, one.task) else 1,
                passes=one.calls_left,
                job_frames=one.task.job_frames,
            )
            for frame, one in by_id.items()
        ]
        chosen = self._policy.choose(candidates, self._most_rows, self._brisk_rows)
        return [by_id[frame] for frame in chosen]

    def _most_rows(self, key: Hashable) -> int:
        shape = cast("Shape", key)
        return 1 if shape.size in self._sparingly else self._capping.most_rows(shape)

    def _brisk_rows(self, key: Hashable) -> int:
        shape = cast("Shape", key)
        return 1 if shape.size in self._sparingly else self._capping.brisk_rows(shape)

    def _start_ahead(self, report: Report) -> None:
        """Start one frame already: a GPU is still busy with the call that it was given."""
        waiting = [one for one in self._read() if one.frame is None]
        if waiting and all(one.frame is None or one.frame.done for one in self._admitted):
            self._start(min(waiting, key=lambda one: one.task.job_frames), report)

    def _start_phase(self, report: Report) -> None:
        """Start frames, once those before are decoded: first all texts, then all pictures."""
        if self._under_way():
            return
        next_ones = sorted(self._read(), key=lambda one: one.task.job_frames)[:PHASE]
        for one in next_ones:
            self._attempt([one], lambda one=one: self._conditions(one), report)
        for one in next_ones:
            if one in self._admitted:
                self._start(one, report)

    def _under_way(self) -> bool:
        return any(one.frame is not None and not one.frame.finished for one in self._admitted)

    def _start(self, one: Admitted, report: Report) -> bool:
        """Encode a frame's texts and picture; False if it cannot take part in a call now."""
        if one.frame is None:
            one.frame = self._attempt([one], lambda: self._begin(one), report)
        return one.frame is not None

    def _begin(self, one: Admitted) -> SteppedFrame:
        task, picture = one.task, one.picture
        scheduler = self._schedulers.take(task.scheduler, task.steps)
        generator = torch.Generator("cpu").manual_seed(task.seed)
        conditions = self._conditions(one)
        latents = self._images.latents(picture, generator)
        return SteppedFrame.begin(task, conditions, scheduler, latents, generator, self._device)

    def _conditions(self, one: Admitted) -> Conditions:
        size = one.picture.size
        return conditions_of(self._pipe, self._texts, one.task, size, self._device)

    def _run(self, batch: Sequence[Admitted], report: Report) -> None:
        """One UNet call, and the step of each frame that it leads to."""
        frames = [one.started for one in batch]
        predicted = self._attempt(batch, lambda: self._predict(batch[0].shape, frames), report)
        for one, frame, prediction in zip(batch, frames, predicted or (), strict=False):
            self._advance(one, frame, prediction, len(frames), report)

    def _predict(self, shape: Shape, frames: Sequence[SteppedFrame]) -> list[torch.Tensor]:
        with self._capping.watching(shape, sum(frame.rows for frame in frames)):
            return self._lanes.together(self._batch.predict, frames)

    def _advance(
        self,
        one: Admitted,
        frame: SteppedFrame,
        predicted: torch.Tensor,
        together: int,
        report: Report,
    ) -> None:
        if one not in self._admitted:
            return  # given up while others of its batch reported
        before = frame.done
        self._attempt([one], lambda: frame.advance(predicted), report)
        if frame.done > before:
            report(replace(frame.progress, together=together))
        else:
            one.frame = None  # its scheduler may stand between two steps

    def _finish(self, report: Report) -> None:
        """Decode the frames that are through, short jobs first, as many at once as have lanes."""
        through = [one for one in self._admitted if one.frame is not None and one.frame.finished]
        if len(through) < self._lanes.number(2) and self._others_follow(through):
            return
        through.sort(key=lambda one: one.task.job_frames)
        lanes = max(1, self._lanes.number(len(through)))
        for place in range(0, len(through), lanes):
            self._decode(through[place : place + lanes], report)

    def _others_follow(self, through: Sequence[Admitted]) -> bool:
        """Whether there will be further frames of each of their jobs to decode beside them."""
        under_way = {
            one.task.job
            for one in self._admitted
            if one.frame is not None and not one.frame.finished
        }
        return all(one.task.job in under_way for one in through)

    def _decode(self, through: Sequence[Admitted], report: Report) -> None:
        through = [one for one in through if one in self._admitted]  # not given up meanwhile
        if any(one.picture.size in self._sparingly for one in through):
            ready = [partial(self._decoder.picture, one.started.latents) for one in through]
        else:
            ready = self._decoder.beside([one.started.latents for one in through])
        for one, decoded in zip(through, ready, strict=True):
            if one not in self._admitted:
                continue
            pixels = self._attempt([one], decoded, report)
            if pixels is not None and self._drop(one):
                height, width = pixels.shape[:2]
                task = one.task
                report(
                    FramePainted(
                        task.job, task.index, width, height, pixels.tobytes(), self._note(one)
                    )
                )

    def _note(self, one: Admitted) -> str:
        """What was done otherwise than its owner may think."""
        notes = [
            self._sparingly.note(one.picture.size),
            left_out(self._pipe, self._texts, one.task),
        ]
        return " ".join(note for note in notes if note)

    def _attempt(self, batch: Sequence[Admitted], act: Callable[[], T], report: Report) -> T | None:
        """The edge around frames: what goes wrong for them refuses no others. None if it did."""
        try:
            with self._sparingly.painting(batch[0].picture.size):
                return act()
        except Exception as error:  # noqa: BLE001 - the judge logs it
            verdict = self._judge.verdict(batch, error)
        # Only here, out of the except clause, have the frames of the failed call let go of tensors.
        if is_for_memory(verdict):
            self._pipe.maybe_free_model_hooks()
            free_memory()
        if verdict is Again.APART:
            for one in batch:
                self._run([one], report)
        elif not isinstance(verdict, Again) and self._drop(batch[0]):
            report(verdict)
        return None

    def _drop(self, one: Admitted) -> bool:
        """Forget a frame that is over; False if it has been given up already."""
        if one not in self._admitted:
            return False
        self._admitted.remove(one)
        return True
