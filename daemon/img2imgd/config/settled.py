"""The config with nothing left open: absolute folders, seconds, and the models table with demo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from img2imgd.config.sections import (
    DEMO_FOLDER,
    DEMO_MODEL,
    EngineConfig,
    LimitsConfig,
    ModelConfig,
    OutputsConfig,
    RetentionConfig,
    StatusConfig,
)
from img2imgd.request import BUILT_IN, RequestKeys

Mode = Literal["move", "keep"]
ProfileName = Literal["share", "scanner", "tablet"]


PROFILES: Mapping[ProfileName, Mapping[str, Any]] = MappingProxyType({
    "share": {},
    # Scanners reopen a file seconds after closing it, and a person walks to a desk to describe it.
    # Where a prompt is there already, few write another for each sheet.
    "scanner": {
        "settle": 5.0, "pair_wait": 30.0, "prompted_wait": 5.0, "orphan_after": 3600.0,
        "pages": "each",
        "usual": RequestKeys(prepare="auto"),
    },
    # An art program saves the same file again and again; the newest strokes should show soon.
    "tablet": {"mode": "keep", "settle": 0.7, "rescan": 3.0, "live": True, "latest": True},
})  # fmt: skip
"""What a kind of inbox has other than :class:`InboxConfig`'s own values."""


@dataclass(frozen=True)
class InboxConfig:
    """One inbox: its folder and its rules, those of a network share; durations in seconds.

    ``skip_similar`` is a distance of colours in CIELAB; ``usual`` are the request keys of its
    profile, which give way to all others. ``prompted_wait`` is how long a picture waits for a
    sidecar that has a prompt without one; None for ``pair_wait``.
    """

    path: Path
    profile: ProfileName = "share"
    mode: Mode = "move"
    settle: float = 2.0
    rescan: float = 5.0
    pair_wait: float = 10.0
    prompted_wait: float | None = None
    orphan_after: float = 600.0
    late_sidecar: float = 86_400.0
    recursive: bool = True
    read_metadata: bool = False
    prompt_from_name: bool = False
    pages: Literal["first", "each"] = "first"
    live: bool = False
    latest: bool = False
    skip_similar: float = 0.0
    usual: RequestKeys = field(default_factory=RequestKeys)
    defaults: RequestKeys = field(default_factory=RequestKeys)


def demo_table() -> Mapping[str, ModelConfig]:
    """The models table of a config that names none."""
    return {DEMO_MODEL: ModelConfig(source=str(DEMO_FOLDER))}


@dataclass(frozen=True)
class Config:
    """Everything the daemon needs to know. Folders are absolute and apart from each other.

    ``defaults`` holds the built-in request values wherever the config names none. ``notes`` are
    facts worth a log line at start. ``path`` is the file it came from, None without one;
    ``root_named`` is whether the root was named beside it.
    """

    root: Path
    inboxes: tuple[InboxConfig, ...]
    outbox: Path
    done: Path
    failed: Path
    state: Path
    defaults: RequestKeys = BUILT_IN
    model: str = DEMO_MODEL
    models: Mapping[str, ModelConfig] = field(default_factory=demo_table)
    engine: EngineConfig = field(default_factory=EngineConfig)
    outputs: OutputsConfig = field(default_factory=OutputsConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    retention: RetentionConfig = field(default_factory=RetentionConfig)
    status: StatusConfig = field(default_factory=StatusConfig)
    offline: bool = False
    notes: tuple[str, ...] = ()
    path: Path | None = None
    root_named: bool = field(default=False, compare=False)
