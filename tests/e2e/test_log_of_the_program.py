"""The program's log as JSON and as the journal gets it, from supervisor and worker."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from sample_drops import drop
from served_root import PROGRAM, RunningDaemon, ServedRoot

from waiting import wait_until


def launch(root: ServedRoot, *arguments: str, journal: bool = False) -> RunningDaemon:
    """The daemon with its log in a file that may be the journal's stream."""
    log_file = root.path.parent / "daemon.log"
    with log_file.open("wb") as log:
        found = log_file.stat()
        stream = f"JOURNAL_STREAM={found.st_dev}:{found.st_ino}" if journal else "_=_"
        process = subprocess.Popen(
            ["env", stream, PROGRAM, "run", "-c", root.config, *arguments],
            stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    root.daemons.append(RunningDaemon(process, log_file))
    return root.daemons[-1]


def serve_with_a_dead_worker(root: ServedRoot, daemon: RunningDaemon) -> None:
    """A job that kills its worker, another that is published, and a stop."""
    drop(root.inbox, "bad.png", "prompt: poison\nseed: 1\n")
    wait_until(lambda: "worker died" in daemon.log, "the worker has died")
    drop(root.inbox, "good.png", "prompt: a lake\nseed: 1\n")
    wait_until(lambda: "good.png" in daemon.log and "published" in daemon.log, "published", 60)
    assert daemon.stop() == 0


def test_every_line_of_a_json_log_is_an_object(
    root: ServedRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_POISON", "poison")
    daemon = launch(root, "--log-format", "json", "--log-level", "DEBUG")
    serve_with_a_dead_worker(root, daemon)
    lines = [json.loads(line) for line in daemon.log.splitlines()]
    assert {"INFO", "ERROR"} <= {line["level"] for line in lines}
    jobs = {row.id: row.spec.rel for row in root.jobs()}
    published = [line for line in lines if " published " in line["message"]]
    assert [jobs[line["job"]] for line in published] == ["good.png"]


def test_every_line_to_the_journal_has_a_priority(
    root: ServedRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_POISON", "poison")
    daemon = launch(root, journal=True)
    serve_with_a_dead_worker(root, daemon)
    lines = daemon.log.splitlines()
    assert all(line[0] == "<" and line[1] in "234567" and line[2] == ">" for line in lines), lines
    assert any(line.startswith("<3>worker died") for line in lines)
    assert any(line.startswith("<6>job ") for line in lines)


def test_why_it_could_not_start_is_an_error_of_the_journal(root: ServedRoot) -> None:
    root.config.write_text("defaults: {strength: 7, steps: none}\n")
    daemon = launch(root, journal=True)
    assert daemon.process.wait(30) == 2
    assert [line[:3] for line in daemon.log.splitlines()] == ["<3>"] * 2
    assert "defaults.strength" in daemon.log


def test_a_stranger_under_the_journal_whose_stderr_is_a_file_writes_text(
    root: ServedRoot, tmp_path: Path
) -> None:
    daemon = root.launch(JOURNAL_STREAM="9:123456")
    wait_until(lambda: "watching" in daemon.log, "it watches")
    assert daemon.stop() == 0
    assert "<6>" not in daemon.log
