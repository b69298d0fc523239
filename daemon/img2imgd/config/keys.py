"""The config as written; what is left open is filled by the loader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from img2imgd.config.sections import (
    EngineConfig,
    LimitsConfig,
    ModelConfig,
    OutputsConfig,
    RetentionConfig,
    StatusConfig,
)
from img2imgd.config.values import Duration, PathText
from img2imgd.document import Settings
from img2imgd.request import DefaultKeys


class InboxKeys(Settings):
    """An inbox; keys left out have the value of its profile."""

    synonyms: ClassVar[Mapping[str, str]] = {
        "folder": "path", "dir": "path", "directory": "path", "type": "profile",
        "stable_after": "settle", "debounce": "settle", "poll": "rescan", "interval": "rescan",
    }  # fmt: skip

    path: PathText = Field(description="The folder; relative to the config file's.")
    profile: Literal["share", "scanner", "tablet"] = Field(
        default="share", description="Good values for the keys below."
    )
    mode: Literal["move", "keep"] | None = Field(
        default=None, description="move takes pictures away when they are served; keep does not."
    )
    settle: Duration | None = Field(
        default=None, description="Time a file must be unchanged before it is read."
    )
    rescan: Annotated[Duration, Field(gt=0)] | None = Field(
        default=None, description="Time between full scans."
    )
    pair_wait: Duration | None = Field(
        default=None, description="How long a picture waits for its sidecar."
    )
    orphan_after: Duration | None = Field(
        default=None, description="When a picture without a prompt is set aside."
    )
    late_sidecar: Duration | None = Field(
        default=None, description="How long after its picture a sidecar still makes a new job."
    )
    recursive: bool | None = Field(default=None, description="Serve subfolders too.")
    read_metadata: bool | None = Field(
        default=None, description="Take parameters out of pictures that come without a sidecar."
    )
    defaults: DefaultKeys = Field(default=DefaultKeys(), description="Request keys, as a sidecar.")


class ConfigKeys(Settings):
    """The whole file."""

    synonyms: ClassVar[Mapping[str, str]] = {
        "inbox": "inboxes", "input": "inboxes", "watch": "inboxes", "output": "outbox",
        "default": "defaults", "default_model": "model", "limit": "limits",
        "archive": "done", "errors": "failed",
    }  # fmt: skip

    root: PathText | None = Field(
        default=None, description="The folder that holds the others; ~/img2imgd."
    )
    inboxes: Annotated[tuple[InboxKeys, ...], Field(strict=False)] | None = None
    outbox: PathText | None = Field(default=None, description="Finished pictures; ROOT/outbox.")
    done: PathText | None = Field(default=None, description="Archived inputs; ROOT/done.")
    failed: PathText | None = Field(default=None, description="Inputs not served; ROOT/failed.")
    state: PathText | None = Field(default=None, description="The ledger; ROOT/state.")
    defaults: DefaultKeys = Field(
        default=DefaultKeys(), description="Request keys for every picture, as in a sidecar."
    )
    model: str | None = Field(default=None, description="The model where a request names none.")
    models: dict[str, ModelConfig] = Field(default={}, description="Models by name.")
    engine: EngineConfig = EngineConfig()
    outputs: OutputsConfig = OutputsConfig()
    limits: LimitsConfig = LimitsConfig()
    retention: RetentionConfig = RetentionConfig()
    status: StatusConfig = StatusConfig()
    offline: bool = Field(default=False, description="Never download anything.")


def json_schema() -> dict[str, Any]:
    """JSON Schema of the config, for editors that complete and check YAML."""
    schema = ConfigKeys.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Config"}
