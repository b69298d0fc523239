"""When glimpses are made: only for people who watch, each job in its turn, and never too often."""

from __future__ import annotations

import io
from typing import cast

from PIL import Image

from img2imgd.engine.protocol import Engine, Glimpse
from img2imgd.pool.glimpsing import Glimpsing
from img2imgd.pool.messages import FrameSeen
from img2imgd.pool.watching import WATCHED, Watching


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Painter:
    """Shows red, in so many seconds."""

    def __init__(self, clock: Clock, takes: float = 0.0) -> None:
        self.clock, self.takes = clock, takes
        self.has_nothing = False

    def glimpse(self, job: str) -> Glimpse | None:
        self.clock.now += self.takes
        return None if self.has_nothing else Glimpse(job, 3, 5, 2, 1, b"\xff\0\0" * 2)


def made(takes: float = 0.0) -> tuple[Clock, Glimpsing, Engine, Painter, list[FrameSeen]]:
    clock, sent = Clock(), list[FrameSeen]()
    painter = Painter(clock, takes)
    return clock, Glimpsing(sent.append, clock), cast("Engine", painter), painter, sent


def test_nobody_watches_and_nothing_is_made() -> None:
    _, glimpsing, engine, _, sent = made()

    glimpsing.stepped("a")
    glimpsing.look(engine)

    assert not sent


def test_who_watches_gets_a_png_of_the_job_that_took_a_step() -> None:
    clock, glimpsing, engine, _, sent = made()

    glimpsing.watch(5)
    glimpsing.stepped("a")
    glimpsing.look(engine)

    [seen] = sent
    assert (seen.job, seen.index, seen.step) == ("a", 3, 5)
    assert Image.open(io.BytesIO(seen.png)).convert("RGB").getpixel((1, 0)) == (255, 0, 0)
    clock.now += 6
    glimpsing.stepped("a")
    glimpsing.look(engine)
    assert len(sent) == 1  # nobody has watched since


def test_jobs_are_shown_in_turns_one_a_second() -> None:
    clock, glimpsing, engine, _, sent = made()
    glimpsing.watch(60)

    for _ in range(40):
        for job in ("a", "b", "c"):
            glimpsing.stepped(job)
        glimpsing.look(engine)
        clock.now += 0.1

    assert [seen.job for seen in sent] == ["a", "b", "c", "a"]


def test_slow_glimpses_take_a_fortieth_of_the_time() -> None:
    clock, glimpsing, engine, painter, sent = made(takes=2.0)
    glimpsing.watch(1000)
    began = clock.now

    while clock.now < began + 400:
        glimpsing.stepped("a")
        glimpsing.look(engine)
        clock.now += 1

    assert painter.takes * len(sent) <= 400 / 40 + painter.takes


def test_new_jobs_are_shown_first_and_sooner() -> None:
    clock, glimpsing, engine, _, sent = made(takes=1.0)
    glimpsing.watch(1000)
    glimpsing.stepped("a")
    glimpsing.look(engine)
    clock.now += 20
    glimpsing.stepped("a")
    glimpsing.stepped("b")
    glimpsing.look(engine)
    assert [seen.job for seen in sent] == ["a", "b"]
    clock.now += 20
    glimpsing.look(engine)
    assert len(sent) == 2
    clock.now += 20
    glimpsing.look(engine)
    assert [seen.job for seen in sent] == ["a", "b", "a"]


def test_a_job_without_a_glimpse_costs_no_turn() -> None:
    _, glimpsing, engine, painter, sent = made()
    glimpsing.watch(5)
    painter.has_nothing = True
    glimpsing.stepped("a")
    glimpsing.look(engine)
    painter.has_nothing = False

    glimpsing.stepped("b")
    glimpsing.look(engine)

    assert [seen.job for seen in sent] == ["b"]


def test_the_worker_is_told_as_long_as_somebody_watches_and_not_at_every_look() -> None:
    clock = Clock()
    watching = Watching(clock)
    assert not watching.ask()

    told = 0
    for _ in range(100):  # ten seconds
        watching.watch()
        told += watching.ask()
        clock.now += 0.1
    assert told == 4

    clock.now += WATCHED
    assert not watching.ask()


def test_what_was_seen_is_forgotten_with_its_frame_its_job_or_the_worker() -> None:
    watching = Watching()
    for job in ("a", "b", "c"):
        watching.note(FrameSeen(job, 1, 2, b"png"))

    watching.forget("a", 0)  # another frame of it
    assert watching.of("a") is not None
    watching.forget("a", 1)
    assert watching.of("a") is None
    watching.forget("b")
    assert watching.of("b") is None
    watching.forget_all()
    assert watching.of("c") is None
