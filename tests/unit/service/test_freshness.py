"""Which parts count as silent."""

from __future__ import annotations

from img2imgd.service.freshness import Freshness, Part, silent

NOW = 1000.0


def test_a_part_at_rest_is_silent_only_when_it_is_overdue() -> None:
    part = Part("inbox /in", NOW - 8, due=5)
    assert silent([part], NOW, allowed=10) == []
    (why,) = silent([part], NOW + 8, allowed=10)
    assert why == "inbox /in shows no sign of life for 16 s (it looks every 5 s)"


def test_a_part_at_work_is_silent_when_it_does_not_get_on() -> None:
    parts = [Part("inbox /slow", NOW - 9), Part("inbox /hung", NOW - 11)]
    assert silent(parts, NOW, allowed=10) == ["inbox /hung shows no sign of life for 11 s"]


def test_a_part_that_has_ended_is_named_whatever_it_said_last() -> None:
    assert silent([Part("upkeep", NOW, alive=False)], NOW, allowed=10) == ["upkeep has ended"]


def test_a_process_that_was_stopped_blames_no_part_for_it() -> None:
    freshness = Freshness(allowed=30)
    part = Part("dispatch", NOW)
    assert freshness.silent([part], NOW) == []
    assert freshness.silent([part], NOW + 3600) == []  # it slept with the machine
    for second in range(1, 31):
        assert freshness.silent([part], NOW + 3600 + second) == []
    assert len(freshness.silent([part], NOW + 3631)) == 1


def test_a_look_that_comes_every_second_sees_a_part_that_hangs() -> None:
    freshness = Freshness(allowed=30)
    seen = [len(freshness.silent([Part("dispatch", NOW)], NOW + s)) for s in range(33)]
    assert seen == [0] * 31 + [1] * 2
