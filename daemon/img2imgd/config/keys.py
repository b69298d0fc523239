"""The config as written; what is left open is filled by the loader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, field

from img2imgd import document
from img2imgd.config.sections import (
    EngineConfig,
    LimitsConfig,
    ModelConfig,
    OutputsConfig,
    RetentionConfig,
    StatusConfig,
)
from img2imgd.config.values import Duration, Interval, PathText
from img2imgd.document import Settings
from img2imgd.request import DefaultKeys

Pages = Literal["first", "each"]
Difference = Annotated[float, Meta(ge=0, le=100)]


class InboxKeys(Settings, frozen=True):
    """An inbox; keys left out have the value of its profile."""

    synonyms: ClassVar[Mapping[str, str]] = {
        "folder": "path", "dir": "path", "directory": "path", "type": "profile",
        "stable_after": "settle", "debounce": "settle", "poll": "rescan", "interval": "rescan",
    }  # fmt: skip

    path: Annotated[PathText, Meta(description="The folder; relative to the config file's.")]
    profile: Annotated[
        Literal["share", "scanner", "tablet"], Meta(description="Good values for the keys below.")
    ] = "share"
    mode: Annotated[
        Literal["move", "keep"] | None,
        Meta(description="move takes pictures away when they are served; keep does not."),
    ] = None
    settle: Annotated[
        Duration | None, Meta(description="Time a file must be unchanged before it is read.")
    ] = None
    rescan: Annotated[Interval | None, Meta(description="Time between full scans.")] = None
    pair_wait: Annotated[
        Duration | None, Meta(description="How long a picture waits for its sidecar.")
    ] = None
    orphan_after: Annotated[
        Duration | None, Meta(description="When a picture without a prompt is set aside.")
    ] = None
    late_sidecar: Annotated[
        Duration | None,
        Meta(description="How long after its picture a sidecar still makes a new job."),
    ] = None
    recursive: Annotated[bool | None, Meta(description="Serve subfolders too.")] = None
    read_metadata: Annotated[
        bool | None,
        Meta(description="Take parameters out of pictures that come without a sidecar."),
    ] = None
    prompt_from_name: Annotated[
        bool | None,
        Meta(description="A picture's name is its prompt: `a red barn__s0.7__seed12.png`."),
    ] = None
    pages: Annotated[
        Pages | None,
        Meta(description="Of a TIFF or PDF with several pages: the first, or each as its own job."),
    ] = None
    live: Annotated[
        bool | None,
        Meta(description="With mode keep: a newer save ends the painting of an older one."),
    ] = None
    latest: Annotated[
        bool | None,
        Meta(description="Also keep NAME.latest.png in the outbox: the newest result, replaced."),
    ] = None
    skip_similar: Annotated[
        Difference | None,
        Meta(description="With mode keep: saves that look alike so far make no job; 0: all do."),
    ] = None
    defaults: Annotated[DefaultKeys, Meta(description="As in a sidecar.")] = DefaultKeys()


class ConfigKeys(Settings, frozen=True):
    """The whole file."""

    synonyms: ClassVar[Mapping[str, str]] = {
        "inbox": "inboxes", "input": "inboxes", "watch": "inboxes", "output": "outbox",
        "default": "defaults", "default_model": "model", "limit": "limits",
        "archive": "done", "errors": "failed",
    }  # fmt: skip

    root: Annotated[
        PathText | None, Meta(description="The folder that holds the others; ~/img2imgd.")
    ] = None
    inboxes: tuple[InboxKeys, ...] | None = None
    outbox: Annotated[PathText | None, Meta(description="Finished pictures; ROOT/outbox.")] = None
    done: Annotated[PathText | None, Meta(description="Archived inputs; ROOT/done.")] = None
    failed: Annotated[PathText | None, Meta(description="Inputs not served; ROOT/failed.")] = None
    state: Annotated[PathText | None, Meta(description="The ledger; ROOT/state.")] = None
    defaults: Annotated[
        DefaultKeys, Meta(description="Request keys for every picture, as in a sidecar.")
    ] = DefaultKeys()
    model: Annotated[str | None, Meta(description="The model where a request names none.")] = None
    models: Annotated[dict[str, ModelConfig], Meta(description="Models by name.")] = field(
        default_factory=dict[str, ModelConfig]
    )
    engine: EngineConfig = EngineConfig()
    outputs: OutputsConfig = OutputsConfig()
    limits: LimitsConfig = LimitsConfig()
    retention: RetentionConfig = RetentionConfig()
    status: StatusConfig = StatusConfig()
    offline: Annotated[bool, Meta(description="Never download anything.")] = False


def json_schema() -> dict[str, Any]:
    """JSON Schema of the config, for editors that complete and check YAML."""
    return document.json_schema(ConfigKeys, "Config")
