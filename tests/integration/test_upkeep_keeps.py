"""What retention must not remove: what was changed, what is somebody else's, what is young."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rig import Rig

from img2imgd.config.sections import RetentionConfig
from img2imgd.inbox import Inbox
from img2imgd.request import RequestKeys
from img2imgd.upkeep import Upkeep

RigMaker = Callable[..., Rig]
DAY = 86_400.0
SWEEP = "prompt: a lake\nseed: 7\nsweep: {strength: [0.2, 0.5]}\nsheet: true\ngif: true\n"


@pytest.fixture
def rig(make_rig: RigMaker) -> Rig:
    ten_days = RetentionConfig(outbox=10 * DAY, done=10 * DAY, failed=10 * DAY)
    return make_rig(retention=ten_days, defaults=RequestKeys(prompt="a lake", seed=1))


def upkeep(rig: Rig, days: float = 0) -> None:
    """A round, so many days from now."""
    Upkeep(rig.config, rig.ledger).step(time.time() + days * DAY)


def serve(rig: Rig) -> None:
    """Serve what lies in the inbox; a round of upkeep comes soon after."""
    rig.claim()
    rig.serve()
    upkeep(rig)


def scribble(path: Path) -> None:
    """Change a file without changing its size."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_an_output_that_is_drawn_over_at_once_stays(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.picture("dog.png")
    serve(rig)
    drawn_over, other = (rig.config.outbox / name for name in rig.outputs())
    drawn_over.write_bytes(drawn_over.read_bytes() + b"drawn over by hand")
    upkeep(rig, 11)
    assert drawn_over.exists()
    assert not other.exists()


def test_frames_animations_and_sheets_that_are_changed_at_once_stay(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml", SWEEP)
    serve(rig)
    files = [rig.config.outbox / name for name in rig.outputs()]
    assert len(files) == 4
    for file in files[1:]:
        file.write_bytes(file.read_bytes() + b"\0")
    upkeep(rig, 11)
    assert [file.exists() for file in files] == [False, True, True, True]


@pytest.mark.parametrize("clock", [-40 * DAY, 40 * DAY])
def test_a_change_is_seen_whatever_the_clock_said_then(
    rig: Rig, clock: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.picture("cat.png")
    real = time.time
    with monkeypatch.context() as wrong:
        wrong.setattr(time, "time", lambda: real() + clock)
        rig.claim()
        rig.serve()
    upkeep(rig)
    (output,) = (rig.config.outbox / name for name in rig.outputs())
    scribble(output)
    os.utime(output, (real() - DAY, real() - DAY))
    upkeep(rig, 11)
    assert output.exists()


def test_a_shared_sidecar_with_notes_in_it_stays(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.picture("cat.bmp", grey=9)
    sidecar = rig.drop("cat.yaml")
    os.utime(sidecar, (time.time() - DAY, time.time() - DAY))
    serve(rig)
    noted = rig.config.done / "cat.yaml"
    scribble(noted)
    upkeep(rig, 11)
    assert rig.tree(rig.config.done) == ["cat.yaml"]


def test_a_reason_with_notes_in_it_stays(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml", "promt: a lake\n")
    serve(rig)
    reason = rig.config.failed / "cat.png.reason.txt"
    reason.write_text(reason.read_text() + "I shall ask Ann.\n")
    upkeep(rig, 11)
    assert rig.tree(rig.config.failed) == ["cat.png.reason.txt"]


@pytest.mark.parametrize("clock", [-40 * DAY, 400 * DAY])
def test_a_job_that_ended_while_the_clock_was_wrong_has_the_age_of_others(
    rig: Rig, clock: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    rig.picture("cat.png")
    with monkeypatch.context() as wrong:
        wrong.setattr(time, "time", lambda: real() + clock)
        rig.claim()
        rig.serve()
    upkeep(rig)
    upkeep(rig, 9)
    assert len(rig.outputs()) == len(rig.tree(rig.config.done)) == 1
    upkeep(rig, 11)
    assert rig.outputs() == rig.tree(rig.config.done) == []


@pytest.mark.parametrize("jump", [400 * DAY, -400 * DAY])
def test_nothing_grows_old_when_the_clock_is_set(rig: Rig, jump: float) -> None:
    clock = {"wall": time.time(), "uptime": 0.0}
    running = Upkeep(rig.config, rig.ledger, uptime=lambda: clock["uptime"])

    def round_after(seconds: float) -> list[str]:
        clock["uptime"] += seconds
        clock["wall"] += seconds
        running.step(clock["wall"])
        return [*rig.outputs(), *rig.tree(rig.config.done)]

    rig.picture("cat.png")
    rig.claim()
    rig.serve()
    assert len(round_after(DAY)) == len(round_after(8 * DAY)) == 2
    clock["wall"] += jump
    assert len(round_after(0.5 * DAY)) == 2
    clock["wall"] -= jump
    assert round_after(2 * DAY) == [], "ten days went by all the same"


def test_an_equal_file_of_another_inbox_has_the_age_of_its_own_job(rig: Rig) -> None:
    rig.picture("cat.png")
    serve(rig)
    first = rig.jobs()[0].id
    other = replace(rig.config.inboxes[0], path=rig.root / "other")
    (other.path / ".img2imgd").mkdir(parents=True)
    rig.inbox = Inbox(rig.config, other, rig.ledger, lambda _: None, lambda _: None)
    (rig.config.done / "cat.png").rename(other.path / "cat.png")
    rig.claim()
    rig.serve()
    with rig.ledger.transaction():
        rig.ledger.sql.execute(
            "UPDATE jobs SET aging_from=aging_from-? WHERE id=?", (30 * DAY, first)
        )
    for days in (0, 9):
        upkeep(rig, days)
        assert rig.tree(rig.config.done) == ["cat.png"]
    upkeep(rig, 11)
    assert rig.tree(rig.config.done) == []
