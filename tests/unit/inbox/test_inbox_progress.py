"""A long look or repair shows that it gets on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from img2imgd.config import Config
from img2imgd.inbox import Inbox
from img2imgd.inbox.scan import Scanner
from img2imgd.ledger import open_ledger


def test_a_scan_tells_of_every_folder_and_often_within_a_large_one(tmp_path: Path) -> None:
    told: list[None] = []
    for number in range(320):
        (tmp_path / f"{number}.png").touch()
    for folder in ("a", "b", "b/c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "cat.png").touch()
    Scanner(tmp_path, recursive=True, progress=lambda: told.append(None)).scan()
    assert len(told) == 11 + 3


def test_the_repair_of_what_a_crash_left_tells_of_every_job(
    make_config: Callable[..., Config],
) -> None:
    config = make_config()
    (inbox,) = config.inboxes
    for number in range(40):
        (inbox.path / ".img2imgd" / f"20261126T202752-{number:08x}").mkdir()
    ledger = open_ledger(config.state / "ledger.sqlite")
    told: list[None] = []
    looking = Inbox(
        config, inbox, ledger, lambda _: None, lambda _: None, progress=lambda: told.append(None)
    )
    looking.recover()
    ledger.close()
    assert len(told) >= 80, "once to see whose it is, once to take it up"


def test_what_has_settled_stays_settled_under_other_rules(
    make_config: Callable[..., Config],
) -> None:
    config = make_config(settle=10.0)
    (inbox,) = config.inboxes
    (inbox.path / "cat.png").write_bytes(b"a picture")
    ledger = open_ledger(config.state / "ledger.sqlite")
    before = Inbox(config, inbox, ledger, lambda _: None, lambda _: None)
    before.step(1000.0)
    assert before.step(1008.0) < 2.1  # settled in two seconds
    after = Inbox(config, inbox, ledger, lambda _: None, lambda _: None, before=before)
    assert after.step(1008.5) < 1.6
    ledger.close()
