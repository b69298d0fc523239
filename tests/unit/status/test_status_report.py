"""The report that ``img2imgd status`` prints, from the ledger alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from recorded_jobs import add, config_at, daemon_runs, request_of

from img2imgd.config import Config
from img2imgd.job import FrameState, JobState
from img2imgd.ledger import Activity, JobActivity, Ledger
from img2imgd.status import make_report


def test_a_root_without_a_ledger_has_nothing_to_report(config: Config) -> None:
    report = make_report(None, config)
    assert (report.running, report.counts, report.queued, report.results) == (False, {}, (), ())
    assert report.free_bytes


def test_an_empty_ledger_is_an_idle_daemon_that_does_not_run(
    ledger: Ledger, config: Config
) -> None:
    report = make_report(ledger, config)
    assert not report.running
    assert report.pid is None
    assert (report.counts, report.current, report.queued, report.results) == ({}, (), (), ())


def test_jobs_are_told_by_what_becomes_of_them(ledger: Ledger, config: Config) -> None:
    for job, state in (
        ("J1", JobState.RUNNING), ("J2", JobState.PUBLISHING), ("J3", JobState.QUEUED),
        ("J4", JobState.DONE), ("J5", JobState.FAILED), ("J6", JobState.CANCELLED),
        ("J7", JobState.REPLACED),
    ):  # fmt: skip
        add(ledger, job, state)
    add(ledger, "J8", JobState.CANCELLED, published="cat")
    report = make_report(ledger, config)
    assert sorted(job.id for job in report.current) == ["J1", "J2"]
    assert [job.id for job in report.queued] == ["J3"]
    assert [job.id for job in report.results] == ["J8", "J4"]
    assert [job.id for job in report.failures] == ["J6", "J5"]
    assert report.counts["replaced"] == 1


def test_progress_counts_frames_and_steps(ledger: Ledger, config: Config) -> None:
    add(ledger, "J1", JobState.RUNNING)
    daemon_runs(ledger)
    ledger.set_steps({("J1", 1): 2})
    ledger.set_frame("J1", 0, FrameState.STAGED)
    (job,) = make_report(ledger, config).current
    assert (job.frames, job.frames_done, job.steps, job.steps_done) == (2, 1, 10, 7)
    ledger.set_frame("J1", 1, FrameState.FAILED, "why")
    (job,) = make_report(ledger, config).current
    assert (job.frames_done, job.steps_done) == (2, 10)


def test_a_sweep_that_was_stopped_shows_what_is_painted_of_it(
    ledger: Ledger, config: Config
) -> None:
    add(ledger, "J1", JobState.RUNNING)
    ledger.set_frame("J1", 0, FrameState.STAGED)
    ledger.set_steps({("J1", 1): 4})
    ledger.set_state("J1", JobState.QUEUED)
    (job,) = make_report(ledger, config).queued
    assert (job.frames_done, job.frames, job.position) == (1, 2, 1)
    assert job.why == ""
    ledger.set_state("J1", JobState.RUNNING)  # it was killed while the job ran
    (job,) = make_report(ledger, config).current
    assert (job.phase, job.steps_done) == ("waiting", 5)  # four steps are lost
    assert "does not run" in job.why


def test_of_jobs_claimed_together_only_those_at_work_are_being_painted(
    ledger: Ledger, config: Config
) -> None:
    for number in range(4):
        add(ledger, f"J{number}", JobState.RUNNING)
    daemon_runs(ledger)
    doing = {
        "J0": JobActivity("waiting"),
        "J1": JobActivity("painting", steps=20, seconds=10.0),
        "J2": JobActivity("assembling"),
        "J3": JobActivity("waiting", "done/sub cannot be written."),
    }
    ledger.set_activity(Activity(jobs=doing))
    found = make_report(ledger, config).current
    assert [(job.id, job.phase) for job in found] == [
        ("J1", "painting"), ("J2", "assembling"), ("J0", "waiting"), ("J3", "waiting"),
    ]  # fmt: skip
    assert [job.why for job in found] == ["", "", "", "done/sub cannot be written."]
    assert [job.seconds_left for job in found] == [5.0, None, None, None]


def test_frames_that_are_painted_once_for_several_count_their_steps_once(
    ledger: Ledger, config: Config
) -> None:
    sweep = request_of(n=1, steps=2, sweep={"strength": (0.5, 0.6, 0.7, 1.0)})  # 1, 1, 1, 2 steps
    add(ledger, "J1", JobState.RUNNING, request=sweep)
    daemon_runs(ledger)
    ledger.set_frame("J1", 0, FrameState.STAGED)
    (job,) = make_report(ledger, config).current
    assert (job.frames, job.frames_done, job.steps, job.steps_done) == (4, 3, 3, 1)
    assert job.kind == "sweep"


def test_a_model_that_is_loaded_has_its_first_job_at_work(ledger: Ledger, config: Config) -> None:
    add(ledger, "J1", JobState.QUEUED)
    add(ledger, "J2", JobState.QUEUED, request=request_of(model="sd21"))
    add(ledger, "J3", JobState.QUEUED, request=request_of(model="sd21"))
    daemon_runs(ledger)
    ledger.set_activity(Activity(loading="sd21"))
    report = make_report(ledger, config)
    assert [(job.id, job.phase) for job in report.current] == [("J2", "loading")]
    assert [(job.id, job.position) for job in report.queued] == [("J1", 1), ("J3", 2)]
    assert (report.queued_total, report.loading) == (2, "sd21")


def test_a_picture_that_takes_long_to_read_is_at_work(ledger: Ledger, config: Config) -> None:
    add(ledger, "J1", JobState.QUEUED)
    daemon_runs(ledger)
    ledger.set_activity(Activity(jobs={"J1": JobActivity("reading")}))
    assert [job.phase for job in make_report(ledger, config).current] == ["reading"]


def test_the_queue_says_why_a_job_does_not_start(ledger: Ledger, config: Config) -> None:
    models = {"J1": "demo", "J2": "gone", "J3": "demo", "J4": "demo"}
    for job, model in models.items():
        add(ledger, job, JobState.QUEUED, request=request_of(model=model))
    ledger.set_suspect("J4", suspect=True)
    daemon_runs(ledger)
    held = Activity(models={"gone": "Model gone: no such folder."}, held={"J3": "a bad sector"})
    ledger.set_activity(held)
    assert [job.why for job in make_report(ledger, config).queued] == [
        "", "Model gone: no such folder.", "a bad sector", "runs alone: the worker died with it",
    ]  # fmt: skip
    ledger.set_activity(Activity(inboxes={"spool-1": "The inbox is not there."}))
    assert {job.why for job in make_report(ledger, config).queued} == {"The inbox is not there."}
    ledger.set_activity(Activity())
    ledger.set_paused(paused=True)
    report = make_report(ledger, config)
    assert {job.why for job in report.queued} == {"painting is paused"}
    assert report.paused_since is not None


def test_a_full_disk_is_what_it_waits_for_even_where_the_ledger_could_not_be_told(
    ledger: Ledger, config: Config, tmp_path: Path
) -> None:
    add(ledger, "J1", JobState.RUNNING)
    add(ledger, "J2", JobState.QUEUED)
    daemon_runs(ledger)
    full = config_at(tmp_path, min_free_gb=1e9)
    report = make_report(ledger, full)
    assert "limits.min_free_gb asks for" in report.waits_for
    (job,) = report.current
    assert (job.phase, job.why) == ("waiting", report.waits_for)
    assert report.queued[0].why == report.waits_for
    assert make_report(ledger, config).waits_for == ""


def test_recent_results_are_limited_and_newest_first(ledger: Ledger, config: Config) -> None:
    for number in range(30):
        add(ledger, f"J{number}", JobState.DONE)
    report = make_report(ledger, config)
    assert [job.id for job in report.results] == [f"J{number}" for number in range(29, 19, -1)]
    assert report.counts == {"done": 30}


def test_many_results_do_not_hide_the_failures(ledger: Ledger, config: Config) -> None:
    add(ledger, "bad", JobState.FAILED)
    for number in range(80):
        add(ledger, f"J{number}", JobState.DONE)
    assert [job.id for job in make_report(ledger, config).failures] == ["bad"]


def test_a_failure_tells_reason_and_advice_apart(ledger: Ledger, config: Config) -> None:
    add(ledger, "J1", JobState.FAILED, reason="It is no picture.\nCopy it again.")
    add(ledger, "J2", JobState.FAILED, reason="a.yaml: line 1: what?\na.yaml: line 2, n: no.\nMend")
    ledger.give_order("retry", "J1")
    second, first = make_report(ledger, config).failures
    assert (first.reason, first.advice) == ("It is no picture.", "Copy it again.")
    assert (second.reason.count("\n"), second.advice) == (1, "Mend")
    assert (first.ordered, second.ordered) == (True, False)


def test_what_was_noted_of_a_result_is_told(ledger: Ledger, config: Config) -> None:
    add(ledger, "J1", JobState.DONE, reason="one\ntwo", published="cat.png")
    (job,) = make_report(ledger, config).results
    assert (job.notes, job.reason, job.published) == (("one", "two"), "", "cat.png")


def test_names_that_are_no_utf8_can_be_printed_as_json(ledger: Ledger, config: Config) -> None:
    add(ledger, "J1", JobState.QUEUED, rel=os.fsdecode(b"\xff.png"))
    ledger.set_waiting("/in", {os.fsdecode(b"\xfe.png"): "waits"})
    report = make_report(ledger, config)
    text = json.dumps(asdict(report), ensure_ascii=False).encode("utf-8").decode()
    assert "\\\\xff.png" in text
    assert "\\xfe.png" in report.waiting[0].file


def test_waiting_files_say_until_when(ledger: Ledger, config: Config) -> None:
    daemon_runs(ledger)
    ledger.set_waiting("/in", {"a.png": "has no prompt yet", "b.png": "is empty"}, {"a.png": 60.0})
    first, second = make_report(ledger, config).waiting
    assert (first.inbox, first.until, second.until) == ("in", "1970-01-01T00:01:00+00:00", None)
    few = make_report(ledger, config, shown_most=1)
    assert (len(few.waiting), few.waiting_total) == (1, 2)


def test_a_daemon_runs_if_its_process_is_there(ledger: Ledger, config: Config) -> None:
    daemon_runs(ledger)
    report = make_report(ledger, config)
    assert (report.running, report.pid, report.model, report.device) == (
        True, os.getpid(), "demo", "cpu",
    )  # fmt: skip
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(60)
    ledger.set_facts(pid=str(process.pid))
    assert not make_report(ledger, config).running


def test_a_killed_daemon_that_nobody_has_buried_does_not_run(
    ledger: Ledger, config: Config
) -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        daemon_runs(ledger)
        ledger.set_facts(pid=str(process.pid))
        assert not make_report(ledger, config).running


def test_a_daemon_on_another_host_is_believed(ledger: Ledger, config: Config) -> None:
    ledger.set_facts(pid="1", host="another-machine", waits_for="the disk is full")
    report = make_report(ledger, config)
    assert report.running
    assert report.waits_for == "the disk is full"


def test_reports_are_plain_values(ledger: Ledger, config: Config) -> None:
    report = make_report(ledger, config)
    assert replace(report) == report


def test_an_inbox_that_is_away_is_told_while_the_daemon_runs(
    ledger: Ledger, config: Config
) -> None:
    daemon_runs(ledger)
    ledger.set_unavailable("/scans", "The inbox /scans is not there.")
    ledger.set_unavailable("/\udcff", "odd")
    away = {one.inbox: one.why for one in make_report(ledger, config).unavailable}
    assert away["/scans"] == "The inbox /scans is not there."
    ledger.set_unavailable("/scans", "")
    ledger.set_unavailable("/\udcff", "")
    assert make_report(ledger, config).unavailable == ()
    ledger.set_unavailable("/scans", "The inbox /scans is not there.")
    ledger.set_facts(pid="")
    assert make_report(ledger, config).unavailable == ()


@pytest.mark.parametrize("most", [0, 3])
def test_a_report_has_as_many_results_as_are_asked_for(
    ledger: Ledger, config: Config, most: int
) -> None:
    for number in range(5):
        add(ledger, f"J{number}", JobState.DONE)
        add(ledger, f"F{number}", JobState.FAILED)
    report = make_report(ledger, config, recent=most)
    assert (len(report.results), len(report.failures)) == (most, most)
