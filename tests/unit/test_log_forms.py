"""What a line of the log looks like, for people, for programs and for the journal."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from img2imgd import log

JOB = "20261126T202752-0123abcd"
OUTSIDE = os.fsdecode(b"caf\xe9\n<0>forged")

Written = Callable[[], list[str]]


@pytest.fixture
def written(capfd: pytest.CaptureFixture[str]) -> Iterator[Written]:
    """What was written to stderr, by line; the package's logger is as before, after."""
    package = logging.getLogger("img2imgd")
    before = package.handlers[:], package.level, package.propagate
    yield lambda: capfd.readouterr().err.splitlines()
    package.handlers[:], package.propagate = before[0], before[2]
    package.setLevel(before[1])


def say() -> None:
    """One line of each kind, and a traceback."""
    logger = logging.getLogger("img2imgd.test")
    logger.info("job %s published %s", JOB, OUTSIDE)
    logger.warning("no room")
    try:
        raise ValueError(OUTSIDE)
    except ValueError:
        logger.exception("a scan failed")


def test_text_has_time_level_and_message_and_the_traceback_its_lines(written: Written) -> None:
    log.configure("INFO", "text")
    say()
    first, second, third, *trace = written()
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "
    assert re.fullmatch(time + rf"INFO    job {JOB} published caf\\udce9\\n<0>forged", first)
    assert re.fullmatch(time + "WARNING no room", second)
    assert re.fullmatch(time + "ERROR   a scan failed", third)
    assert trace[0].startswith("Traceback")


def test_in_the_journal_every_line_has_its_priority_and_no_time(written: Written) -> None:
    log.configure("DEBUG", "journal")
    say()
    logging.getLogger("img2imgd.test").debug("fine")
    first, second, third, *trace, last = written()
    assert first == rf"<6>job {JOB} published caf\udce9\n<0>forged"
    assert second == "<4>no room"
    assert third == "<3>a scan failed"
    assert trace[0] == "<3>Traceback (most recent call last):"
    assert all(line.startswith("<3>") for line in trace)
    assert last == "<7>fine"


def test_json_is_an_object_a_line_with_the_job_in_a_field(written: Written) -> None:
    log.configure("INFO", "json")
    say()
    first, second, third = map(json.loads, written())
    when = datetime.fromisoformat(first.pop("time"))
    assert abs((datetime.now(UTC) - when).total_seconds()) < 60
    assert first == {
        "level": "INFO", "logger": "img2imgd.test", "job": JOB,
        "message": f"job {JOB} published caf\\udce9\n<0>forged",
    }  # fmt: skip
    assert "job" not in second
    assert "exception" not in second
    assert third["message"] == "a scan failed"
    assert third["exception"].startswith("Traceback")
    assert "forged" in third["exception"]


def test_auto_is_the_journals_only_where_stderr_goes_there(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = os.fstat(sys.stderr.fileno())
    monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
    log.configure()
    assert log.form_in_use() == "journal"
    monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino + 1}")
    log.configure()
    assert log.form_in_use() == "text"
    monkeypatch.delenv("JOURNAL_STREAM")
    log.configure()
    assert log.form_in_use() == "text"
    assert written() == []
