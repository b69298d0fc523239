"""SIGHUP to the real program: the config is read again, and nothing that runs is harmed."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from accounting import account, assert_nothing_left_over, fingerprints
from PIL import Image
from sample_drops import drop
from served_root import PROGRAM, RunningDaemon, ServedRoot

from img2imgd.ledger import NOT_RELOADED, read_ledger
from service_manager import Ear, listening
from waiting import wait_until

SLOW = {"IMG2IMGD_FAKE_STEP_SECONDS": "0.04"}
FRAMES = 10
SWEEP = """\
prompt: a lake
steps: 10
seed: 5
sweep: {strength: {from: 0.1, to: 1, step: 0.1}}
"""
PLAIN = "prompt: a lake\nseed: 7\n"


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    with listening(str(tmp_path / "notify")) as heard:
        yield heard


def configure(root: ServedRoot, more: str, *, settle: float = 0.3) -> None:
    """The usual config with more keys, ``more``, at its top level."""
    root.write_config(settle=settle)
    text = root.config.read_text()
    changed = "engine: {backend: fake, device: cpu}\n"
    assert changed in text
    root.config.write_text((text if "engine:" not in more else text.replace(changed, "")) + more)


def reload(daemon: RunningDaemon, ending: str) -> None:
    """SIGHUP, and wait until the log tells how it ended."""
    before = daemon.log.count(ending)
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(
        lambda: daemon.log.count(ending) > before or daemon.process.poll() is not None, ending
    )
    assert daemon.process.poll() is None, daemon.log


def pixels(root: ServedRoot) -> dict[str, str]:
    """A digest of the pixels of each picture in the outbox."""
    found: dict[str, str] = {}
    for path in root.outputs():
        if path.suffix == ".png" and "sheet" not in path.name:
            with Image.open(path) as picture:
                found[path.name] = hashlib.sha256(picture.convert("RGB").tobytes()).hexdigest()
    return found


def staged(root: ServedRoot) -> dict[str, tuple[int, int]]:
    """Name → (inode, mtime) of every whole frame in staging."""
    found = (root.outbox / ".img2imgd").rglob("*.png")
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in found
        if not path.name.startswith(".")
    }


def undisturbed(tmp_path: Path, picture: bytes) -> dict[str, str]:
    """The pixels of the same sweep when nobody reloads anything."""
    other = ServedRoot(tmp_path / "other", tmp_path / "other.yaml")
    other.write_config()
    drop(other.inbox, "hills.png", SWEEP, picture)
    assert other.once().returncode == 0
    return pixels(other)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("defaults: {strength: 0.3, steps: 7}\n", "defaults.strength"),
        ("engine: {backend: fake, device: auto, threads: 2}\n", "engine.threads"),
        ("outputs: {format: webp}\nretention: {done: 30d}\n", "outputs.format; retention.done"),
        ("models: {other: {source: demo}}\nmodel: other\noffline: true\n", "models.other (new)"),
    ],
)
def test_a_sweep_that_runs_is_painted_to_its_end_as_it_was_begun(
    root: ServedRoot, tmp_path: Path, more: str, told: str
) -> None:
    drop(root.inbox, "hills.png", SWEEP)
    picture, dropped = (root.inbox / "hills.png").read_bytes(), fingerprints(root.inbox)
    daemon = root.start(**SLOW)
    wait_until(lambda: root.staged_frames() >= 2, "two frames are painted")
    worker, painted = daemon.worker, staged(root)
    configure(root, more, settle=0.4)
    reload(daemon, "reloaded: ")
    assert "inboxes.inbox.settle" in daemon.log
    assert told in daemon.log
    assert daemon.worker == worker
    root.wait_served(1)
    assert pixels(root) == undisturbed(tmp_path, picture)
    published = {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in root.outputs()}
    assert painted.items() <= published.items(), "a painted frame was painted again"
    assert set(account(root, dropped).values()) == {"done"}
    assert_nothing_left_over(root)
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log
    assert "worker died" not in daemon.log


def test_what_is_dropped_after_a_reload_goes_by_the_new_config(root: ServedRoot) -> None:
    daemon = root.start()
    drop(root.inbox, "before.png", PLAIN)
    root.wait_served(1)
    configure(root, "defaults: {strength: 0.3, steps: 7}\n")
    reload(daemon, "reloaded: defaults.strength; defaults.steps")
    drop(root.inbox, "after.png", PLAIN)
    root.wait_served(2)
    before, after = (row.spec.asked for row in root.jobs())
    assert (before.strength, before.steps) == (0.8, 50)
    assert (after.strength, after.steps) == (0.3, 7)


def test_a_changed_engine_has_a_new_worker_once_the_old_one_has_painted(root: ServedRoot) -> None:
    daemon = root.start(**SLOW)
    drop(root.inbox, "hills.png", SWEEP)
    wait_until(lambda: root.staged_frames() >= 1, "a frame is painted")
    worker = daemon.worker
    configure(root, "engine: {backend: fake, device: auto, threads: 2}\n")
    reload(daemon, "reloaded: engine.device; engine.threads")
    drop(root.inbox, "next.png", PLAIN)  # waits for the new worker
    root.wait_served(2)
    assert "the engine's settings have changed: the worker is let go" in daemon.log
    assert daemon.worker not in (None, worker)
    assert "worker died" not in daemon.log
    first, second = root.jobs()
    assert first.spec.rel == "hills.png"
    assert first.ended_at <= second.started_at


def test_a_changed_row_of_the_loaded_model_is_loaded_anew_by_the_same_worker(
    root: ServedRoot, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    configure(root, f"models: {{mine: {{source: {tmp_path}/one}}}}\nmodel: mine\n")
    daemon = root.start(**SLOW)
    drop(root.inbox, "hills.png", SWEEP)
    wait_until(lambda: root.staged_frames() >= 1, "a frame is painted")
    worker = daemon.worker
    configure(root, f"models: {{mine: {{source: {tmp_path}/two}}}}\nmodel: mine\n")
    reload(daemon, "reloaded: models.mine")
    drop(root.inbox, "next.png", PLAIN)
    root.wait_served(2)
    assert "the model's row has changed" in daemon.log
    assert daemon.worker == worker
    hashes = {
        name: hashlib.sha256(f"{tmp_path}/{name}".encode()).hexdigest()[:10]
        for name in ("one", "two")
    }
    told = {
        path.name.split("_")[0]: Image.open(path).text["parameters"]  # type: ignore[attr-defined]
        for path in root.outputs()
        if path.suffix == ".png" and "sheet" not in path.name
    }
    assert f"Model hash: {hashes['one']}" in told["hills"]
    assert f"Model hash: {hashes['two']}" in told["next"]


def not_reloaded(root: ServedRoot) -> str:
    """What the daemon has noted; `status` itself refuses a config that cannot be used."""
    ledger = read_ledger(root.path / "state" / "ledger.sqlite")
    assert ledger is not None
    with closing(ledger):
        return ledger.facts().get(NOT_RELOADED, "")


def test_a_bad_config_is_told_whole_and_the_one_before_holds(root: ServedRoot, ear: Ear) -> None:
    daemon = root.launch(NOTIFY_SOCKET=ear.address)
    wait_until(lambda: ear.ready, "ready")
    configure(root, "defaults: {strenght: 0.3}\nmodel: nowhere\n")
    reload(daemon, "config not reloaded")
    wait_until(lambda: "nowhere" in daemon.log or "strenght" in daemon.log, "the reasons")
    assert daemon.log.count("config not reloaded: ") >= 1
    wait_until(lambda: ear.statuses[-1].startswith("config not reloaded"), "the status tells")
    assert "defaults.strenght" in not_reloaded(root)
    drop(root.inbox, "cat.png", PLAIN)
    root.wait_served(1)
    assert root.jobs()[0].spec.asked.strength == 0.8
    root.write_config()
    reload(daemon, "reloaded: nothing has changed")
    wait_until(lambda: ear.statuses[-1] == "idle", "the status is in order again")
    assert not_reloaded(root) == ""
    reloads = [message for message in ear.messages if "RELOADING" in message]
    assert len(reloads) == 2
    assert all(int(message["MONOTONIC_USEC"]) > 0 for message in reloads)
    assert sum("READY" in message for message in ear.messages) == 3


def test_a_config_that_is_a_pipe_by_now_is_not_waited_for(root: ServedRoot) -> None:
    root.write_config()
    daemon = root.start()
    root.config.unlink()
    os.mkfifo(root.config)
    reload(daemon, "config not reloaded: ")
    assert "is no plain file" in daemon.log
    assert daemon.stop() == 0


def test_every_problem_of_a_bad_config_is_a_line_of_the_log(root: ServedRoot) -> None:
    daemon = root.start()
    configure(root, "defaults: {strength: 7, steps: none}\noffline: perhaps\n")
    reload(daemon, "config not reloaded: ")
    wait_until(lambda: daemon.log.count("ERROR   config not reloaded: ") == 3, "three problems")
    for key in ("defaults.strength", "defaults.steps", "offline"):
        assert key in daemon.log


def test_another_folder_is_refused_and_nothing_of_that_config_holds(root: ServedRoot) -> None:
    daemon = root.start()
    configure(root, f"outbox: {root.path}/elsewhere\ndefaults: {{strength: 0.3}}\n")
    reload(daemon, "config not reloaded: Another outbox needs a restart.")
    wait_until(
        lambda: root.status()["not_reloaded"] == "Another outbox needs a restart.", "status tells"
    )
    drop(root.inbox, "cat.png", PLAIN)
    root.wait_served(1)
    assert root.jobs()[0].spec.asked.strength == 0.8
    assert not (root.path / "elsewhere").exists()


def test_without_a_config_file_a_reload_changes_nothing(tmp_path: Path) -> None:
    log_file = tmp_path / "log"
    with log_file.open("wb") as log:
        process = subprocess.Popen([PROGRAM, "run", "--root", tmp_path / "root"], stderr=log)
    daemon = RunningDaemon(process, log_file)
    try:
        wait_until(lambda: "watching" in daemon.log, "it watches")
        reload(daemon, "reloaded: nothing has changed")
        assert daemon.stop() == 0
    finally:
        process.kill()
        process.wait(10)


def test_a_reload_at_any_moment_of_the_start_kills_nobody(root: ServedRoot) -> None:
    daemon = root.launch()
    wait_until(lambda: ignores_hangup(daemon.pid), "it is past the interpreter's start")
    while "watching" not in daemon.log and daemon.process.poll() is None:
        os.kill(daemon.pid, signal.SIGHUP)
    wait_until(lambda: "reloaded: nothing has changed" in daemon.log, "a reload after the start")
    assert daemon.stop() == 0


def ignores_hangup(pid: int) -> bool:
    """True once SIGHUP is ignored or handled, and no longer deadly."""
    status = Path(f"/proc/{pid}/status").read_text()
    masks = {line.split()[0]: int(line.split()[1], 16) for line in status.splitlines()
             if line.startswith(("SigIgn:", "SigCgt:"))}  # fmt: skip
    return bool((masks["SigIgn:"] | masks["SigCgt:"]) & 1)
