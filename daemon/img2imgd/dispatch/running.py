"""A job while it runs: which of its frames are to be painted, painted, staged or refused."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from img2imgd import durable
from img2imgd.engine.protocol import FrameTask
from img2imgd.job import CANCELLED_FRAME, Frame, FrameState, plan_frames
from img2imgd.ledger import FrameRow, JobRow, Outputs
from img2imgd.outputs.metadata import Origin
from img2imgd.outputs.orders import Encoding, FrameFile
from img2imgd.outputs.staging import Staging
from img2imgd.request import Request


@dataclass(frozen=True)
class Painting:
    """What a job is painted from and how its files are written.

    ``picture`` is the prepared picture, ``origin`` what the files tell of how they were made.
    """

    picture: Path
    encoding: Encoding
    origin: Origin


@dataclass
class RunningJob:
    """What the dispatcher keeps of a job between its start and its publishing.

    ``cancelled`` jobs get no further frames; ``giving_up`` while the worker has not answered that.
    ``stale`` is a cancelled one in whose place a newer save of its file is painted. ``steps_taken``
    are those of each frame so far.
    """

    row: JobRow
    request: Request
    outputs: Outputs
    staging: Staging
    frames: tuple[Frame, ...]
    painting: Painting | None = None
    to_paint: list[int] = field(default_factory=lambda: list[int]())
    in_engine: set[int] = field(default_factory=lambda: set[int]())
    refused: dict[int, str] = field(default_factory=lambda: dict[int, str]())
    notes: list[str] = field(default_factory=lambda: list[str]())
    assembling: Path | None = None
    given_up: set[Path] = field(default_factory=lambda: set[Path]())
    deaths: Counter[Path] = field(default_factory=lambda: Counter[Path]())
    assembled: bool = False
    cancelled: bool = False
    giving_up: bool = False
    stale: bool = False
    steps_taken: dict[int, int] = field(default_factory=lambda: dict[int, int]())

    @classmethod
    def begin(
        cls,
        row: JobRow,
        outbox: Path,
        painting: Painting,
        frames: Sequence[FrameRow] = (),
        earlier: RunningJob | None = None,
    ) -> RunningJob:
        """Start a job or take it up again: frames that are staged already are not painted again.

        Nor are those that were refused. What was noted is known where it ran ``earlier`` in this
        process.
        """
        job = earlier or cls._of(row, outbox)
        job.refused = _refused(frames)
        job.row, job.painting, job.assembled = row, painting, False
        job.prepare_staging()
        job.to_paint = job.missing()
        job.steps_taken = {
            index: job.frames[index].effective_steps
            for index in job.equal_frames
            if index not in job.to_paint
        }
        if job.to_paint and job.has_folder:  # what was made without these frames is made again
            job.staging.keep_only(job.outputs.name, job.outputs.frames)
        return job

    @classmethod
    def resume(cls, row: JobRow, outbox: Path, frames: Sequence[FrameRow]) -> RunningJob:
        """Take up a job of which nothing is to be painted any more."""
        job = cls._of(row, outbox)
        job.refused = _refused(frames)
        return job

    @classmethod
    def _of(cls, row: JobRow, outbox: Path) -> RunningJob:
        request, outputs = row.spec.asked, row.spec.reserved
        return cls(row, request, outputs, Staging(outbox, row.id), plan_frames(request))

    @property
    def id(self) -> str:
        """The job's id."""
        return self.row.id

    @property
    def model(self) -> str:
        """The name of the model that it is painted with."""
        return self.request.model

    @property
    def has_folder(self) -> bool:
        """True when the job publishes a folder of frames, False for a single file."""
        return len(self.frames) > 1

    @property
    def in_worker(self) -> bool:
        """False once everything is staged: then the worker's death is nothing to the job."""
        return not self.assembled

    @property
    def at_work(self) -> bool:
        """True while the worker has frames of it, or makes something of them."""
        return bool(self.in_engine) or self.assembling is not None

    @property
    def painted(self) -> bool:
        """True when no frame is waiting for the engine."""
        return not self.to_paint and not self.in_engine and not self.giving_up

    @property
    def share_painted(self) -> float:
        """How much of all the steps of its frames has been taken, 0 to 1."""
        steps = sum(self.frames[index].effective_steps for index in self.equal_frames)
        return sum(self.steps_taken.values()) / steps

    @property
    def left_out(self) -> bool:
        """True when frames were left out since the job was cancelled."""
        return CANCELLED_FRAME in self.refused.values()

    def prepare_staging(self) -> None:
        """Make the folders that frames are written to, where they are not there."""
        self.staging.prepare(self.outputs.name, as_folder=self.has_folder)

    def missing(self) -> list[int]:
        """Frames that are to be painted since they, or ones equal to them, are not staged."""
        return [
            index
            for index, equal in self.equal_frames.items()
            if index not in self.refused
            and not all(durable.is_there(self.staged_path(frame.index)) for frame in equal)
        ]

    def leave_out(self, indexes: Sequence[int]) -> None:
        """Go on without these frames, of a job that was cancelled."""
        self.to_paint.clear()
        self.refused.update(dict.fromkeys(indexes, CANCELLED_FRAME))

    @cached_property
    def equal_frames(self) -> dict[int, tuple[Frame, ...]]:
        """The frames with the same pixels, by the index of the one that is painted for all."""
        groups: dict[int, list[Frame]] = {}
        for frame in self.frames:
            groups.setdefault(frame.painted_by, []).append(frame)
        return {index: tuple(equal) for index, equal in groups.items()}

    @property
    def made_from(self) -> Painting:
        """What the job is painted from.

        Raises:
            ValueError: it is past painting.
        """
        if self.painting is None:
            raise ValueError(f"job {self.id} is past painting")
        return self.painting

    @property
    def has_picture(self) -> bool:
        """False when somebody has removed, from the spool, what the job is painted from."""
        return os.path.lexists(self.made_from.picture)

    def staged_path(self, index: int) -> Path:
        """Where a frame is written."""
        name = self.outputs.frames[index] if self.has_folder else None
        return self.staging.path(self.outputs.name, name)

    def task(self, index: int) -> FrameTask:
        """A frame as the engine takes it."""
        frame = self.frames[index]
        return FrameTask(
            job=self.id,
            index=index,
            image=self.made_from.picture,
            prompt=frame.prompt,
            negative_prompt=frame.negative_prompt,
            seed=frame.seed,
            strength=frame.strength,
            guidance_scale=frame.guidance_scale,
            steps=frame.steps,
            effective_steps=frame.effective_steps,
            scheduler=self.made_from.origin.request.scheduler,
            job_frames=len(self.equal_frames),
            prompt_syntax=self.made_from.origin.request.prompt_syntax,
        )

    def files(self, index: int) -> tuple[FrameFile, ...]:
        """The files that a painted frame becomes: its own, and those of frames equal to it."""
        made = self.made_from
        return tuple(
            FrameFile(self.staged_path(frame.index), made.encoding, made.origin.frame_tags(frame))
            for frame in self.equal_frames[index]
        )

    def give_up(self, assembly: Path, why: str) -> None:
        """Go on without an animation or sheet."""
        self.given_up.add(assembly)
        self.notes.append(why)

    def settle_equal_frames(self) -> dict[int, FrameState]:
        """The state of each frame that another was painted for; refused where that one was."""
        states: dict[int, FrameState] = {}
        for index, equal in self.equal_frames.items():
            for frame in equal:
                if index in self.refused:
                    self.refused[frame.index] = self.refused[index]
                if frame.index != index:
                    failed = index in self.refused
                    states[frame.index] = FrameState.FAILED if failed else FrameState.STAGED
        return states


def _refused(frames: Sequence[FrameRow]) -> dict[int, str]:
    return {frame.index: frame.reason for frame in frames if frame.state is FrameState.FAILED}
