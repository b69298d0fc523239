"""What the dispatcher notes of its work: paces, and which of several jobs are at work."""

from __future__ import annotations

from img2imgd.dispatch.telling import Pace, Standing, doing
from img2imgd.ledger import JobActivity
from img2imgd.status.queue import seconds_left


def standing(job: str, last: float | None = None, **changes: object) -> Standing:
    values = {"held": "", "painted": False, "in_worker": True} | changes
    return Standing(job, last_step=last, **values)  # type: ignore[arg-type]


def test_jobs_that_share_calls_are_painted_and_the_others_wait() -> None:
    found = doing([
        standing("swept", 100.0), standing("beside", 99.5), standing("long ago", 80.0),
        standing("never"), standing("outside", 100.0, in_worker=False),
        standing("done", 100.0, painted=True), standing("full", 100.0, held="the disk is full"),
    ])  # fmt: skip
    assert found == {
        "swept": "painting", "beside": "painting", "long ago": "waiting", "never": "waiting",
        "outside": "waiting", "done": "assembling", "full": "waiting",
    }  # fmt: skip


def test_before_the_first_step_the_first_job_is_the_one_that_is_painted() -> None:
    found = doing([standing("a", held="away"), standing("b"), standing("c")])
    assert found == {"a": "waiting", "b": "painting", "c": "waiting"}


def test_a_pace_counts_the_steps_of_all_frames_since_the_first() -> None:
    pace = Pace()
    assert pace.over(5) == (0, 0.0)
    for second in range(10):
        for frame in range(3):
            pace.step(frame, second + 1, float(second))
    assert pace.over(10) == (29, 10.0)
    assert pace.last == 9


def test_a_pace_is_of_the_last_minute() -> None:
    pace = Pace()
    for second in range(100):
        pace.step(0, second + 1, float(second))  # one a second
    for second in range(100, 200):
        pace.step(0, 100 + 2 * (second - 99), float(second))  # two
    steps, seconds = pace.over(200)
    assert 60 <= seconds <= 62
    assert steps / seconds > 1.9


def test_a_frame_that_is_painted_again_counts_its_steps_again() -> None:
    pace = Pace()
    pace.step(0, 5, 0.0)
    pace.step(0, 10, 1.0)
    pace.step(0, 2, 2.0)
    pace.step(0, 4, 3.0)
    assert pace.over(3) == (9, 3.0)


def test_time_left_needs_something_to_go_by() -> None:
    assert seconds_left(100, None) is None
    assert seconds_left(100, JobActivity("painting")) is None
    assert seconds_left(100, JobActivity("painting", steps=2, seconds=60.0)) is None
    assert seconds_left(100, JobActivity("painting", steps=50, seconds=0.5)) is None
    assert seconds_left(100, JobActivity("painting", steps=50, seconds=10.0)) == 20.0
    assert seconds_left(0, JobActivity("painting", steps=50, seconds=10.0)) == 0.0
