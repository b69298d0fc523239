"""A fault that lasts is not logged at every scan."""

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


def test_a_file_that_can_never_be_taken_is_logged_once_and_shown_as_waiting(
    make_config: Callable[..., Config],
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    def act(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Acts, "act", act)
    config = make_config(settle=0, pair_wait=0, defaults=RequestKeys(prompt="a lake"))
    (config.inboxes[0].path / "cat.png").write_bytes(b"x")
    inbox = Inbox(config, config.inboxes[0], ledger, lambda _: None)
    for scan in range(200):
        inbox.step(1000.0 + 5 * scan)
    assert len(caplog.records) == 1
    assert "cat.png could not be taken: Input/output error" in caplog.messages[0]
    ((_, rel, why),) = ledger.waiting()
    assert (rel, why) == ("cat.png", "could not be taken: Input/output error")
