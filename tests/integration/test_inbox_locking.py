"""What a claim does while it holds the ledger's lock, for which everything else waits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rig import Rig

from img2imgd import durable
from img2imgd.inbox import claim
from img2imgd.ledger import JobRow, Ledger


def drop_list(rig: Rig, pictures: int) -> None:
    for number in range(pictures):
        rig.picture(f"p{number}.png")
    rig.drop("list.yaml", 'prompt: a {misty|clear} lake\nimages: ["p*.png"]\nn: 2\nseed: 7\n')


def test_frames_are_planned_once_and_files_written_before_the_ledger_is_locked(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked: list[tuple[str, bool]] = []

    def watch(owner: object, name: str) -> None:
        original: Callable[..., object] = getattr(owner, name)

        def call(*arguments: object) -> object:
            locked.append((name, rig.ledger.sql.in_transaction))
            return original(*arguments)

        monkeypatch.setattr(owner, name, call)

    watch(claim, "plan_frames")
    watch(durable, "write_file")
    watch(durable, "make_folders")
    watch(durable, "fsync_path")
    drop_list(rig, 3)
    assert len(rig.claim()) == 3
    assert [name for name, _ in locked].count("plan_frames") == 3
    assert not [name for name, held in locked if held]


def test_a_claim_of_many_pictures_is_recorded_in_parts(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "AT_ONCE", 2)
    parts = [0]

    def count(statement: str) -> None:
        if statement.startswith("COMMIT"):
            parts.append(0)
        parts[-1] += statement.startswith("INSERT INTO jobs")

    rig.ledger.sql.set_trace_callback(count)
    drop_list(rig, 5)
    assert len(rig.claim()) == 5
    assert [part for part in parts if part] == [2, 2, 1]


def test_a_name_that_another_inbox_takes_meanwhile_is_not_given_twice(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    (first,) = rig.claim()
    rig.picture("cat.png", grey=9)
    rig.drop("cat.yaml")

    def is_free_yet(*_: object) -> bool:
        return False

    monkeypatch.setattr(Ledger, "is_reserved", is_free_yet)
    first, second = rig.claim()
    assert name_of(second) == name_of(first).replace(".png", "~2.png")
    text = (rig.spool / second.id / "job.json").read_text("ascii")
    assert text == second.spec.to_json()


def name_of(job: JobRow) -> str:
    return job.spec.reserved.name
