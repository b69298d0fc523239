"""A job while it runs: which of its frames are to be painted, painted, staged or refused."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from img2imgd import durable
from img2imgd.engine.protocol import FrameTask
from img2imgd.job import Frame, FrameState, plan_frames
from img2imgd.ledger import FrameRow, JobRow, Outputs
from img2imgd.outputs.names import first_free
from img2imgd.outputs.staging import Staging
from img2imgd.request import Request


@dataclass
class RunningJob:
    """What the dispatcher keeps of a job between its start and its publishing."""

    row: JobRow
    request: Request
    outputs: Outputs
    staging: Staging
    picture: Path
    frames: tuple[Frame, ...]
    to_paint: list[int]
    painting: set[int] = field(default_factory=lambda: set[int]())
    refused: dict[int, str] = field(default_factory=lambda: dict[int, str]())
    notes: list[str] = field(default_factory=lambda: list[str]())
    assembling: Path | None = None
    assembled: bool = False
    published: str = ""

    @classmethod
    def begin(cls, row: JobRow, outbox: Path, picture: Path) -> RunningJob:
        """Start a job or take it up again: frames that are staged already are not painted again."""
        job = cls._of(row, outbox, picture)
        job.staging.prepare(job.outputs.name, as_folder=job.has_folder)
        job.to_paint = [
            frame.index
            for frame in job.frames
            if frame.painted_by == frame.index and not job.staged_path(frame.index).exists()
        ]
        return job

    @classmethod
    def resume(cls, row: JobRow, outbox: Path, frames: Sequence[FrameRow]) -> RunningJob:
        """Take up a job that was being published: nothing is to be painted, or made, any more."""
        job = cls._of(row, outbox, Path())
        job.published = row.published
        job.refused = {f.index: f.reason for f in frames if f.state is FrameState.FAILED}
        return job

    @classmethod
    def _of(cls, row: JobRow, outbox: Path, picture: Path) -> RunningJob:
        request, outputs = row.spec.asked, row.spec.reserved
        staging = Staging(outbox, row.id)
        return cls(row, request, outputs, staging, picture, plan_frames(request), [])

    @property
    def id(self) -> str:
        """The job's id."""
        return self.row.id

    @property
    def has_folder(self) -> bool:
        """True when the job publishes a folder of frames, False for a single file."""
        return len(self.frames) > 1

    @property
    def in_worker(self) -> bool:
        """False once everything is staged: then the worker's death is nothing to the job."""
        return not self.assembled

    @property
    def painted(self) -> bool:
        """True when no frame is waiting for the engine."""
        return not self.to_paint and not self.painting

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
            image=self.picture,
            prompt=frame.prompt,
            negative_prompt=frame.negative_prompt,
            seed=frame.seed,
            strength=frame.strength,
            guidance_scale=frame.guidance_scale,
            steps=frame.steps,
            effective_steps=frame.effective_steps,
        )

    def copy_equal_frames(self) -> dict[int, FrameState]:
        """Give frames with the pixels of another their own file; returns the state of each."""
        states: dict[int, FrameState] = {}
        for frame in self.frames:
            source, target = self.staged_path(frame.painted_by), self.staged_path(frame.index)
            if frame.painted_by == frame.index:
                continue
            if frame.painted_by in self.refused:
                self.refused[frame.index] = self.refused[frame.painted_by]
                states[frame.index] = FrameState.FAILED
                continue
            if not target.exists():
                half = target.with_name(f".{target.name}.part")
                shutil.copyfile(source, half)
                durable.fsync_path(half)
                half.replace(target)
            states[frame.index] = FrameState.STAGED
        return states

    def animations_to_make(self) -> list[tuple[Path, list[Path]]]:
        """The GIFs still to be made: one per prompt, style and variation, its frames in order."""
        if not self.request.wants_gif or not self.has_folder:
            return []
        groups: dict[tuple[int, str, int], list[Path]] = {}
        for frame in self.frames:
            if frame.index not in self.refused:
                groups.setdefault((frame.prompt_index, frame.style, frame.variation), []).append(
                    self.staged_path(frame.index)
                )
        if self._one_frame_each(groups):
            groups = {(0, "", 0): [path for paths in groups.values() for path in paths]}
        base = self.outputs.name
        taken = {name.casefold() for name in self.outputs.frames}
        jobs: list[tuple[Path, list[Path]]] = []
        for number, paths in enumerate(groups.values()):
            mark = f"_{number:0{len(str(len(groups) - 1))}}" if len(groups) > 1 else ""
            name = first_free(f"{base}_morph{mark}.gif", lambda n: n.casefold() in taken)
            target = self.staging.path(base, name)
            if len(paths) > 1 and not target.exists():
                jobs.append((target, paths))
        return jobs

    def _one_frame_each(self, groups: dict[tuple[int, str, int], list[Path]]) -> bool:
        """A GIF asked for without a sweep: its frames are the prompts, styles or variations."""
        return len(groups) > 1 and all(len(paths) == 1 for paths in groups.values())
