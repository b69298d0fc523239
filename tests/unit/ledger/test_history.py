"""Ended jobs a page at a time, and how far the frames of jobs are."""

from __future__ import annotations

import itertools
import os
import sqlite3
import unicodedata
from pathlib import Path

import pytest

from img2imgd.job import FrameState, JobState
from img2imgd.ledger import (
    Ending,
    FileEntry,
    JobSpec,
    Ledger,
    Outputs,
    Place,
    open_ledger,
    read_ledger,
)
from img2imgd.request import Request


def add(
    ledger: Ledger,
    job: str,
    state: JobState,
    rel: str = "cat.png",
    prompt: str = "",
    more_prompts: tuple[str, ...] = (),
) -> None:
    request = Request(
        prompt=prompt, negative_prompt="", strength=0.5, guidance_scale=7, steps=10, seed=7,
        model="demo", more_prompts=more_prompts,
    )  # fmt: skip
    spec = JobSpec(
        id=job, inbox="/in", rel=rel, mode="move",
        files=(FileEntry("picture", rel, f"/in/{rel}", "move", 1, 1, 1),),
        request=request, outputs=Outputs("", "set", ("a.png", "b.png")),
    )  # fmt: skip
    ledger.add_job(spec, JobState.QUEUED, [(0, 5), (1, 5)])
    ledger.set_state(job, state)


def test_pages_follow_each_other_without_gaps_though_times_are_equal(ledger: Ledger) -> None:
    for number in range(25):
        add(ledger, f"J{number:02}", JobState.DONE)
    ledger.sql.execute("UPDATE jobs SET ended_at=round(ended_at)")
    seen: list[str] = []
    place: Place | None = None
    for _ in itertools.repeat(None):
        page = ledger.ended("results", 10, place)
        seen += [job.id for job in page.jobs]
        if page.next is None:
            break
        place = Place.parse(str(page.next))
    assert seen == [f"J{number:02}" for number in reversed(range(25))]
    assert ledger.count_ended("results") == 25


def test_a_page_goes_on_where_it_was_though_new_jobs_have_ended(ledger: Ledger) -> None:
    for number in range(4):
        add(ledger, f"J{number}", JobState.DONE)
    page = ledger.ended("results", 2)
    add(ledger, "new", JobState.DONE)
    assert [job.id for job in ledger.ended("results", 9, page.next).jobs] == ["J1", "J0"]


def test_jobs_are_found_by_path_and_prompt_whatever_the_case(ledger: Ledger) -> None:
    add(ledger, "J1", JobState.DONE, rel="Träume/ÄPFEL.png", prompt="a lake")
    add(ledger, "J2", JobState.DONE, prompt="An Oil Painting, 100%")
    add(ledger, "J3", JobState.DONE, rel=os.fsdecode(b"\xff.png"))
    found = {text: [job.id for job in ledger.ended("results", 9, text=text).jobs]
             for text in ("äpfel", "träume/", "oil", "100%", "nothing", "LAKE")}  # fmt: skip
    assert found == {
        "äpfel": ["J1"], "träume/": ["J1"], "oil": ["J2"], "100%": ["J2"], "nothing": [],
        "LAKE": ["J1"],
    }  # fmt: skip
    assert ledger.count_ended("results", "oil") == 1


def test_accents_are_found_however_they_are_written(ledger: Ledger) -> None:
    add(ledger, "J1", JobState.DONE, rel=unicodedata.normalize("NFD", "Hügel.png"))
    add(ledger, "J2", JobState.DONE, prompt="grüne HÜGEL")
    add(ledger, "J3", JobState.DONE, more_prompts=("Straße über Hügel", 'a "quoted" word'))
    for text in ("hügel", unicodedata.normalize("NFD", "HÜGEL")):
        assert [job.id for job in ledger.ended("results", 9, text=text).jobs] == ["J3", "J2", "J1"]
        assert ledger.count_ended("results", text) == 3
    for text in ("STRASSE", 'a "quoted"'):
        assert [job.id for job in ledger.ended("results", 9, text=text).jobs] == ["J3"]


def test_a_search_goes_on_page_by_page(ledger: Ledger) -> None:
    for number in range(300):
        add(
            ledger,
            f"J{number:03}",
            JobState.DONE,
            prompt=f"{'Über' if number % 3 else 'x'} {number}",
        )
    wanted = [f"J{number:03}" for number in reversed(range(300)) if number % 3]
    seen: list[str] = []
    place: Place | None = None
    while True:
        page = ledger.ended("results", 7, place, "ÜBER")
        seen += [job.id for job in page.jobs]
        if page.next is None:
            break
        place = Place.parse(str(page.next))
    assert seen == wanted
    assert ledger.count_ended("results", "über") == 200


@pytest.mark.parametrize("text", ["", "x", "1.5", "1.5_", "1.5_x", "1.5_99999999999999999999"])
def test_no_place_is_made_of_nonsense(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        Place.parse(text)


@pytest.mark.parametrize("kind", ["results", "failures"])
def test_results_and_failures_are_read_by_their_indexes(ledger: Ledger, kind: Ending) -> None:
    queries: list[str] = []
    ledger.sql.set_trace_callback(queries.append)
    ledger.ended(kind, 5)
    ledger.ended(kind, 5, Place(1.0, 1))
    ledger.count_ended(kind)
    ledger.sql.set_trace_callback(None)
    assert len(queries) == 3
    for query in queries:
        (step, *others) = ledger.sql.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
        assert f"jobs_{kind}" in step["detail"]
        assert not others


def test_progress_is_of_many_jobs_at_once(ledger: Ledger) -> None:
    add(ledger, "J1", JobState.RUNNING)
    add(ledger, "J2", JobState.RUNNING)
    ledger.set_frame("J1", 0, FrameState.STAGED)
    ledger.set_steps({("J1", 1): 3})
    progress = ledger.progress(["J1", "J2", "none"])
    assert progress.keys() == {"J1", "J2"}
    one = progress["J1"]
    assert (one.frames, one.frames_done, one.steps, one.staged_steps, one.steps_done) == (
        2, 1, 10, 5, 8,
    )  # fmt: skip


def test_an_older_ledger_is_read_as_it_is_and_upgraded_when_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    made = open_ledger(path)
    made.set_waiting("/in", {"a.png": "waits"}, {"a.png": 5.0})
    made.close()
    with sqlite3.connect(path) as older:
        older.execute("ALTER TABLE waiting DROP COLUMN until")
        older.execute("DROP INDEX jobs_results")
    older.close()
    reading = read_ledger(path)
    assert reading is not None
    assert [row.until for row in reading.waiting_files()] == [None]
    assert reading.ended("results", 5).jobs == ()
    reading.close()
    writing = open_ledger(path)
    assert [row.why for row in writing.waiting_files()] == ["waits"]
    writing.set_waiting("/in", {"a.png": "waits"}, {"a.png": 5.0})
    assert [row.until for row in writing.waiting_files()] == [5.0]
    writing.close()


def test_what_is_no_place_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        Place.parse("1.0_x")
    with pytest.raises(ValueError, match="_9"):
        Place.parse(f"1.0_{'9' * 30}")


def test_a_snapshot_sees_nothing_that_is_written_meanwhile(tmp_path: Path) -> None:
    writing = open_ledger(tmp_path / "ledger.sqlite")
    reading = read_ledger(tmp_path / "ledger.sqlite")
    assert reading is not None
    with reading.snapshot():
        assert reading.counts() == {}
        add(writing, "J1", JobState.DONE)
        assert reading.counts() == {}
    assert reading.counts() == {"done": 1}
    reading.close()
    writing.close()
