"""A root as years of work leave it: thousands of results and failures, made at once."""

from __future__ import annotations

import zlib
from pathlib import Path

from PIL import Image

from img2imgd.job import FrameState, JobState
from img2imgd.ledger import ArchivePlan, FileEntry, JobSpec, Ledger, Outputs, open_ledger
from img2imgd.request import Request


def fill(root: Path, *, results: int, failures: int = 0) -> None:
    """Write such a ledger for a root that no daemon has served yet, and the outbox of it.

    The pictures of the outbox are one small picture by many names.
    """
    state, outbox = root / "state", root / "outbox"
    for folder in (state, outbox):
        folder.mkdir(parents=True, exist_ok=True)
    Image.effect_mandelbrot((96, 96), (-1.2, -0.3, -0.6, 0.3), 60).convert("RGB").save(
        outbox / f"{_name(0)}.png"
    )
    ledger = open_ledger(state / "ledger.sqlite")
    ledger.sql.execute("PRAGMA synchronous=OFF")
    with ledger.transaction():
        for number in range(results):
            _ended(ledger, root, _name(number), number, JobState.DONE, "")
            if number:
                (outbox / f"{_name(number)}.png").hardlink_to(outbox / f"{_name(0)}.png")
        for number in range(failures):
            reason = "sidecar: line 2, strenght: there is no such key."
            _ended(ledger, root, f"broken {number:05}", number, JobState.FAILED, reason)
        ledger.set_facts(ledger_id="years")
    ledger.close()


def _name(number: int) -> str:
    return f"painted {number:05}"


def _spec(root: Path, stem: str, number: int) -> JobSpec:
    inbox = str(root / "inbox")
    name = f"{stem}.png"
    entry = FileEntry("picture", name, f"{inbox}/{name}", "move", number + 1, 9, 9)
    request = Request(
        prompt=f"a lake in the mountains, oil on canvas, number {number}", negative_prompt="",
        strength=0.5, guidance_scale=7.5, steps=50, seed=number, model="demo", size=(512, 512),
    )  # fmt: skip
    day = f"2026{1 + number // 28 % 10:02}{1 + number % 28:02}"
    return JobSpec(
        f"{day}T000000-{zlib.crc32(stem.encode()):08x}", inbox, name, "move", (entry,),
        request, Outputs("", f"{stem}.png", (f"{stem}.png",)),
    )  # fmt: skip


def _ended(
    ledger: Ledger, root: Path, stem: str, number: int, state: JobState, reason: str
) -> None:
    spec = _spec(root, stem, number)
    ledger.add_job(spec, JobState.QUEUED, [(0, 25)])
    if state is JobState.DONE:
        ledger.set_published(spec.id, f"{stem}.png")
        ledger.set_frame(spec.id, 0, FrameState.PUBLISHED)
    folder = "done" if state is JobState.DONE else "failed"
    plan = ArchivePlan(folder, str(root / folder), {spec.rel: spec.rel}, reason)
    ledger.set_archive(spec.id, plan, state, reason)
    ledger.set_archived(spec.id)
