"""A ledger as years of work leave it: thousands of results, failures and queued jobs, made at once."""

from __future__ import annotations

from pathlib import Path

from img2imgd.job import FrameState, JobState
from img2imgd.ledger import ArchivePlan, FileEntry, JobSpec, Ledger, Outputs, open_ledger
from img2imgd.request import Request

_KEPT = 600  # bytes of a request's texts do not matter; their number does


def fill(root: Path, *, results: int, queued: int = 0, failures: int = 0) -> None:
    """Write such a ledger for a root that no daemon has served yet."""
    state = root / "state"
    state.mkdir(parents=True, exist_ok=True)
    ledger = open_ledger(state / "ledger.sqlite")
    ledger.sql.execute("PRAGMA synchronous=OFF")
    with ledger.transaction():
        for number in range(results):
            _ended(ledger, root, f"painted {number:05}", number, JobState.DONE, "")
        for number in range(failures):
            reason = "sidecar: line 2, strenght: there is no such key."
            _ended(ledger, root, f"broken {number:05}", number, JobState.FAILED, reason)
        for number in range(queued):
            spec = _spec(root, f"queued {number:05}", number)
            ledger.add_job(spec, JobState.QUEUED, [(0, 25)])
        ledger.set_facts(ledger_id="years")
    ledger.close()


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
        f"{day}T000000-{abs(hash(stem)) & 0xFFFFFFFF:08x}", inbox, name, "move", (entry,),
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
