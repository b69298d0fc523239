"""What is said in which step, and what is not said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from img2imgd.service.freshness import Part
from img2imgd.service.notify import Notifier
from img2imgd.service.reporting import Reporting
from service_manager import Ear, Message, listening
from waiting import wait_until

NOW = 1000.0


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    with listening(str(tmp_path / "notify")) as heard:
        yield heard


class Daemon:
    """A reporting daemon whose clock the test moves; ``said`` is what came of it."""

    def __init__(self, ear: Ear, watchdog: float | None = 8.0) -> None:
        self._ear = ear
        self.reporting = Reporting(Notifier(ear.address, watchdog))
        self.standing = "idle"
        self.reporting.line = lambda: self.standing
        self.now = NOW
        self._asked = 0

    def steps(self, seconds: float, part: Part | None = None, *, ready: bool = True) -> None:
        end = self.now + seconds
        while self.now < end:
            self.reporting.step([part or Part("inbox /in", self.now)], self.now, ready=ready)
            self.now += 1

    def said(self) -> list[Message]:
        self._asked += 1  # told apart: the last end may still be the newest that was heard
        end = f"the end of what is looked at, {self._asked}"
        Notifier(self._ear.address).status(end)
        wait_until(lambda: self._ear.statuses[-1:] == [end], "all is heard")
        return self._ear.messages[:-1]


def test_ready_is_said_once_and_a_status_only_when_it_changes(ear: Ear) -> None:
    daemon = Daemon(ear, watchdog=None)
    daemon.steps(3, ready=False)
    daemon.steps(5)
    daemon.standing = "3 queued"
    daemon.steps(5)
    assert daemon.said() == [
        {"EXTEND_TIMEOUT_USEC": "60000000"},
        {"STATUS": "starting; idle"},
        {"READY": "1", "STATUS": "idle"},
        {"STATUS": "3 queued"},
    ]


def test_a_long_start_is_extended_as_long_as_it_gets_on(ear: Ear) -> None:
    daemon = Daemon(ear)
    daemon.steps(60, ready=False)
    hung = Part("inbox /in", daemon.now)
    daemon.steps(60, hung, ready=False)
    extensions = [message for message in daemon.said() if "EXTEND_TIMEOUT_USEC" in message]
    assert len(extensions) == 6 + 1  # the hang shows after 8 seconds
    assert not ear.ready


def test_the_watchdog_hears_of_it_at_half_its_time(ear: Ear) -> None:
    daemon = Daemon(ear, watchdog=8.0)
    daemon.steps(40)
    assert sum("WATCHDOG" in message for message in daemon.said()) == 10


def test_a_silent_part_ends_the_signs_of_life_and_is_named(
    ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    daemon = Daemon(ear)
    daemon.steps(10)
    hung = Part("inbox /in", daemon.now, due=5)
    daemon.steps(13, hung)
    before = sum("WATCHDOG" in message for message in daemon.said())
    daemon.steps(40, hung)
    messages = daemon.said()
    assert sum("WATCHDOG" in message for message in messages) == before
    assert any(m.get("STATUS", "").startswith("hangs: inbox /in shows no sign") for m in messages)
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [e.getMessage() for e in errors] == [
        "inbox /in shows no sign of life for 14 s (it looks every 5 s)"
    ]
    daemon.steps(2)
    assert "every part shows signs of life again" in caplog.text
    assert sum("WATCHDOG" in message for message in daemon.said()) == before + 1


def test_a_reload_that_failed_is_in_the_status_until_one_succeeds(ear: Ear) -> None:
    daemon = Daemon(ear, watchdog=None)
    daemon.steps(1)
    daemon.reporting.reloading()
    daemon.reporting.reloaded("the config was not read again: line 3")
    daemon.steps(3)
    daemon.reporting.reloading()
    daemon.reporting.reloaded("")
    said = [{k: v for k, v in m.items() if k != "MONOTONIC_USEC"} for m in daemon.said()]
    reading = {"RELOADING": "1", "STATUS": "reading the config again"}
    assert said[1:] == [
        reading,
        {"READY": "1", "STATUS": "the config was not read again: line 3; idle"},
        reading,
        {"READY": "1", "STATUS": "idle"},
    ]


def test_without_a_manager_a_silent_part_is_still_logged(caplog: pytest.LogCaptureFixture) -> None:
    reporting = Reporting(Notifier())
    for second in range(400):
        reporting.step([Part("dispatch", NOW)], NOW + second, ready=True)
    assert reporting.silent
    assert "dispatch shows no sign of life for 301 s" in caplog.text
