"""Jobs written straight into a ledger, as inbox and dispatcher would."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from msgspec import structs

from img2imgd.config import Config, LimitsConfig, load_config
from img2imgd.job import JobState, plan_frames
from img2imgd.ledger import FileEntry, JobSpec, Ledger, Outputs
from img2imgd.request import Request


def config_at(root: Path, **limits: float) -> Config:
    """The config of a root whose inbox is ``/in``."""
    file = root / "config.yaml"
    file.write_text(f"root: {root}\ninboxes: [{{path: /in}}]\n")
    config = load_config(file, None, env=os.environ)
    (root / "outbox").mkdir(exist_ok=True)
    return config if not limits else structs_replaced(config, limits)


def structs_replaced(config: Config, limits: dict[str, float]) -> Config:
    """The config with other limits."""
    from dataclasses import replace

    return replace(config, limits=structs.replace(LimitsConfig(), **limits))


def request_of(**values: object) -> Request:
    """A request of two variations, unless told otherwise."""
    plain = {
        "prompt": "a lake", "negative_prompt": "", "strength": 0.5, "guidance_scale": 7,
        "steps": 10, "seed": 7, "model": "demo", "n": 2,
    }  # fmt: skip
    return Request(**(plain | values))  # type: ignore[arg-type]


def add(
    ledger: Ledger, job: str, state: JobState, rel: str = "cat.png", request: Request | None = None,
    reason: str | None = None, published: str = "",
) -> None:  # fmt: skip
    """Record a job with all its frames, and move it on."""
    asked = request or request_of()
    frames = plan_frames(asked)
    names = tuple(f"{frame.index}.png" for frame in frames)
    spec = JobSpec(
        id=job, inbox="/in", rel=rel, mode="move",
        files=(FileEntry("picture", rel, f"/in/{rel}", "move", 1, 1, 1),),
        request=asked, outputs=Outputs("", "set", names), spool="spool-1",
    )  # fmt: skip
    ledger.add_job(spec, JobState.QUEUED, [(one.index, one.effective_steps) for one in frames])
    if published:
        ledger.set_published(job, published)
    if state is not JobState.QUEUED:
        ledger.set_state(job, state, reason)


def daemon_runs(ledger: Ledger) -> None:
    """As if this process were the daemon."""
    ledger.set_facts(pid=str(os.getpid()), host=socket.gethostname(), model="demo", device="cpu")
