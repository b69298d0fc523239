"""What the rest of the program knows of an engine. No torch here: the supervisor imports this.

An engine lives in the worker process. It is told frames by :meth:`Engine.admit`, does its smallest
unit of work in :meth:`Engine.step`, and reports through events. A stepper runs one denoising step
for many frames; the plain pipelines run one call for one frame and report steps from within it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from img2imgd.errors import EnvironmentFault


class ModelUnavailable(EnvironmentFault):
    """A model that cannot be loaded now: files missing or damaged, hub not reached, no memory.

    The message says what was looked for and what was wrong with it, the advice what to do.
    ``engine_lost`` as in :class:`FrameGivenBack`: the process must be started anew.
    """

    engine_lost: bool = False


@dataclass(frozen=True)
class LoraSpec:
    """A LoRA of a model: local file or hub id, and its weight."""

    source: str
    weight: float = 1.0


@dataclass(frozen=True)
class EmbeddingSpec:
    """A textual inversion of a model: local file or hub id, and the word that stands for it."""

    source: str
    token: str


@dataclass(frozen=True)
class RefinerSpec:
    """The SDXL model that takes over at the share ``start`` of the whole denoising."""

    source: str
    start: float = 0.8
    config: str | None = None
    revision: str | None = None
    variant: str | None = None


@dataclass(frozen=True)
class ModelSpec:
    """A model to load: a row of the config's models table, with paths made absolute.

    ``source`` is a local diffusers folder, a single ``.safetensors`` file or a hub id; ``config`` a
    folder or hub id with the configs of a single file, where the shipped ones do not fit.
    ``prediction`` overrides what the model's scheduler says that the weights predict. With
    ``safety_checker`` the model's own is kept; a frame that it flags is refused, never published
    black. ``vae_tiling`` is True, False or ``auto``. ``max_batch`` is how many frames may share a
    call of the model at most, None for as many as pay; ``threads`` how many of the processor's
    threads one operation uses, None for torch's choice. ``cache`` is a folder where hashes of
    weights and sizes of batches are kept between starts.
    """

    name: str
    source: str
    scheduler: str = "euler"
    config: str | None = None
    revision: str | None = None
    variant: str | None = None
    vae: str | None = None
    loras: tuple[LoraSpec, ...] = ()
    embeddings: tuple[EmbeddingSpec, ...] = ()
    refiner: RefinerSpec | None = None
    prediction: str | None = None
    offline: bool = False
    device: str = "auto"
    dtype: str = "auto"
    offload: str = "none"
    max_batch: int | None = None
    attention: str = "auto"
    channels_last: bool = False
    compile: bool = False
    tf32: bool = False
    threads: int | None = None
    vae_slicing: bool = False
    vae_tiling: bool | str = "auto"
    safety_checker: bool = False
    cache: Path | None = None


@dataclass(frozen=True)
class ModelInfo:
    """What a loaded model tells: its native side in pixels, and the multiple sizes must have.

    The rest says which model it was, for recipes. ``weights`` is a SHA-256 in hex: of the file,
    where the model is one (its first ten digits are the model hash that A1111 and CivitAI show);
    of a diffusers folder over one line ``PATH SHA256`` for each weight file, sorted. ``loras`` are
    (name, weight, SHA-256), ``embeddings`` (token, SHA-256); ``vae`` and ``refiner`` are hashes
    like ``weights``, empty where the model's own autoencoder is used or no refiner.
    ``scheduler`` is the name that frames are painted with unless they name another; ``ignores``
    are the keys of a request that change nothing with this model; ``libraries`` holds the versions
    of what painted.
    """

    name: str
    native_size: int
    multiple: int
    device: str
    dtype: str
    pipeline: str
    family: str = ""
    source: str = ""
    weights: str = ""
    vae: str = ""
    refiner: str = ""
    loras: tuple[tuple[str, float, str], ...] = ()
    embeddings: tuple[tuple[str, str], ...] = ()
    scheduler: str = ""
    ignores: tuple[str, ...] = ()
    libraries: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class FrameTask:
    """One frame to paint. ``image`` is a plain RGB picture whose size is that of the output.

    ``negative_prompt`` has no effect where ``guidance_scale`` is 1 or less. Denoising
    starts at index ``steps - effective_steps`` of the scheduler's timesteps.
    The engine draws noise from a CPU generator with ``seed``, so that a seed means the same on
    every device. ``prompt_syntax`` is the syntax of weights in both prompts: plain, which has none,
    a1111 or compel. ``scheduler`` None is the model's. ``job_frames`` counts the frames of its job,
    so that a picture alone can come before the many of a sweep.
    """

    job: str
    index: int
    image: Path
    prompt: str
    negative_prompt: str
    seed: int
    strength: float
    guidance_scale: float
    steps: int
    effective_steps: int
    scheduler: str | None = None
    job_frames: int = 1
    prompt_syntax: str = "plain"


@dataclass(frozen=True)
class StepDone:
    """A frame has run ``step`` of ``steps`` denoising steps, the last as one of ``together``."""

    job: str
    index: int
    step: int
    steps: int
    together: int = field(default=1, compare=False)


@dataclass(frozen=True)
class FramePainted:
    """A frame is finished; ``pixels`` is H×W×3 uint8 RGB bytes, rows from the top.

    ``note`` is for the job's owner, where the frame was painted in another way than usual.
    """

    job: str
    index: int
    width: int
    height: int
    pixels: bytes = field(repr=False)
    note: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """Job and index."""
        return self.job, self.index


@dataclass(frozen=True)
class FrameRefused:
    """A frame that cannot be painted; ``reason`` is for a person.

    ``out_of_memory`` after everything was tried that :class:`Engine` names.
    """

    job: str
    index: int
    reason: str
    out_of_memory: bool = False


@dataclass(frozen=True)
class FrameGivenBack:
    """A frame the environment kept from being painted: device gone, input not readable.

    The frame is not to blame. ``engine_lost`` says that the engine can paint nothing more and its
    process must be started anew (a CUDA context never recovers from such an error).
    """

    job: str
    index: int
    reason: str
    engine_lost: bool = False


@dataclass(frozen=True)
class Glimpse:
    """What a frame looks like after ``step`` of its steps; ``pixels`` as in FramePainted.

    It shows the whole picture, perhaps with fewer pixels.
    """

    job: str
    index: int
    step: int
    width: int
    height: int
    pixels: bytes = field(repr=False)


EngineEvent = StepDone | FramePainted | FrameRefused | FrameGivenBack


class Engine(Protocol):
    """Turns frames into images. One model at a time; loading another replaces it.

    An engine belongs to one thread. ``cancel`` may be called from within ``report``, while a step
    runs; every other call comes between steps.

    Memory that runs out is the engine's own affair, in this order: free what can be freed; halve
    the batch, down to one frame; paint that frame with the autoencoder in tiles and whatever else
    spares memory, and remember it for this model and size while the process lives; refuse it,
    alone in its batch, with ``out_of_memory`` and the size in the reason. A frame is never refused
    for what others in its batch took.
    """

    def load(self, model: ModelSpec) -> ModelInfo:
        """Load a model and free the one before.

        Raises:
            ModelUnavailable: files are missing, the hub is not reached, the format is unknown.
        """
        ...

    def admit(self, task: FrameTask) -> None:
        """Take a frame of the loaded model; painted in order of admission unless policy differs."""
        ...

    def step(self, report: Callable[[EngineEvent], None]) -> None:
        """Do the smallest unit of work, reporting events as they happen; nothing when idle."""
        ...

    def cancel(self, job: str) -> None:
        """Give up a job's frames; one that runs stops at the end of its denoising step.

        No event of the job follows. A frame admitted later, even of the same job, is painted.
        """
        ...

    def idle(self) -> bool:
        """True when no admitted frame is left."""
        ...

    def glimpse(self, job: str) -> Glimpse | None:
        """The job's frame that is nearest to its end, as far as it is; None if none can be shown.

        It takes time, and changes nothing.
        """
        ...
