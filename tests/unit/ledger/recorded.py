"""Jobs as tests of the ledger record them."""

from __future__ import annotations

import os
from dataclasses import replace

from img2imgd.job import JobState
from img2imgd.ledger import (
    FileEntry,
    JobSpec,
    Ledger,
    Outputs,
)
from img2imgd.request import Request

ODD = os.fsdecode(b"sub\xfe/\xff cat\n.png")


def spec(job: str = "J1", rel: str = "cat.png", **changes: object) -> JobSpec:
    request = Request(
        prompt="a lake \U0001f431", negative_prompt="", strength=0.5, guidance_scale=7.5, steps=10,
        seed=7, model="demo", sweep={"strength": (0.2, 0.4)}, size=(64, 128), styles=("ink",),
    )  # fmt: skip
    name = rel.rpartition("/")[2]
    made = JobSpec(
        id=job, inbox="/in", rel=rel, mode="move",
        files=(FileEntry("picture", name, f"/in/{rel}", "move", 2**63, 5, 6),),
        request=request, outputs=Outputs("sub", "set", ("a.png", "b.png")), notes=("note",),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def add(ledger: Ledger, state: JobState = JobState.QUEUED, **changes: object) -> JobSpec:
    made = spec(**changes)  # type: ignore[arg-type]
    ledger.add_job(made, state, [(0, 2), (1, 4)] if made.outputs else [])
    return made
