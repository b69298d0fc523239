"""A keeping inbox after a lost ledger: what lies there counts as served, what comes does not."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from crashing import crash_at
from rig import Crash, Rig

from img2imgd.inbox.kept import Kept
from img2imgd.inbox.scan import Scanner
from img2imgd.request import RequestKeys

RigMaker = Callable[..., Rig]


@pytest.fixture
def make_keeping(make_rig: RigMaker) -> RigMaker:
    """Rigs of a keeping inbox whose pictures need no sidecar."""

    def make(**changes: object) -> Rig:
        defaults = RequestKeys(prompt="a lake", seed=1)
        return make_rig(mode="keep", settle=1, defaults=defaults, **changes)

    return make


@pytest.fixture
def rig(make_keeping: RigMaker) -> Rig:
    return make_keeping()


def serve_and_lose(rig: Rig, *names: str) -> None:
    for name in names:
        rig.picture(name)
    rig.look(0.1, 1.1)
    assert len(rig.serve()) == len(names)
    rig.lose_ledger()


def painted_next(rig: Rig) -> list[str]:
    """The jobs after a restart, by their pictures."""
    rig.crash()
    rig.look(0.1, 1.1, 5)
    return [job.spec.rel for job in rig.jobs()]


@contextmanager
def unlistable(folder: str) -> Generator[None]:
    original = Scanner._list

    def fail(scanner: Scanner, opened: int, rel: str, seen: object) -> list[str]:
        if rel == folder:
            raise OSError(errno.EIO, "Input/output error")
        return original(scanner, opened, rel, seen)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scanner, "_list", fail)
        yield


def test_what_lay_there_counts_as_served_and_a_new_save_does_not(make_rig: RigMaker) -> None:
    rig = make_rig(mode="keep")
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    rig.claim()
    rig.serve()
    rig.lose_ledger()
    rig.claim()
    assert rig.jobs() == []
    rig.picture("cat.png", grey=33)
    rig.look(0.1, 2.5)
    assert len(rig.jobs()) == 1


def test_a_file_that_waits_for_ever_keeps_no_later_drop_from_being_served(rig: Rig) -> None:
    rig.drop("placeholder.png", b"")
    serve_and_lose(rig, "cat.png")
    rig.look(0.1, 1.1, 5)
    rig.picture("dog.png", grey=40)
    assert painted_next(rig) == ["dog.png"]


def test_what_is_not_settled_at_a_restart_counts_as_served_as_it_lay_there(rig: Rig) -> None:
    serve_and_lose(rig, "cat.png", "written.png")
    rig.look()
    rig.picture("written.png", grey=40)
    assert painted_next(rig) == ["written.png"]


def test_a_crash_anywhere_after_the_loss_swallows_no_later_drop(make_keeping: RigMaker) -> None:
    for at in itertools.count(1):
        rig = make_keeping(root=f"crash {at}")
        serve_and_lose(rig, "cat.png")
        with crash_at(at) as countdown:
            try:
                rig.look(0.1, 1.1)
            except Crash:
                rig.crash()
        rig.look()
        rig.picture("dog.png", grey=40)
        assert painted_next(rig) == ["dog.png"], countdown.last
        if countdown.steps < at:
            break
    assert at > 4


def test_a_folder_that_could_not_be_listed_counts_as_served_when_it_can(rig: Rig) -> None:
    serve_and_lose(rig, "sub/cat.png", "sub/deep/cat.png")
    with unlistable("sub"):
        rig.look(0.1, 1.1)
        rig.picture("dog.png", grey=40)
        assert painted_next(rig) == ["dog.png"]
    with unlistable("sub/deep"):
        rig.look(0.1, 1.1)
    rig.picture("sub/dog.png", grey=40)
    assert painted_next(rig) == ["dog.png", "sub/dog.png"]
    rig.picture("sub/deep/dog.png", grey=40)
    assert painted_next(rig) == ["dog.png", "sub/dog.png", "sub/deep/dog.png"]


def test_a_save_while_its_content_is_told_is_served(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_and_lose(rig, "cat.png")
    rig.look(0.1)
    original = Kept.digest

    def save_before(*arguments: object) -> str:
        monkeypatch.setattr(Kept, "digest", original)
        rig.picture("cat.png", grey=40)
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Kept, "digest", save_before)
    rig.look(1.1, 0.1, 1.1)
    assert [job.spec.rel for job in rig.jobs()] == ["cat.png"]


def test_the_first_drop_into_an_empty_folder_of_another_ledger_is_served(
    rig: Rig, tmp_path: Path
) -> None:
    rig.look()
    rig.folder.rename(tmp_path / "away")
    rig.drop(".img2imgd/ledger", "another spool")
    rig.inbox.was_replaced()
    rig.look(1)
    rig.picture("cat.png")
    rig.look(1, 1.1)
    assert [job.spec.rel for job in rig.jobs()] == ["cat.png"]
