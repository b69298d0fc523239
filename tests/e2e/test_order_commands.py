"""``cancel``, ``retry``, ``pause`` and ``resume``: the installed program and its daemon."""

from __future__ import annotations

import json
import os
import resource
import time
from pathlib import Path

import pytest
from PIL import Image
from sample_drops import drop
from served_root import RunningDaemon, ServedRoot, visible_files

from img2imgd.job import JobState
from img2imgd.ledger import JobRow, open_ledger
from waiting import wait_until

SLOW = {"IMG2IMGD_FAKE_STEP_SECONDS": "0.25"}
SWEEP = """\
prompt: a lake
steps: 10
seed: 5
sweep: {strength: {from: 0.1, to: 1, step: 0.1}}
"""
MANY = 10_000
AT_ONCE = 0.6  # seconds of computing; half of it on a machine that does nothing else


def job_of(root: ServedRoot, picture: str) -> JobRow:
    return [job for job in root.jobs() if job.spec.rel == picture][-1]


def half_painted(root: ServedRoot) -> RunningDaemon:
    drop(root.inbox, "hills.png", SWEEP)
    daemon = root.start(**SLOW)
    wait_until(lambda: root.staged_frames() >= 3, "three frames are painted")
    return daemon


def test_a_running_sweep_is_cancelled_by_the_end_of_its_id(root: ServedRoot) -> None:
    daemon = half_painted(root)
    job = job_of(root, "hills.png")
    result = root.command("cancel", job.id[-8:], "-c", root.config)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{job.id} hills.png: to be cancelled\n"
    root.wait_served(1)
    job = job_of(root, "hills.png")
    assert job.state is JobState.CANCELLED
    names = [path.name for path in root.outputs()]
    assert 3 <= sum(name.endswith("_5.png") for name in names) < 10
    assert sum(name.endswith(("_sheet.png", ".gif")) for name in names) == 2
    result = root.command("cancel", job.id, "-c", root.config)
    assert result.returncode == 3
    assert "It has ended already: cancelled." in result.stdout
    assert daemon.stop() == 0


def test_a_pause_frees_the_device_and_a_restart_does_not_end_it(root: ServedRoot) -> None:
    daemon = half_painted(root)
    assert root.command("pause", "-c", root.config).returncode == 0
    wait_until(lambda: daemon.worker is None, "the worker is gone")
    assert daemon.stop() == 0
    frames = len(list((root.outbox / ".img2imgd").rglob("*_5.png")))
    assert 3 <= frames < 10
    once = root.once()
    assert once.returncode == 5
    assert "paused since" in once.stderr
    assert f"`img2imgd resume -c {root.config}`" in once.stderr
    again = root.command("pause", "-c", root.config)
    assert again.stdout.startswith("paused already, since ")
    second = root.start()
    wait_until(lambda: "paused since" in second.log, "it says that it is paused")
    drop(root.inbox, "late.png", "prompt: a lake\nseed: 1\n")
    wait_until(lambda: len(root.jobs()) == 2, "drops are claimed")
    assert second.worker is None
    result = root.command("resume", "-c", root.config)
    assert result.stdout == "resumed\n"
    root.wait_served(2)
    assert {job.state for job in root.jobs()} == {JobState.DONE}
    assert {job.attempts for job in root.jobs()} == {0}
    assert "suspect" not in second.log
    assert second.stop() == 0
    assert root.command("resume", "-c", root.config).stdout == "not paused\n"


def test_a_failed_drop_is_served_within_moments_of_its_retry(root: ServedRoot) -> None:
    root.write_config(rescan=60, settle=0.1, pair_wait=0.2)
    daemon = root.start()
    drop(root.inbox / "sub", "hills.png", "promt: a lake\n")
    root.wait_served(1)
    (root.failed / "sub/hills.yaml").write_text("prompt: a lake\nseed: 5\n")
    began = time.monotonic()
    result = root.command("retry", "sub/hills.png", "-c", root.config)
    assert (result.returncode, result.stderr) == (0, "")
    root.wait_served(2)
    assert time.monotonic() - began < 20, "it did not wait for the next scan"
    assert [job.state for job in root.jobs()] == [JobState.REPLACED, JobState.DONE]
    assert visible_files(root.failed) == []
    assert daemon.stop() == 0


def test_orders_given_while_nothing_runs_are_done_at_the_next_start(root: ServedRoot) -> None:
    drop(root.inbox, "a.png", "promt: a lake\n")
    drop(root.inbox, "b.png", "promt: a lake\n")
    assert root.once().returncode == 3
    for name in ("a", "b"):
        (root.failed / f"{name}.yaml").write_text("prompt: a lake\nseed: 5\n")
    result = root.command("retry", "--failed", "-c", root.config)
    assert result.returncode == 0
    assert result.stdout.splitlines()[0] == "2 jobs to be tried again"
    assert "it is done at its next start" in result.stdout
    once = root.once()
    assert once.returncode == 0, once.stdout
    assert len(root.outputs()) == 2
    assert root.command("retry", "--failed", "-c", root.config).stdout == (
        "0 jobs to be tried again\n"
    )


def test_what_cannot_be_understood_is_said_with_what_can_be_done(root: ServedRoot) -> None:
    result = root.command("cancel", "x", "-c", root.config)
    assert result.returncode == 5
    assert "No img2imgd has run on" in result.stderr
    assert not (root.path / "state").exists()
    for name in ("a", "b"):
        drop(root.inbox, f"{name}.png", "promt: a lake\n")
    root.once()
    for words in ((), ("a.png", "--failed")):
        assert root.command("retry", *words, "-c", root.config).returncode == 2
    result = root.command("retry", "20", "-c", root.config)
    assert result.returncode == 2
    assert "No job is known as 20." in result.stderr
    result = root.command("retry", root.jobs()[0].id[:4], "-c", root.config)
    assert result.returncode == 2
    assert all(f"{job.id} {job.spec.rel}, failed" in result.stderr for job in root.jobs())
    (root.failed / "a.png").unlink()
    result = root.command("retry", "a.png", root.inbox / "b.png", "-c", root.config)
    assert result.returncode == 3
    assert f"{root.failed / 'a.png'} is gone" in result.stdout
    assert "b.png: to be tried again" in result.stdout
    assert not [line for line in result.stdout.splitlines() if "Traceback" in line]


def test_ten_thousand_queued_jobs_make_no_order_slow(root: ServedRoot) -> None:
    drop(root.inbox, "hills.png", "prompt: a lake\nseed: 5\n")
    root.once()
    fill(root, MANY)
    job = root.jobs()[MANY // 2]
    took: dict[str, float] = {}
    for name, words in {
        "cancel": ("cancel", job.id[-8:]),
        "cancel by path": ("cancel", "many/00077.png"),
        "pause": ("pause",),
        "resume": ("resume",),
        "retry": ("retry", job.id),
    }.items():
        began = computed()
        result = root.command(*words, "-c", root.config)
        took[name] = computed() - began
        assert result.returncode == (3 if name == "retry" else 0), result
    assert max(took.values()) < AT_ONCE, took
    root.command("pause", "-c", root.config)
    daemon = root.start()
    ledger = open_ledger(root.path / "state" / "ledger.sqlite")
    wait_until(lambda: not ledger.orders("cancel"), "both are cancelled", 10)
    began = computed()
    assert root.command("cancel", "--all", "-c", root.config).stdout.startswith("9998 jobs")
    assert computed() - began < 2 * AT_ONCE
    wait_until(lambda: not ledger.orders("cancel", 1), "all are cancelled", 60)
    assert ledger.counts().get("queued", 0) == 0
    ledger.close()
    daemon.kill()


def computed() -> float:
    """Seconds that ended children have computed; the clock tells of others' work as well."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def fill(root: ServedRoot, count: int) -> None:
    """Queue jobs in the ledger, which have no files anywhere."""
    ledger = open_ledger(root.path / "state" / "ledger.sqlite")
    row = dict(ledger.sql.execute("SELECT * FROM jobs").fetchone())
    spec = json.loads(row["spec"])
    for key in ("started_at", "ended_at"):
        row[key] = None
    row.update(state="queued", archive="", archived=0, published="")
    marks = ",".join("?" * len(row))
    with ledger.transaction():
        for number in range(count):
            job, rel = f"20261126T000000-{number:08x}", f"many/{number:05}.png"
            text = json.dumps({**spec, "id": job, "rel": rel})
            values = {**row, "id": job, "rel": rel.encode(), "spec": text}
            values["stem"] = rel.removesuffix(".png").encode()
            ledger.sql.execute(
                f"INSERT INTO jobs({','.join(row)}) VALUES({marks})", tuple(values.values())
            )
    ledger.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write another user's ledger")
def test_an_order_by_root_leaves_the_ledger_to_its_own_user(root: ServedRoot) -> None:
    drop(root.inbox, "hills.png", "promt: a lake\n")
    root.once()
    state = root.path / "state"
    for path in (state, *state.iterdir()):
        os.chown(path, 4242, 4242)
    reading = open_ledger(state / "ledger.sqlite")  # so that the log stays when the command ends
    result = root.command("retry", "hills.png", "-c", root.config)
    assert result.returncode == 0, result.stderr
    owners = {path.name: path.stat().st_uid for path in state.iterdir() if "sqlite" in path.name}
    reading.close()
    assert owners == dict.fromkeys(
        ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"], 4242
    )


def test_a_cancelled_sweep_of_the_embedded_model_is_good_to_look_at(root: ServedRoot) -> None:
    """And one that was paused ends with the pixels of one that was not."""
    root.write_config(backend="diffusers")
    sidecar = (
        "prompt: an oil painting of a lake\nseed: 5\nsteps: 24\nsize: 64\n"
        "sweep: {strength: {from: 0.3, to: 1, count: 8}}\n"
    )
    drop(root.inbox, "whole.png", sidecar)
    picture = (root.inbox / "whole.png").read_bytes()
    daemon = root.start()
    root.wait_served(1, 240)
    drop(root.inbox, "paused.png", sidecar, picture)
    wait_until(lambda: root.staged_frames() >= 1, "a frame is painted", 120)
    assert root.command("pause", "-c", root.config).returncode == 0
    wait_until(lambda: daemon.worker is None, "the worker is gone")
    wait_until(
        lambda: job_of(root, "paused.png").state is JobState.QUEUED, "the sweep is queued again"
    )
    assert root.command("resume", "-c", root.config).returncode == 0
    root.wait_served(2, 240)
    frames = {
        stem: sorted(p for p in root.outputs() if p.match(f"{stem}_*_strength-*"))
        for stem in ("whole", "paused")
    }
    assert len(frames["paused"]) == 8
    for one, other in zip(frames["whole"], frames["paused"], strict=True):
        assert _difference(one, other) <= 1, other.name
    drop(root.inbox, "again.png", sidecar, picture)
    wait_until(lambda: root.staged_frames() >= 2, "two frames are painted", 240)
    assert root.command("cancel", "again.png", "-c", root.config).returncode == 0
    root.wait_served(3, 60)
    (folder,) = [path for path in root.outbox.iterdir() if path.name.startswith("again")]
    names = sorted(path.name for path in folder.iterdir())
    assert job_of(root, "again.png").state is JobState.CANCELLED
    assert [name for name in names if name.endswith(".gif")]
    (sheet,) = folder.glob("*_sheet.png")
    with Image.open(sheet) as image:
        image.load()
    assert daemon.stop() == 0


def _difference(one: Path, other: Path) -> int:
    with Image.open(one) as a, Image.open(other) as b:
        pairs = zip(a.convert("RGB").tobytes(), b.convert("RGB").tobytes(), strict=True)
        return max(abs(x - y) for x, y in pairs)
