"""What a keeping inbox has served goes with its folder, and nothing of it is painted again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rig import Rig

from img2imgd.app.places import find_moves
from img2imgd.job import JobState
from img2imgd.ledger import spool_fact
from img2imgd.request import RequestKeys
from img2imgd.upkeep.forgetting import forget_served

RigMaker = Callable[..., Rig]


@pytest.fixture
def rig(make_rig: RigMaker) -> Rig:
    return make_rig(mode="keep", settle=1, defaults=RequestKeys(prompt="a lake", seed=1))


def move_to(rig: Rig, folder: Path) -> None:
    """A daemon that starts anew; its config names this folder for the inbox."""
    inbox = replace(rig.config.inboxes[0], path=folder)
    rig.config = replace(rig.config, inboxes=(inbox,))
    rig.folder, rig.spool = folder, folder / ".img2imgd"
    moves = find_moves(rig.config, rig.ledger.facts(), "ledger.sqlite")
    rig.ledger.rebase(moves)
    rig.ledger.set_facts(**{spool_fact(spool): path for spool, path in moves.spools.items()})
    rig.crash()


def painted(rig: Rig) -> list[str]:
    rig.look(0.1, 1.1, 5)
    return [job.spec.rel for job in rig.serve()]


def test_one_that_was_renamed_and_the_one_in_its_place_paint_nothing_again(rig: Rig) -> None:
    here, older = rig.folder, rig.root / "older"
    rig.picture("a.png")
    assert painted(rig) == ["a.png"]
    here.rename(older)
    here.mkdir()
    rig.crash()
    rig.picture("b.png")
    assert painted(rig) == ["a.png", "b.png"]
    for folder in (older, here):
        move_to(rig, folder)
        assert painted(rig) == ["a.png", "b.png"]


def test_one_on_a_disk_that_is_mounted_late_elsewhere_paints_nothing_again(rig: Rig) -> None:
    rig.picture("a.png")
    assert painted(rig) == ["a.png"]
    disk, mount_point = rig.folder.rename(rig.root / "disk"), rig.root / "mounted"
    (mount_point / ".img2imgd").mkdir(parents=True)
    move_to(rig, mount_point)
    assert painted(rig) == ["a.png"]
    shutil.rmtree(mount_point)
    disk.rename(mount_point)
    rig.inbox.was_replaced()
    assert painted(rig) == ["a.png"]
    rig.picture("b.png")
    assert painted(rig) == ["a.png", "b.png"]
    move_to(rig, mount_point)
    assert painted(rig) == ["a.png", "b.png"]


def test_one_whose_hidden_folder_was_removed_paints_nothing_again(rig: Rig) -> None:
    rig.picture("a.png")
    assert painted(rig) == ["a.png"]
    shutil.rmtree(rig.spool)
    rig.inbox.was_replaced()
    assert painted(rig) == ["a.png"]
    shutil.rmtree(rig.spool)
    rig.crash()
    assert painted(rig) == ["a.png"]
    rig.picture("a.png", grey=40)
    assert painted(rig) == ["a.png", "a.png"]


def test_a_save_into_the_folder_in_its_place_replaces_none_of_its_jobs(rig: Rig) -> None:
    rig.picture("a.png")
    rig.look(0.1, 1.1)
    aside = rig.folder.rename(rig.root / "aside")
    rig.spool.mkdir(parents=True)
    rig.inbox.was_replaced()
    rig.picture("a.png", grey=40)
    rig.look(0.1, 1.1)
    assert [job.state for job in rig.jobs()] == [JobState.QUEUED] * 2
    rig.until(lambda: rig.jobs()[1].archived)
    shutil.rmtree(rig.folder)
    aside.rename(rig.folder)
    assert [job.state for job in rig.serve()] == [JobState.DONE] * 2


def test_upkeep_forgets_nothing_of_it_while_another_folder_has_its_place(rig: Rig) -> None:
    rig.picture("a.png")
    assert painted(rig) == ["a.png"]
    aside = rig.folder.rename(rig.root / "aside")
    rig.spool.mkdir(parents=True)
    rig.inbox.was_replaced()
    rig.look()
    rig.ledger.forget_jobs([job.id for job in rig.jobs()])
    forget_served(rig.config, rig.ledger)
    shutil.rmtree(rig.folder)
    aside.rename(rig.folder)
    rig.inbox.was_replaced()
    assert painted(rig) == []
