"""A fault that lasts is not logged at every scan, nor is its drop tried at each."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from img2imgd.config import Config
from img2imgd.inbox import Inbox
from img2imgd.inbox.acts import Acts
from img2imgd.ledger import Ledger, open_ledger
from img2imgd.request import RequestKeys


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


def test_a_file_that_can_never_be_taken_is_logged_once_shown_as_waiting_and_tried_less_and_less(
    make_config: Callable[..., Config],
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    tries: list[int] = []

    def act(*_: object) -> None:
        tries.append(scan)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Acts, "act", act)
    config = make_config(settle=0, pair_wait=0, defaults=RequestKeys(prompt="a lake"))
    (config.inboxes[0].path / "cat.png").write_bytes(b"x")
    inbox = Inbox(config, config.inboxes[0], ledger, lambda _: None, lambda _: None)
    scan = 0
    for scan in range(200):
        inbox.step(1000.0 + 5 * scan)
    assert tries[:8] == [0, 1, 2, 4, 8, 16, 28, 40]  # every 5 s, 10, 20, 40, then every minute
    assert len(caplog.records) == 1
    assert "cat.png could not be taken: Input/output error" in caplog.messages[0]
    ((_, rel, why),) = ledger.waiting()
    assert (rel, why) == ("cat.png", "could not be taken: Input/output error")
    scan = 200
    (config.inboxes[0].path / "cat.png").write_bytes(b"other")
    inbox.step(2000.0)
    assert tries[-1] == 200
