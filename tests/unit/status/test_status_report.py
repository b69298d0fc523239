"""The report that ``img2imgd status`` prints, from the ledger alone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from img2imgd.job import FrameState, JobState
from img2imgd.ledger import FileEntry, JobSpec, Ledger, Outputs, open_ledger
from img2imgd.request import Request
from img2imgd.status import make_report


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


def add(ledger: Ledger, job: str, state: JobState, rel: str = "cat.png") -> None:
    request = Request(
        prompt="a lake", negative_prompt="", strength=0.5, guidance_scale=7, steps=10, seed=7,
        model="demo", n=2,
    )  # fmt: skip
    spec = JobSpec(
        id=job, inbox="/in", rel=rel, mode="move",
        files=(FileEntry("picture", rel, f"/in/{rel}", "move", 1, 1, 1),),
        request=request, outputs=Outputs("", "set", ("a.png", "b.png")),
    )  # fmt: skip
    ledger.add_job(spec, JobState.QUEUED, [(0, 5), (1, 5)])
    if state is not JobState.QUEUED:
        ledger.set_state(job, state)


def test_an_empty_ledger_is_an_idle_daemon_that_does_not_run(ledger: Ledger) -> None:
    report = make_report(ledger)
    assert not report.running
    assert report.pid is None
    assert (report.counts, report.current, report.queued, report.results) == ({}, (), (), ())


def test_jobs_are_told_by_what_becomes_of_them(ledger: Ledger) -> None:
    for job, state in (
        ("J1", JobState.RUNNING), ("J2", JobState.PUBLISHING), ("J3", JobState.QUEUED),
        ("J4", JobState.DONE), ("J5", JobState.FAILED), ("J6", JobState.CANCELLED),
        ("J7", JobState.REPLACED),
    ):  # fmt: skip
        add(ledger, job, state)
    report = make_report(ledger)
    assert [job.id for job in report.current] == ["J1", "J2"]
    assert [job.id for job in report.queued] == ["J3"]
    assert [job.id for job in report.results] == ["J4"]
    assert [job.id for job in report.failures] == ["J6", "J5"]
    assert report.counts["replaced"] == 1
    assert report.results[0].ended_at is not None
    assert report.current[0].ended_at is None


def test_progress_counts_frames_and_steps(ledger: Ledger) -> None:
    add(ledger, "J1", JobState.RUNNING)
    ledger.set_steps({("J1", 1): 2})
    ledger.set_frame("J1", 0, FrameState.STAGED)
    (job,) = make_report(ledger).current
    assert (job.frames, job.frames_done, job.steps, job.steps_done) == (2, 1, 10, 7)
    ledger.set_frame("J1", 1, FrameState.FAILED, "why")
    (job,) = make_report(ledger).current
    assert (job.frames_done, job.steps_done) == (2, 10)


def test_recent_results_are_limited_and_newest_first(ledger: Ledger) -> None:
    for number in range(30):
        add(ledger, f"J{number}", JobState.DONE)
    report = make_report(ledger)
    assert [job.id for job in report.results] == [f"J{number}" for number in range(29, 19, -1)]
    assert report.counts == {"done": 30}


def test_many_results_do_not_hide_the_failures(ledger: Ledger) -> None:
    add(ledger, "bad", JobState.FAILED)
    for number in range(80):
        add(ledger, f"J{number}", JobState.DONE)
    assert [job.id for job in make_report(ledger).failures] == ["bad"]


def test_names_that_are_no_utf8_can_be_printed_as_json(ledger: Ledger) -> None:
    add(ledger, "J1", JobState.QUEUED, rel=os.fsdecode(b"\xff.png"))
    ledger.set_waiting("/in", {os.fsdecode(b"\xfe.png"): "waits"})
    report = make_report(ledger)
    text = json.dumps(asdict(report), ensure_ascii=False).encode("utf-8").decode()
    assert "\\\\xff.png" in text
    assert "\\xfe.png" in report.waiting[0].file


def test_a_daemon_runs_if_its_process_is_there(ledger: Ledger) -> None:
    ledger.set_facts(pid=str(os.getpid()), host=socket.gethostname(), model="demo", device="cpu")
    report = make_report(ledger)
    assert (report.running, report.pid, report.model, report.device) == (
        True, os.getpid(), "demo", "cpu",
    )  # fmt: skip
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(60)
    ledger.set_facts(pid=str(process.pid))
    assert not make_report(ledger).running


def test_a_killed_daemon_that_nobody_has_buried_does_not_run(ledger: Ledger) -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        ledger.set_facts(pid=str(process.pid), host=socket.gethostname())
        assert not make_report(ledger).running


def test_a_daemon_on_another_host_is_believed(ledger: Ledger) -> None:
    ledger.set_facts(pid="1", host="another-machine", waits_for="the disk is full")
    report = make_report(ledger)
    assert report.running
    assert report.waits_for == "the disk is full"


def test_reports_are_plain_values(ledger: Ledger) -> None:
    report = make_report(ledger)
    assert replace(report) == report


def test_an_inbox_that_is_away_is_told_while_the_daemon_runs(ledger: Ledger) -> None:
    ledger.set_facts(pid=str(os.getpid()), host=socket.gethostname())
    ledger.set_unavailable("/scans", "The inbox /scans is not there.")
    ledger.set_unavailable("/\udcff", "odd")
    assert make_report(ledger).unavailable["/scans"] == "The inbox /scans is not there."
    ledger.set_unavailable("/scans", "")
    ledger.set_unavailable("/\udcff", "")
    assert make_report(ledger).unavailable == {}
    ledger.set_unavailable("/scans", "The inbox /scans is not there.")
    ledger.set_facts(pid="")
    assert make_report(ledger).unavailable == {}
