"""What the worker was told to do and has not answered for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from img2imgd.engine.protocol import FrameRefused, StepDone
from img2imgd.pool.messages import (
    AssemblyFailed,
    AssemblyStaged,
    EngineLost,
    FrameSeen,
    FrameStaged,
    JobGivenUp,
    ModelFailed,
    ModelLoaded,
    WorkerEvent,
    WorkerFault,
)


@dataclass
class Outstanding:
    """A model to load, (job, index) of frames, (job, target) of assemblies, jobs to give up.

    ``painted`` are those of ``frames`` whose last step is done, and that are yet to be written.
    Assemblies are in the order in which they were asked for, and are made, one at a time.
    """

    loading: str | None = None
    frames: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    painted: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    assembling: list[tuple[str, Path]] = field(default_factory=list[tuple[str, Path]])
    giving_up: set[str] = field(default_factory=set[str])
    last_step: StepDone | None = None

    @property
    def work(self) -> bool:
        """True when the worker has something to do."""
        return bool(self.loading or self.frames or self.assembling or self.giving_up)

    @property
    def unpainted(self) -> set[tuple[str, int]]:
        """The frames that have steps to run."""
        return self.frames - self.painted

    @property
    def painting_only(self) -> bool:
        """True when nothing is to be done but to paint."""
        return not self.loading and not self.assembling

    def note(self, event: WorkerEvent) -> None:
        """Strike what the worker has answered for."""
        match event:
            case ModelLoaded() | ModelFailed():
                self.loading = None
            case StepDone():
                self.last_step = event
                if event.step == event.steps:
                    self.painted |= {(event.job, event.index)} & self.frames
            case FrameStaged() | FrameRefused() | WorkerFault():
                self.frames.discard((event.job, event.index))
                self.painted &= self.frames
            case AssemblyStaged() | AssemblyFailed():
                done = (event.job, event.target)
                self.assembling = [item for item in self.assembling if item != done]
            case EngineLost() | FrameSeen():
                pass
            case JobGivenUp(job):
                self.giving_up.discard(job)
                self.assembling = [item for item in self.assembling if item[0] != job]

    def give_up(self, job: str) -> None:
        """A job is given up, which is to be answered."""
        self.frames = {frame for frame in self.frames if frame[0] != job}
        self.painted &= self.frames
        self.giving_up.add(job)

    def in_words(self) -> str:
        """What the worker has to do, for the log."""
        doing = [f"loads model {self.loading}"] if self.loading else []
        if self.unpainted:
            step, (job, index) = self.last_step, min(self.unpainted)
            if step is not None and (step.job, step.index) in self.unpainted:
                at = f"step {step.step} of {step.steps} of frame {step.index} of {step.job} is done"
            else:
                at = f"frame {index} of {job} is first"
            doing.append(f"has {len(self.unpainted)} frames to paint ({at})")
        if self.painted:
            doing.append(f"has {len(self.painted)} painted frames to write")
        doing += [f"makes {target.name} of {job}" for job, target in self.assembling]
        return " and ".join(doing)
