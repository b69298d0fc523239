"""What lasts is said when it begins, when it changes, now and then, and when it is over."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable

import pytest

from img2imgd.log import Lasting

DAY = 86_400


class Clock:
    """Seconds that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lasting(clock: Clock, caplog: pytest.LogCaptureFixture) -> Lasting:
    caplog.set_level(logging.INFO)
    return Lasting(logging.getLogger("test_log"), clock)


def said_over(
    clock: Clock, caplog: pytest.LogCaptureFixture, say: Callable[[], None], seconds: float
) -> list[float]:
    """When something that is met every 5 seconds was said."""
    times: list[float] = []
    began = clock.now
    while clock.now < began + seconds:
        before = len(caplog.messages)
        say()
        if len(caplog.messages) > before:
            times.append(clock.now - began)
        clock.now += 5
    return times


def test_a_lasting_thing_is_said_at_growing_distances_up_to_an_hour(
    lasting: Lasting, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    times = said_over(clock, caplog, lambda: lasting.say("disk", "The disk is full."), 2 * DAY)
    assert times[:6] == [0, 60, 180, 420, 900, 1860]
    gaps = {later - time for time, later in itertools.pairwise(times[7:])}
    assert gaps == {3600}
    assert caplog.messages[0] == "The disk is full."
    assert caplog.messages[-1] == ("The disk is full. (719 times more since this was last said)")


def test_a_change_is_said_at_once_but_another_number_is_none(
    lasting: Lasting, caplog: pytest.LogCaptureFixture
) -> None:
    for text in ("0.93 GB free.", "0.94 GB free.", "Read-only.", "0.95 GB free.", "Read-only."):
        lasting.say("disk", text)
    assert caplog.messages == ["0.93 GB free.", "Read-only."]


def test_a_thing_whose_text_always_changes_fills_no_log_either(
    lasting: Lasting, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    words = (f"it is {'x' * number}" for number in range(1_000_000))
    times = said_over(clock, caplog, lambda: lasting.say("disk", next(words)), DAY)
    assert len(times) < 60


def test_its_end_is_said_once_and_then_it_can_begin_anew(
    lasting: Lasting, caplog: pytest.LogCaptureFixture
) -> None:
    lasting.over("disk", "never began")
    lasting.say("disk", "full")
    lasting.over("disk", "has room")
    lasting.over("disk", "has room")
    lasting.say("disk", "full")
    assert caplog.messages == ["full", "has room", "full"]


@pytest.mark.parametrize(
    ("seconds", "traces"),
    [(100, [True, False]), (3 * DAY, [True, True])],
    ids=["soon", "days later"],
)
def test_the_traceback_comes_with_the_first_time_and_when_it_is_new_again(
    lasting: Lasting,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    seconds: float,
    traces: list[bool],
) -> None:
    for _ in range(2):
        try:
            raise ValueError("a bug")
        except ValueError:
            lasting.say("scan", "a scan failed", logging.ERROR, trace=True)
        clock.now += seconds
    assert [bool(record.exc_info) for record in caplog.records] == traces
    if all(traces):
        assert caplog.messages == ["a scan failed"] * 2, "not as one that was said before"


def test_a_text_of_a_million_letters_is_compared_at_once(
    lasting: Lasting, caplog: pytest.LogCaptureFixture
) -> None:
    """Names from outside may look like one endless number: that must not cost its square."""
    lasting.say("file", "a" * 1_000_000)
    lasting.say("file", "a" * 1_000_000)
    assert len(caplog.messages) == 1
    assert len(max(lasting._things["file"].texts)) < 10_000


def test_things_that_are_met_no_more_are_forgotten(lasting: Lasting, clock: Clock) -> None:
    for number in range(1000):
        lasting.say(f"file {number}", "cannot be read")
        clock.now += 60
    assert len(lasting._things) < 150
