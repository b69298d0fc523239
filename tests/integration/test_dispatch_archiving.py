"""Many jobs end at once: their archiving leaves time for frames and for a stop."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest
from rig import Rig

from img2imgd import durable
from img2imgd.dispatch import archiving, faults
from img2imgd.pool.messages import PoolEvent


def drop_foreign(rig: Rig, count: int) -> None:
    for number in range(count):
        rig.drop(f"{number:02}.yaml", "promt: x\n")
        rig.picture(f"{number:02}.png")
    rig.claim()


def archived(rig: Rig) -> int:
    return sum(job.archived for job in rig.jobs())


def test_one_step_archives_only_for_a_moment_and_the_next_follows_at_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "_SECONDS", 0)
    waits: list[float] = []
    poll = rig.pool.poll

    def recorded(timeout: float) -> list[PoolEvent]:
        waits.append(timeout)
        return poll(0)

    monkeypatch.setattr(rig.pool, "poll", recorded)
    drop_foreign(rig, 10)
    for step in range(1, 6):
        rig.dispatch.step(1)
        assert archived(rig) == 2 * step  # before and after what is published
    rig.dispatch.step(1)
    assert waits == [1, 0, 0, 0, 0, 1]
    assert len(rig.tree(rig.config.failed)) == 30


def test_more_jobs_than_are_read_at_once_are_archived(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "_AT_ONCE", 2)
    drop_foreign(rig, 5)
    rig.dispatch.step(0)
    assert archived(rig) == 4
    rig.dispatch.step(0)
    assert archived(rig) == 5


def test_jobs_of_an_inbox_that_is_away_do_not_hide_those_of_others(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "_AT_ONCE", 2)
    drop_foreign(rig, 6)
    away = [job.id for job in rig.jobs()[:4]]
    for job in rig.jobs()[:4]:
        spec = replace(job.spec, inbox=str(rig.root / "away"), spool="of another disk")
        rig.ledger.sql.execute(
            "UPDATE jobs SET inbox=?, spec=? WHERE id=?", (spec.inbox, spec.to_json(), job.id)
        )
    rig.until(lambda: archived(rig) == 2)
    assert [job.id for job in rig.jobs() if not job.archived] == away


def test_a_folder_name_that_a_disk_refuses_holds_the_inputs_back_with_its_reason(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "_FIRST_PAUSE", 0.1)
    drop_foreign(rig, 1)
    original = durable.make_folders

    def refuse(path: Path) -> None:
        if path.is_relative_to(rig.config.failed):
            raise OSError(errno.EINVAL, "Invalid argument", str(path))
        original(path)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "make_folders", refuse)
        rig.until(lambda: "Invalid argument" in rig.ledger.facts().get("waits_for", ""))
    rig.until(lambda: archived(rig) == 1)
    assert rig.tree(rig.config.failed) == ["00.png", "00.png.reason.txt", "00.yaml"]
