"""The config's sections that mean the same written and settled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from img2imgd.config.values import Duration, HostName, Interval, Listen, NameTemplate, PathText
from img2imgd.document import WRITTEN, Check, Refused, Settings, found
from img2imgd.hub.known import PICKLES
from img2imgd.request import OutputSettings, SchedulerName

DEMO_MODEL = "demo"
"""The embedded model's name; it is in every table."""

DEMO_FOLDER = Path(__file__).parent.parent / "demo_model"

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")


def _source(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise Refused("must name a folder, a .safetensors file or a hub id.")
    if isinstance(value, str) and value.lower().endswith(PICKLES):
        raise Refused("a file of this kind can run code when it is opened.",
                     "Use the .safetensors form of it.")  # fmt: skip
    return value


Source = Annotated[str, Check(_source)]
Token = Annotated[str, Meta(min_length=1, max_length=100)]
Side = Annotated[int, Meta(ge=64, le=8192)]


class LoraConfig(Settings, frozen=True):
    """A LoRA that is loaded with a model."""

    source: Annotated[Source, Meta(description="File, folder or hub id.")]
    weight: Annotated[float, Meta(ge=-10, le=10, description="Its share.")] = 1.0


class EmbeddingConfig(Settings, frozen=True):
    """A textual inversion: a word of prompts that stands for vectors trained for it."""

    source: Annotated[Source, Meta(description="A .safetensors file, a folder or a hub id.")]
    token: Annotated[Token | None, Meta(description="The word; null: the file's name.")] = None


class RefinerConfig(Settings, frozen=True):
    """A second SDXL model for the end of the denoising, as the SDXL refiner is."""

    source: Annotated[Source, Meta(description="As a model's `source`.")]
    start: Annotated[
        float, Meta(gt=0, lt=1, description="Where in the whole denoising it takes over.")
    ] = 0.8
    config: Annotated[Source | None, Meta(description="As a model's `config`.")] = None
    revision: Annotated[str | None, Meta(description="Branch, tag or commit on the hub.")] = None
    variant: Annotated[str | None, Meta(description="Such as fp16.")] = None


def _named_alone(value: Any) -> Any:
    """A source that is written alone, without the keys around it."""
    return {"source": value} if isinstance(value, str) else value


Lora = Annotated[
    LoraConfig,
    Check(_named_alone),
    Meta(extra_json_schema={
        WRITTEN: {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/LoraConfig"}]}
    }),
]  # fmt: skip
Embedding = Annotated[
    EmbeddingConfig,
    Check(_named_alone),
    Meta(extra_json_schema={
        WRITTEN: {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/EmbeddingConfig"}]}
    }),
]  # fmt: skip


class ModelConfig(Settings, frozen=True):
    """A row of the models table. A settled one has absolute paths where a source is local."""

    synonyms: ClassVar[Mapping[str, str]] = {
        "path": "source", "repo": "source", "id": "source", "file": "source",
        "sampler": "scheduler", "sampler_name": "scheduler", "lora": "loras", "resolution": "size",
        "embedding": "embeddings", "textual_inversion": "embeddings",
        "textual_inversions": "embeddings", "prediction_type": "prediction",
        "nsfw_filter": "safety_checker",
    }  # fmt: skip

    source: Annotated[
        Source, Meta(description="A diffusers folder, a .safetensors file, or a hub id.")
    ]
    scheduler: Annotated[
        SchedulerName, Meta(description="How noise is taken away; own: as the model says.")
    ] = "euler"
    size: Annotated[
        Side | None,
        Meta(description="Longest side where a request names none; null: the model's own."),
    ] = None
    config: Annotated[
        Source | None, Meta(description="Folder or hub id with the configs of a single file.")
    ] = None
    revision: Annotated[str | None, Meta(description="Branch, tag or commit on the hub.")] = None
    variant: Annotated[str | None, Meta(description="Such as fp16.")] = None
    prediction: Annotated[
        Literal["epsilon", "v_prediction"] | None,
        Meta(description="What the weights predict; null: as the model's config says."),
    ] = None
    vae: Annotated[Source | None, Meta(description="Another autoencoder.")] = None
    loras: tuple[Lora, ...] = ()
    embeddings: Annotated[
        tuple[Embedding, ...], Meta(description="Textual inversions, each a word of prompts.")
    ] = ()
    refiner: Annotated[
        RefinerConfig | None, Meta(description="A second SDXL model for the last steps.")
    ] = None
    safety_checker: Annotated[
        bool, Meta(description="Keep the model's own; frames that it flags are reported.")
    ] = False


def _max_batch(value: Any) -> Any:
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise Refused("must be auto or how many frames at most are painted in one batch.")


def _device(value: Any) -> Any:
    if isinstance(value, str) and not _DEVICE.fullmatch(value):
        raise Refused(f"must be auto, cpu, mps, cuda or such as cuda:1; found {found(value)}.")
    return value


def _tiling(value: Any) -> Any:
    if isinstance(value, bool) or value == "auto":
        return value
    raise Refused("must be auto, true or false.")


Device = Annotated[str, Check(_device)]
Tiling = Annotated[bool | Literal["auto"], Check(_tiling)]
Threads = Annotated[int, Meta(ge=1, le=1024)]
MaxBatch = Annotated[int | Literal["auto"], Check(_max_batch)]


class EngineConfig(Settings, frozen=True):
    """The worker that paints."""

    backend: Annotated[
        Literal["diffusers", "fake"],
        Meta(description="fake tints pictures without torch, to try the folders' wiring."),
    ] = "diffusers"
    device: Annotated[Device, Meta(description="auto, cpu, cuda, cuda:1 or mps.")] = "auto"
    dtype: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    max_batch: MaxBatch = "auto"
    offload: Annotated[
        Literal["none", "model", "sequential"],
        Meta(description="Keep parts of the model in main memory."),
    ] = "none"
    attention: Annotated[
        Literal["auto", "sdpa", "eager", "sliced", "xformers"],
        Meta(description="How attention is computed; auto: by torch's fused kernels."),
    ] = "auto"
    channels_last: Annotated[
        bool, Meta(description="Weights of convolutions in the order that tensor cores like.")
    ] = False
    compile: Annotated[
        bool, Meta(description="torch.compile of the blocks that repeat; the first call waits.")
    ] = False
    tf32: Annotated[
        bool, Meta(description="fp32 on NVIDIA GPUs with 10 bits of mantissa instead of 23.")
    ] = False
    threads: Annotated[
        Threads | None, Meta(description="Of the processor, for one operation; null: torch's own.")
    ] = None
    vae_slicing: Annotated[
        bool, Meta(description="Pictures of a batch pass the autoencoder one by one.")
    ] = False
    vae_tiling: Annotated[
        Tiling, Meta(description="In tiles; auto: where a side is longer than 1536 pixels.")
    ] = "auto"
    idle_unload: Annotated[
        Duration | None, Meta(description="Idle time after which GPU memory is freed; null: never.")
    ] = 600.0
    stall_timeout: Annotated[
        Interval | None,
        Meta(description="Time without progress after which the worker is replaced; null: never."),
    ] = 600.0


class OutputsConfig(OutputSettings, frozen=True):
    """What lies in the outbox."""

    name: Annotated[NameTemplate, Meta(description="Names of the pictures.")] = (
        "{stem}_{prompt:.40}_{index:02}_{point}_{seed}"
    )


class LimitsConfig(Settings, frozen=True):
    """What a drop may cost, and what the disk must keep free."""

    max_file_mb: Annotated[float, Meta(gt=0)] = 200.0
    max_pixels: Annotated[int, Meta(ge=4096)] = 100_000_000
    max_frames: Annotated[int, Meta(ge=1, le=100_000)] = 400
    max_attempts: Annotated[int, Meta(ge=1, le=100)] = 3
    min_free_gb: Annotated[float, Meta(ge=0)] = 1.0
    max_views_mb: Annotated[
        int, Meta(ge=10, description="The page's small copies of pictures, all together.")
    ] = 1000


class RetentionConfig(Settings, frozen=True):
    """How long things are kept, in seconds; None: for ever."""

    done: Duration | None = None
    failed: Duration | None = None
    outbox: Duration | None = None
    ledger: Duration | None = 7_776_000.0


class StatusConfig(Settings, frozen=True):
    """The page; off without an address."""

    listen: Annotated[Listen, Meta(description="HOST:PORT or unix:/PATH; null: no page.")] = None
    hosts: Annotated[
        tuple[HostName, ...],
        Meta(description="Names that browsers may know the page by, beside its address."),
    ] = ()
    token_file: Annotated[
        PathText | None,
        Meta(description="A file whose first line must be shown to see the page."),
    ] = None
