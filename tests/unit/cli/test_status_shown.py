"""How the report looks: on terminals of any width, as lines, and as changes."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from img2imgd.cli.status_text import changes, lines
from img2imgd.cli.status_view import view
from img2imgd.cli.wording import duration
from img2imgd.status import Ended, Queued, Report, Running, Unavailable, WaitingFile

NOW = datetime(2026, 11, 26, 20, 0, tzinfo=UTC)
AT = "2026-11-26T19:58:00+00:00"
CARD = {"inbox": "inbox", "prompt": "a [bold]lake[/]", "model": "demo", "claimed_at": AT}


def running(job: str, **values: object) -> Running:
    plain = {
        "picture": "[red]cat.png", "kind": "sweep", "state": "running", "frames": 31,
        "phase": "painting", "why": "", "started_at": AT, "frames_done": 12, "steps": 900,
        "steps_done": 450, "seconds_left": 95.0, "attempts": 0,
    }  # fmt: skip
    return Running(id=job, **CARD, **(plain | values))  # type: ignore[arg-type]


def queued(position: int, **values: object) -> Queued:
    plain = {"kind": "picture", "state": "queued", "frames": 1, "why": "", "frames_done": 0}
    return Queued(
        id=f"Q{position}", picture=f"scan{position}.png", position=position, attempts=0,
        **CARD, **(plain | values),  # type: ignore[arg-type]
    )  # fmt: skip


def ended(job: str, state: str, **values: object) -> Ended:
    plain = {
        "picture": f"{job}.png", "kind": "picture", "frames": 1, "ended_at": AT, "seconds": 9.0,
        "published": "", "reason": "", "advice": "", "notes": (), "attempts": 1, "ordered": False,
        "retry_why": "",
    }  # fmt: skip
    return Ended(id=job, state=state, **CARD, **(plain | values))  # type: ignore[arg-type]


REPORT = Report(
    root="/srv/[green]img2imgd", running=True, pid=7, host="studio", paused_since=None,
    model="demo", device="cuda:0 float16", loading="", waits_for="", unavailable=(),
    counts={"done": 2000, "failed": 1, "running": 1, "queued": 70},
    current=(running("R1"),),
    queued=tuple(queued(number) for number in range(1, 51)), queued_total=70,
    waiting=(WaitingFile("inbox", "dog.png", "has no prompt yet", "2026-11-26T20:10:00+00:00"),),
    waiting_total=1,
    results=(ended("D1", "done", published="D1_a-lake_00_7.png", notes=("cut [i]off[/i]",)),),
    failures=(ended("F1", "failed", reason="It is [no] picture.", advice="Copy it again."),),
    free_bytes=42_000_000_000,
)  # fmt: skip


def drawn(report: Report, width: int, most: int = 10) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(view(report, NOW, width=width, most=most))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [30, 50, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    text = drawn(REPORT, width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "F1.png" in text


def test_the_table_has_the_queue_progress_failures_and_what_to_do() -> None:
    text = drawn(REPORT, 100)
    for part in (
        "running  pid 7 on studio", "42.0 GB free", "painting  [red]cat.png", "50%",
        "12/31 frames", "1 min 35 s left", "… and 60 more", "10 min left", "D1_a-lake_00_7.png",
        "It is [no] picture.", "img2imgd retry F1", "2,000 done",
    ):  # fmt: skip
        assert part in text, part


def test_markup_in_names_stays_text() -> None:
    text = drawn(REPORT, 200)
    for part in ("[red]cat.png", "[green]img2imgd", "a [bold]lake[/]", "cut [i]off[/i]"):
        assert part in text


def test_pauses_and_faults_are_told_in_words() -> None:
    report = replace(
        REPORT, paused_since=AT, loading="sd21", waits_for="the disk is full",
        unavailable=(Unavailable("/scans", "is not there"),),
        current=(running("R1", phase="waiting", why="the disk is full", seconds_left=None),),
    )  # fmt: skip
    for text in (drawn(report, 100), "\n".join(lines(report, NOW))):
        for part in ("paused", "19:58", "img2imgd resume", "sd21", "disk is full", "/scans"):
            assert part in text


def test_a_refused_reload_the_page_and_a_config_elsewhere_are_told() -> None:
    report = replace(
        REPORT, not_reloaded="line 3: no such key", page="http://127.0.0.1:8765/",
        options="-c '/my etc/c.yaml'",
    )  # fmt: skip
    for text in (drawn(report, 120), "\n".join(lines(report, NOW))):
        for part in (
            "not reloaded", "line 3: no such key", "http://127.0.0.1:8765/",
            "img2imgd retry -c '/my etc/c.yaml' F1",
        ):  # fmt: skip
            assert part in text, part
    assert "not reloaded" in "\n".join(changes(REPORT, report))
    stopped = replace(report, running=False)
    for text in (drawn(stopped, 120), "\n".join(lines(stopped, NOW))):
        assert "img2imgd run -c '/my etc/c.yaml'" in text


def test_lines_hold_a_fact_each() -> None:
    text = list(lines(REPORT, NOW))
    assert text[0] == "running: pid 7 on studio, model demo on cuda:0 float16"
    assert "  painting   [red]cat.png: 50%, 12/31 frames, 1 min 35 s left" in text
    assert "  queued     and 20 more" in text
    assert "  in inbox   dog.png: has no prompt yet: until 20:10:00" in text
    assert "             try again: img2imgd retry F1" in text


def test_changes_are_told_in_their_order() -> None:
    later = replace(
        REPORT,
        current=(running("R1", frames_done=13, steps_done=480),),
        results=(ended("D2", "done", published="D2.png"), *REPORT.results),
        queued_total=69,
    )
    assert list(changes(REPORT, later)) == [
        "painting   [red]cat.png: 53%, 13/31 frames, 1 min 35 s left",
        "done       D2.png: D2.png",
        "69 queued, 1 in the inboxes",
    ]
    assert list(changes(REPORT, REPORT)) == []
    assert list(changes(REPORT, replace(REPORT, running=False))) == ["not running"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59.6, "1 min"), (95, "1 min 35 s"), (605, "10 min"), (3599, "1 h"),
     (4800, "1 h 20 min"), (86_400 * 2 + 3600 * 3, "2 d 3 h"), (-3, "0 s")],
)  # fmt: skip
def test_durations_are_said_as_people_do(seconds: float, words: str) -> None:
    assert duration(seconds) == words
