"""The config's sections that mean the same written and settled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator

from img2imgd.config.values import Duration, Listen, NameTemplate, PathText
from img2imgd.document import Settings, refuse
from img2imgd.request import GifSettings

DEMO_MODEL = "demo"
"""The embedded model's name; it is in every table."""

DEMO_FOLDER = Path(__file__).parent.parent / "demo_model"

SchedulerName = Literal[
    "euler", "euler_a", "ddim", "ddpm", "heun", "lms", "pndm", "unipc", "lcm", "dpm++_2m",
    "dpm++_2m_karras", "own",
]  # fmt: skip
SCHEDULERS: tuple[str, ...] = get_args(SchedulerName)

_PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")


def _source(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise refuse("must name a folder, a .safetensors file or a hub id.")
    if isinstance(value, str) and value.lower().endswith(_PICKLES):
        raise refuse("a file of this kind can run code when it is opened.",
                     "Use the .safetensors form of it.")  # fmt: skip
    return value


Source = Annotated[str, BeforeValidator(_source)]


class LoraConfig(Settings):
    """A LoRA that is loaded with a model."""

    source: Source = Field(description="File, folder or hub id.")
    weight: Annotated[float, Field(ge=-10, le=10)] = Field(default=1.0, description="Its share.")


class ModelConfig(Settings):
    """A row of the models table. A settled one has absolute paths where a source is local."""

    synonyms: ClassVar[Mapping[str, str]] = {
        "path": "source", "repo": "source", "id": "source", "file": "source",
        "sampler": "scheduler", "lora": "loras", "resolution": "size",
    }  # fmt: skip

    source: Source = Field(description="A diffusers folder, a .safetensors file, or a hub id.")
    scheduler: SchedulerName = Field(
        default="euler", description="How noise is taken away; own: as the model says."
    )
    size: Annotated[int, Field(ge=64, le=8192)] | None = Field(
        default=None, description="Longest side where a request names none; null: the model's own."
    )
    config: Source | None = Field(
        default=None, description="Folder or hub id with the configs of a single file."
    )
    revision: str | None = Field(default=None, description="Branch, tag or commit on the hub.")
    variant: str | None = Field(default=None, description="Such as fp16.")
    vae: Source | None = Field(default=None, description="Another autoencoder.")
    loras: Annotated[tuple[LoraConfig, ...], Field(strict=False)] = ()


def _max_batch(value: Any) -> Any:
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise refuse("must be auto or how many frames at most are painted in one batch.")


class EngineConfig(Settings):
    """The worker that paints."""

    backend: Literal["diffusers", "fake"] = Field(
        default="diffusers",
        description="fake tints pictures without torch, to try the folders' wiring.",
    )
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d{1,3})?)$")] = Field(
        default="auto", description="auto, cpu, cuda, cuda:1 or mps."
    )
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    max_batch: Annotated[int | Literal["auto"], BeforeValidator(_max_batch)] = "auto"
    offload: Literal["none", "model", "sequential"] = Field(
        default="none", description="Keep parts of the model in main memory."
    )
    idle_unload: Duration | None = Field(
        default=600.0, description="Idle time after which GPU memory is freed; null: never."
    )


class OutputsConfig(Settings):
    """What lies in the outbox."""

    format: Literal["png"] = "png"
    name: NameTemplate = Field(
        default="{stem}_{prompt:.40}_{index:02}_{seed}", description="Names of the pictures."
    )
    gif: GifSettings = Field(default=GifSettings(), description="Timing where none is asked for.")
    sheet: bool = Field(default=True, description="A contact sheet for jobs of several frames.")

    @field_validator("format", mode="before")
    @classmethod
    def _only_png(cls, value: object) -> object:
        if value in ("jpeg", "jpg", "webp"):
            raise refuse(f"{value} is not written yet.", "Write png.")
        return value


class LimitsConfig(Settings):
    """What a drop may cost, and what the disk must keep free."""

    max_file_mb: Annotated[float, Field(gt=0)] = 200.0
    max_pixels: Annotated[int, Field(ge=4096)] = 100_000_000
    max_frames: Annotated[int, Field(ge=1, le=100_000)] = 400
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    min_free_gb: Annotated[float, Field(ge=0)] = 1.0


class RetentionConfig(Settings):
    """How long things are kept, in seconds; None: for ever."""

    done: Duration | None = None
    failed: Duration | None = None
    outbox: Duration | None = None
    ledger: Duration | None = 7_776_000.0


class StatusConfig(Settings):
    """The status page; off without an address."""

    listen: Listen = Field(default=None, description="HOST:PORT or unix:/PATH; null: no page.")
    token_file: PathText | None = Field(
        default=None, description="A file whose first line must be shown to act on the page."
    )
