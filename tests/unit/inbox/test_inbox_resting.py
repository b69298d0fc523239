"""An inbox in which nothing changes: scans go on, and decide nothing until something does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from img2imgd import plainfiles
from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault
from img2imgd.inbox import Inbox
from img2imgd.inbox import inbox as module
from img2imgd.inbox.scan import Scanner
from img2imgd.ledger import Ledger, open_ledger
from img2imgd.pairing import decide as rules
from img2imgd.request import RequestKeys

ConfigMaker = Callable[..., Config]


class Watched:
    """An inbox that counts how often a folder is decided on."""

    def __init__(self, config: Config, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = config.inboxes[0].path
        self.inbox = Inbox(config, config.inboxes[0], ledger, lambda _: None, lambda _: None)
        self.decided = 0
        self.now = 1000.0

        def decide(*arguments: object) -> object:
            self.decided += 1
            return rules.decide(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(module, "decide", decide)

    def look(self, *after: float) -> int:
        """Scan after each of these seconds; how many decisions that took."""
        before = self.decided
        for seconds in after:
            self.now += seconds
            self.inbox.step(self.now)
        return self.decided - before


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def keeping(make_config: ConfigMaker, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """An inbox that keeps three pictures, all served."""
    config = make_config(mode="keep", settle=1, defaults=RequestKeys(prompt="a lake", seed=1))
    watched = Watched(config, ledger, monkeypatch)
    for name in ("a.png", "b.png", "c.png"):
        (watched.folder / name).write_bytes(name.encode())
    watched.look(0, 1.1, 2, 2)
    assert len(ledger.queued(9)) == 3
    assert watched.inbox.resting
    return watched


def test_an_unchanged_inbox_asks_nothing_of_the_rules(keeping: Watched, ledger: Ledger) -> None:
    before = ledger.sql.total_changes
    assert keeping.look(2, 2, 600, 86_400) == 0
    assert ledger.sql.total_changes == before


def test_a_change_without_any_event_is_seen_by_the_next_scan(
    keeping: Watched, ledger: Ledger
) -> None:
    (keeping.folder / "b.png").write_bytes(b"drawn over")
    assert keeping.look(2, 1.1) == 2
    assert [row.spec.rel for row in ledger.queued(9)] == ["a.png", "c.png", "b.png"]
    assert keeping.look(2, 2, 2) <= 2
    assert keeping.look(2, 2) == 0


def test_new_files_and_files_that_go_end_the_rest(keeping: Watched) -> None:
    (keeping.folder / "sub").mkdir()
    assert keeping.look(2) == 0
    (keeping.folder / "sub" / "d.png").write_bytes(b"d")
    assert keeping.look(2) == 2
    keeping.look(2, 2, 2)
    (keeping.folder / "a.png").unlink()
    assert keeping.look(2) > 0


def test_a_served_picture_is_not_opened_again_when_another_one_comes(
    keeping: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    (keeping.folder / "d.png").write_bytes(b"d")
    keeping.look(2, 1.1, 2, 2)  # the others are looked at once more
    opened: list[str] = []
    real = plainfiles.has_writer

    def has_writer(path: Path) -> bool:
        opened.append(path.name)
        return real(path)

    monkeypatch.setattr(plainfiles, "has_writer", has_writer)
    (keeping.folder / "e.png").write_bytes(b"e")
    keeping.look(2, 1.1)
    assert "e.png" in opened
    assert not {"a.png", "b.png", "c.png"} & set(opened)


def test_what_a_fault_of_the_ledger_held_up_is_decided_again(
    keeping: Watched, ledger: Ledger
) -> None:
    (keeping.folder / "d.png").write_bytes(b"d")
    ledger.sql.execute("PRAGMA query_only=ON")
    with pytest.raises(EnvironmentFault):
        keeping.look(2, 1.1)
    ledger.sql.execute("PRAGMA query_only=OFF")
    keeping.look(2, 2)
    assert "d.png" in [row.spec.rel for row in ledger.queued(9)]


def test_what_waits_for_time_to_pass_is_decided_again(
    make_config: ConfigMaker, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(make_config(settle=1, orphan_after=100), ledger, monkeypatch)
    (watched.folder / "a.png").write_bytes(b"a")
    watched.look(0, 1.1)
    assert watched.look(5, 5) == 2
    assert not watched.inbox.resting
    watched.look(100)
    assert [row.spec.rel for row in ledger.unarchived()] == ["a.png"]


def test_what_waits_for_a_person_rests_until_the_person_acts(
    make_config: ConfigMaker, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(make_config(settle=1, mode="keep"), ledger, monkeypatch)
    (watched.folder / "a.png").write_bytes(b"a")
    watched.look(0, 1.1)
    assert watched.look(5, 5) == 0
    assert ledger.waiting()
    (watched.folder / "_defaults.yaml").write_text("prompt: a lake\n")
    watched.look(5, 1.1)
    assert [row.spec.rel for row in ledger.queued(9)] == ["a.png"]


def test_a_scan_gives_the_same_list_only_while_nothing_has_changed(tmp_path: Path) -> None:
    scanner = Scanner(tmp_path, recursive=True)
    (tmp_path / "sub").mkdir()
    for rel in ("b.png", "sub/a.png"):
        (tmp_path / rel).write_bytes(b"x")
    first = scanner.scan()
    assert scanner.scan() is first
    changes: list[Callable[[], object]] = [
        lambda: (tmp_path / "b.png").write_bytes(b"longer"),
        lambda: os.utime(tmp_path / "sub" / "a.png", (1, 1)),
        lambda: (tmp_path / "sub" / "c.yaml").touch(),
        lambda: (tmp_path / "b.png").rename(tmp_path / "sub" / "b.png"),
        lambda: (tmp_path / "sub" / "c.yaml").unlink(),
    ]
    for change in changes:
        change()
        seen = scanner.scan()
        assert seen is not first
        assert seen == Scanner(tmp_path, recursive=True).scan()
        assert scanner.scan() is seen
        first = seen


def test_what_waits_for_a_time_tells_it_once(
    make_config: ConfigMaker, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(settle=1, pair_wait=5, orphan_after=600)
    watched = Watched(config, ledger, monkeypatch)
    (watched.folder / "cat.png").write_bytes(b"cat")
    told: list[object] = []
    keep = ledger.set_waiting
    monkeypatch.setattr(ledger, "set_waiting", lambda *all: (told.append(all), keep(*all)))
    began = time.time()
    watched.look(0, 2, 10)
    (row,) = ledger.waiting_files()
    assert row.why.startswith("has no prompt yet")
    assert row.until is not None
    assert 500 < row.until - began < 602
    count = len(told)
    monkeypatch.setattr(time, "time", lambda moment=time.time: moment() + 30)
    watched.look(30)
    assert len(told) == count
    (watched.folder / "cat.png").write_bytes(b"another cat")
    watched.look(1)
    assert ledger.waiting_files()[0].until is None  # it is still being written
