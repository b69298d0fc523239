"""A crash in the claim of a shared sidecar, together with a lost ledger or another disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest
from rig import Crash, Rig

from img2imgd.inbox.claim import Claims
from img2imgd.ledger import Ledger


def crash(*_: object) -> None:
    raise Crash


@pytest.fixture
def cut_off(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """The pictures are in the spool, their sidecar is not."""
    rig.picture("sub/cat.png")
    rig.picture("sub/cat.bmp")
    rig.drop("sub/cat.yaml")
    rig.look()
    with monkeypatch.context() as patch:
        patch.setattr(Claims, "_take_shared", crash)
        with pytest.raises(Crash):
            rig.look(2.5)
    assert rig.tree(rig.folder) == ["sub/cat.yaml"]
    return rig


def assert_served_once(rig: Rig) -> None:
    rig.look(0.1, 2.5, 11)
    rig.serve()
    assert len(rig.jobs()) == 2
    assert rig.tree(rig.folder) == []
    assert rig.tree(rig.config.done) == ["sub/cat.bmp", "sub/cat.png", "sub/cat.yaml"]
    assert len(rig.outputs()) == 2


def to_another_disk(rig: Rig) -> None:
    """The files as a copy that keeps times has them: under other inodes."""
    moved = rig.folder.with_name("moved")
    shutil.copytree(rig.folder, moved, copy_function=shutil.copy2)
    rig.folder.rename(rig.folder.with_name("before"))
    moved.rename(rig.folder)


@pytest.mark.parametrize("meanwhile", [Rig.lose_ledger, Rig.crash, to_another_disk])
def test_the_sidecar_follows_its_pictures(cut_off: Rig, meanwhile: Callable[[Rig], None]) -> None:
    meanwhile(cut_off)
    cut_off.inbox = cut_off.new_inbox()
    assert_served_once(cut_off)


def test_an_undone_claim_gives_the_sidecar_back_where_it_was_before_its_jobs_are_forgotten(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.picture("sub/cat.png")
    rig.picture("sub/cat.bmp")
    rig.drop("sub/cat.yaml")
    rig.look()
    original = Claims._take_shared

    def take_then_change(self: Claims, *arguments: object) -> None:
        original(self, *arguments)  # type: ignore[arg-type]
        (taken,) = rig.spool.glob("*/in/cat.png")
        os.utime(taken, ns=(1, 1))
        raise FileNotFoundError("cat.png")

    with monkeypatch.context() as patch:
        patch.setattr(Claims, "_take_shared", take_then_change)
        patch.setattr(Ledger, "drop_job", crash)
        with pytest.raises(Crash):
            rig.look(2.5)
    assert "sub/cat.yaml" in rig.tree(rig.folder)
    rig.lose_ledger()
    rig.inbox = rig.new_inbox()
    assert_served_once(rig)
