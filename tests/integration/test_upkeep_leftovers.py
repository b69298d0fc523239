"""Leftovers of crashes: they go after a day, and nothing that a job still needs."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable

import pytest
from rig import Rig

from img2imgd.job import JobState
from img2imgd.ledger import Ledger
from img2imgd.request import RequestKeys
from img2imgd.upkeep import Upkeep
from img2imgd.upkeep.leftovers import dropped_part

DAY = 86_400.0
OLD_PARTS = [dropped_part("0123456789abcdef"), dropped_part("0123456789abcdef-sidecar")]
YOUNG_PARTS = [dropped_part("fedcba9876543210"), dropped_part("fedcba9876543210-sidecar")]
OTHERS = [".img2imgd-mine.part", ".img2imgd-0123456789abcdef-notes.part", ".hidden.part"]
LINK = dropped_part("00000000deadbeef")


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig(defaults=RequestKeys(prompt="a lake", seed=1))


def upkeep(rig: Rig, days: float) -> None:
    """A round, so many days from now."""
    Upkeep(rig.config, rig.ledger).step(time.time() + days * DAY)


def test_halves_that_the_page_left_in_an_inbox_go_after_a_day(rig: Rig) -> None:
    serve(rig)  # so that the inbox is known as ours
    inbox = rig.config.inboxes[0].path
    later = time.time() + 0.5 * DAY
    for name in OLD_PARTS + YOUNG_PARTS + OTHERS:
        (inbox / name).write_bytes(b"x")
    for name in YOUNG_PARTS:
        os.utime(inbox / name, (later, later))
    (inbox / LINK).symlink_to(rig.config.root / "config.yaml")
    upkeep(rig, 0.9)
    assert {path.name for path in inbox.iterdir()} >= {*OLD_PARTS, *YOUNG_PARTS, *OTHERS}
    upkeep(rig, 1.1)
    left = {path.name for path in inbox.iterdir()}
    assert left >= {*YOUNG_PARTS, *OTHERS}
    assert not left & set(OLD_PARTS)
    assert LINK in left, "no half is a link"


def serve(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.claim()
    rig.serve()


def test_leftovers_of_crashes_go_after_a_day_and_inputs_never(rig: Rig) -> None:
    serve(rig)
    (job,) = rig.jobs()
    rig.picture("live.png")
    rig.claim()
    live = rig.jobs(JobState.QUEUED)[0].id
    staging = rig.config.outbox / ".img2imgd"
    stray = "20200101T000000-0123abcd"
    for folder in (staging / job.id, staging / stray, staging / live, staging / "mine"):
        folder.mkdir()
        (folder / "frame.png").write_bytes(b"x")
    for name in (stray, "20200101T000001-0123abcd"):
        (rig.spool / name / "in").mkdir(parents=True)
    (rig.spool / stray / "in" / "cat.png").write_bytes(b"an input")
    other = rig.config.done / ".mine.part"
    other.write_bytes(b"x")
    upkeep(rig, 0.9)
    assert (staging / stray).exists()
    upkeep(rig, 1.1)
    assert sorted(p.name for p in staging.iterdir()) == sorted([live, "mine"])
    assert (rig.spool / stray / "in" / "cat.png").exists()
    assert not (rig.spool / "20200101T000001-0123abcd").exists()
    assert (rig.spool / live / "in" / "live.png").exists()
    assert other.exists()


def test_halves_go_after_a_day_wherever_they_lie_but_not_those_of_jobs_under_way(rig: Rig) -> None:
    serve(rig)
    rig.picture("live.png")
    rig.claim()
    done, live = (row.id for row in rig.jobs())
    config = rig.config
    half, stray = ".0123456789abcdef.part", "20200101T000000-0123abcd"
    folders = [config.done, config.failed / "sub", config.state, rig.folder / "sub"]
    old = [folder / half for folder in folders]
    old += [config.outbox / "sub" / f".{stray}.part"]
    kept = [config.outbox / f".{live}.part", rig.spool / live / half, rig.folder / ".mine.part"]
    kept += [config.outbox / half]
    for path in (*old, *kept):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    carried = config.outbox / f".{done}.part"
    carried.mkdir()
    (carried / "frame.png").write_bytes(b"x")
    upkeep(rig, 0.9)
    assert [path for path in (*old, *kept, carried) if not path.exists()] == []
    upkeep(rig, 1.1)
    assert [path for path in (*old, carried) if path.exists()] == []
    assert [path for path in kept if not path.exists()] == []


def test_no_half_is_removed_while_an_inbox_is_away_whose_job_it_may_be(rig: Rig) -> None:
    carried = rig.config.outbox / ".20200101T000000-0123abcd.part"
    carried.write_bytes(b"x")
    rig.look()
    away = rig.root / "away"
    rig.folder.rename(away)
    upkeep(rig, 2)
    assert carried.exists()
    away.rename(rig.folder)
    upkeep(rig, 2)
    assert not carried.exists()


def test_a_half_that_cannot_be_removed_does_not_end_the_round(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = rig.config.done / ".0123456789abcdef.part"
    half.write_bytes(b"x")
    compacted: list[int] = []
    monkeypatch.setattr(Ledger, "compact", lambda _, free: compacted.append(free))

    def unlink(path: str, **_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    with monkeypatch.context() as read_only:
        read_only.setattr(os, "unlink", unlink)
        upkeep(rig, 2)
    assert half.exists()
    assert len(compacted) == 1


def test_a_half_is_not_old_because_the_clock_was_set(rig: Rig) -> None:
    running = Upkeep(rig.config, rig.ledger, uptime=lambda: 0.0)
    running.step(time.time())
    half = rig.config.done / ".0123456789abcdef.part"
    half.write_bytes(b"x")
    running.step(time.time() + 400 * DAY)
    assert half.exists()
