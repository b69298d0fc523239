"""The folders and drops that faults are tried on."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from invariants import Drop
from PIL import Image

from img2imgd.app import Outcome, serve_once
from img2imgd.config import Config, EngineConfig, InboxConfig, LimitsConfig, ModelConfig
from img2imgd.request import BUILT_IN, RequestKeys

SINGLE = b"prompt: a lake\nseed: 7\nsize: 64\n"
SWEEP = b"prompt: a lake\nseed: 9\nsize: 64\nsweep: {strength: [0.5, 1]}\n"


def config_of(root: Path, mode: Literal["move", "keep"] = "move") -> Config:
    """A config with the fake engine and no waits."""
    return Config(
        root=root,
        inboxes=(
            InboxConfig(root / "inbox", mode=mode, settle=0, rescan=1, pair_wait=0, orphan_after=0),
        ),
        outbox=root / "outbox",
        done=root / "done",
        failed=root / "failed",
        state=root / "state",
        defaults=RequestKeys(steps=2, strength=0.5).over(BUILT_IN),
        models={"demo": ModelConfig(source="nowhere/fake")},
        engine=EngineConfig(backend="fake", idle_unload=None),
        limits=LimitsConfig(min_free_gb=0),
    )


def picture(seed: int, form: str = "PNG") -> bytes:
    """A small picture file, another for every seed."""
    pixels = random.Random(seed).randbytes(16 * 16 * 3)  # noqa: S311 - a picture, no secret
    file = io.BytesIO()
    Image.frombytes("RGB", (16, 16), pixels).save(file, form)
    return file.getvalue()


def single(stem: str = "cat", seed: int = 1) -> Drop:
    """A picture with a sidecar: one output."""
    return Drop({f"{stem}.png": picture(seed), f"{stem}.yaml": SINGLE})


def sweep(stem: str = "sub/dog", seed: int = 2) -> Drop:
    """A picture in a subfolder: a folder of two frames, their GIF and their sheet."""
    return Drop({f"{stem}.png": picture(seed), f"{stem}.yaml": SWEEP}, frames=2, assemblies=2)


def shared(stem: str = "trio", seed: int = 3) -> Drop:
    """Two pictures and the sidecar that serves both."""
    return Drop({
        f"{stem}.png": picture(seed),
        f"{stem}.webp": picture(seed + 100, "WEBP"),
        f"{stem}.yaml": SINGLE,
    })  # fmt: skip


def misspelt(stem: str = "bad", seed: int = 4) -> Drop:
    """A sidecar that cannot be used: its files end in failed."""
    return Drop(
        {f"{stem}.png": picture(seed), f"{stem}.yaml": b"prompt: x\nstrenght: 1\n"}, end="failed"
    )


def put(config: Config, drops: Iterable[Drop]) -> None:
    """Drop them: sidecars first, so that no picture is seen without its own."""
    for drop in drops:
        for rel in sorted(drop.files, key=lambda rel: not rel.endswith(".yaml")):
            path = config.inboxes[drop.inbox].path / rel
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(drop.files[rel])


def serve(config: Config, timeout: float = 20) -> Outcome:
    """What ``img2imgd once`` does."""
    return serve_once(config, timeout, lambda *_: None)
