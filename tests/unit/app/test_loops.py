"""The loops whose ledger cannot be opened, because the disk fails just then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from img2imgd.app import loops
from img2imgd.app.holding import FolderLock
from img2imgd.app.loops import DispatchLoop, InboxLoop, UpkeepLoop
from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault
from img2imgd.pool.reading import ReaderProcess
from img2imgd.service.freshness import Pulse, silent
from waiting import wait_until


@pytest.fixture
def config(make_config: Callable[..., Config]) -> Config:
    return make_config()


@pytest.fixture
def ledger(config: Config) -> Path:
    return config.state / "not yet" / "ledger.sqlite"


@pytest.fixture
def lock(config: Config) -> Iterator[FolderLock]:
    held = FolderLock(config.inboxes[0].path)
    yield held
    held.close()


NOTHING = (lambda _: None, lambda _: None, lambda: None)  # read of pictures, and told of claims


def test_a_dispatcher_without_a_ledger_ends_and_says_why(config: Config, ledger: Path) -> None:
    says_why(DispatchLoop(config, ledger, ReaderProcess()))


def test_an_inbox_without_a_ledger_ends_and_says_why(
    config: Config, ledger: Path, lock: FolderLock
) -> None:
    (inbox,) = config.inboxes
    says_why(InboxLoop(config, inbox, lock, ledger, *NOTHING, drain=False))


def says_why(loop: DispatchLoop | InboxLoop) -> None:
    loop.start()
    loop.join(20)
    assert isinstance(loop.failure, EnvironmentFault)
    assert "cannot be opened" in str(loop.failure)


def test_an_inbox_that_is_not_there_counts_as_looked_at(config: Config, lock: FolderLock) -> None:
    (inbox,) = config.inboxes
    gone = inbox.path.with_name("gone")
    ledger = config.state / "ledger.sqlite"
    loop = InboxLoop(config, replace(inbox, path=gone), lock, ledger, *NOTHING, drain=False)
    loop.start()
    wait_until(loop.looked.is_set, "it was looked at")
    assert not loop.scanned.is_set()
    assert "is not there" in loop.unavailable
    assert silent(loop.parts(), time.monotonic() + 300, allowed=300) == []
    loop.stop()
    loop.join(20)


def test_an_inbox_that_is_watched_otherwise_goes_on_between_two_steps(
    config: Config, lock: FolderLock
) -> None:
    (inbox,) = config.inboxes
    ledger = config.state / "ledger.sqlite"
    loop = InboxLoop(config, inbox, lock, ledger, *NOTHING, drain=False)
    loop.start()
    wait_until(loop.scanned.is_set, "it was scanned")
    before = loop._watch
    below = inbox.path / "sub"
    below.mkdir()
    (below / "cat.png").write_bytes(b"not whole yet")
    wait_until(lambda: loop._watch.is_alive and loop._watch._observer, "it is watched")
    flat = replace(inbox, recursive=False, settle=60.0)
    loop.reconfigure(replace(config, inboxes=(flat,)))
    wait_until(lambda: loop._watch is not before and loop._watch._observer, "watched anew")
    assert loop._inbox is flat
    loop.stop()
    loop.join(20)
    assert loop.failure is None


def test_upkeep_waits_for_the_ledger(
    config: Config, ledger: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loops, "_UPKEEP_FIRST", 0)
    monkeypatch.setattr(loops, "_UPKEEP_EVERY", 0.02)
    loop = UpkeepLoop(config, ledger)
    loop.start()
    wait_until(lambda: "cannot be opened" in caplog.text, "the log says so")
    ledger.parent.mkdir()
    wait_until(ledger.exists, "it is opened")
    loop.stop()
    loop.join(20)
    assert loop.failure is None


def test_a_worker_that_takes_long_to_end_is_no_silence_of_the_dispatcher() -> None:
    pulse = Pulse("dispatch")
    pulse.rest(loops.STEP_SECONDS)
    part = pulse.part(alive=True)
    ends = 1 + 10 + 2 * 2  # events, the worker's step, SIGTERM, SIGKILL
    assert silent([part], part.heard + ends + 9, allowed=10) == []
