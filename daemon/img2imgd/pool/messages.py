"""What supervisor and worker say to each other, as plain values through a pipe."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from img2imgd.engine.protocol import FrameRefused, FrameTask, ModelInfo, ModelSpec, StepDone
from img2imgd.outputs.orders import Animation, FrameFile, Sheet
from img2imgd.pool.deaths import Death

__all__ = [
    "Admit",
    "Assemble",
    "Assembly",
    "AssemblyFailed",
    "AssemblyStaged",
    "Cancel",
    "Death",
    "EngineLost",
    "FrameRefused",
    "FrameSeen",
    "FrameStaged",
    "JobGivenUp",
    "Load",
    "ModelFailed",
    "ModelLoaded",
    "Order",
    "PoolEvent",
    "StepDone",
    "Stop",
    "Watch",
    "WorkerDied",
    "WorkerEvent",
    "WorkerFault",
]


Assembly = Animation | Sheet


@dataclass(frozen=True)
class Load:
    """Load a model once every admitted frame is painted; answered by ModelLoaded or ModelFailed."""

    model: ModelSpec


@dataclass(frozen=True)
class Admit:
    """Paint a frame and write it, durably, as each of ``files``: equal frames have one each."""

    task: FrameTask
    files: tuple[FrameFile, ...]


@dataclass(frozen=True)
class Assemble:
    """Make an animation or a sheet of finished frames, beside the painting."""

    job: str
    assembly: Assembly


@dataclass(frozen=True)
class Cancel:
    """Give up whatever of the job is admitted or assembling; answered by JobGivenUp."""

    job: str


@dataclass(frozen=True)
class Watch:
    """Somebody watches: for so many ``seconds``, glimpses of what is painted are wanted."""

    seconds: float


@dataclass(frozen=True)
class Stop:
    """End at the next step."""


Order = Load | Admit | Assemble | Cancel | Watch | Stop


@dataclass(frozen=True)
class ModelLoaded:
    """The model is there; frames can be admitted."""

    info: ModelInfo


@dataclass(frozen=True)
class ModelFailed:
    """The model ``name`` could not be loaded, and none is loaded now."""

    name: str
    reason: str
    advice: str


@dataclass(frozen=True)
class FrameStaged:
    """The frame is whole and on disk as every file it was admitted with.

    ``note`` is for its owner.
    """

    job: str
    index: int
    note: str = ""


@dataclass(frozen=True)
class AssemblyStaged:
    """The animation or sheet is whole and on disk at ``target``; ``note`` is for its owner."""

    job: str
    target: Path
    note: str = ""


@dataclass(frozen=True)
class AssemblyFailed:
    """An animation or sheet could not be made; the frames are untouched.

    ``environment`` says that the disk was to blame, not the frames: worth another try later.
    """

    job: str
    target: Path
    reason: str
    environment: bool = False


@dataclass(frozen=True)
class JobGivenUp:
    """Answer to a cancel: no file of the job is written, and no event of it comes, after this."""

    job: str


@dataclass(frozen=True)
class WorkerFault:
    """The environment kept a frame from being painted or written. It is given back, not blamed."""

    job: str
    index: int
    message: str


@dataclass(frozen=True)
class FrameSeen:
    """What a frame looks like after ``step`` of its steps: a small picture, as a PNG's bytes."""

    job: str
    index: int
    step: int
    png: bytes = field(repr=False)


@dataclass(frozen=True)
class EngineLost:
    """The device is lost to the worker, which ends at once; its frames stay admitted until then."""

    reason: str


@dataclass(frozen=True)
class WorkerDied:
    """The worker process ended unasked, or could not be started.

    ``exit`` is for a person ("killed by SIGKILL"). ``frames`` were admitted and neither staged nor
    refused; ``assembling`` are the (job, target) of unfinished animations and sheets, the first of
    them under way and the others waiting; ``loading`` names a model that was being loaded.
    """

    exit: str
    frames: frozenset[tuple[str, int]]
    assembling: tuple[tuple[str, Path], ...]
    loading: str | None
    cause: Death = Death.CRASHED


Report = (
    ModelLoaded
    | ModelFailed
    | StepDone
    | FrameStaged
    | FrameRefused
    | AssemblyStaged
    | AssemblyFailed
    | JobGivenUp
    | WorkerFault
)
WorkerEvent = Report | FrameSeen | EngineLost  # what the worker says
PoolEvent = Report | WorkerDied  # what its pool tells of it
