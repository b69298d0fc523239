"""How long an inbox is left alone after a scan."""

from __future__ import annotations

from img2imgd.app.inbox_loop import rest_after


def test_scanning_never_takes_more_than_a_third_of_a_core() -> None:
    assert rest_after(took=0.5, busy=0.5, rescan=5) == 1
    assert rest_after(took=60, busy=60, rescan=5) == 120


def test_a_burst_of_events_is_one_scan() -> None:
    assert rest_after(took=0.0001, busy=0.0001, rescan=5) == 0.02


def test_a_slow_disk_rests_too_but_one_that_hung_is_soon_looked_at_again() -> None:
    assert rest_after(took=2, busy=0.01, rescan=5) == 4
    assert rest_after(took=3600, busy=0.01, rescan=5) == 5
