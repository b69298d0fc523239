"""The watch: it says that it is time to scan, and nothing else."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from watchdog.events import FileCreatedEvent
from watchdog.observers.inotify import InotifyWatchGroup

from img2imgd import filesystems
from img2imgd.filesystems import FilesystemKind
from img2imgd.inbox import Watch
from waiting import wait_until

DEADLINE = 20.0


@pytest.fixture
def woken() -> threading.Event:
    return threading.Event()


@pytest.fixture
def armed(tmp_path: Path, woken: threading.Event) -> Iterator[Watch]:
    made = Watch(tmp_path, woken.set, recursive=True, poll_seconds=0.05)
    yield made
    made.stop()


def test_a_new_file_wakes_the_scan(tmp_path: Path, armed: Watch, woken: threading.Event) -> None:
    armed.tend(0)
    assert not armed.polling
    (tmp_path / "sub").mkdir()
    assert woken.wait(DEADLINE)
    woken.clear()
    (tmp_path / "cat.png").write_bytes(b"x")
    assert woken.wait(DEADLINE)


def test_the_spools_own_events_do_not(tmp_path: Path, armed: Watch, woken: threading.Event) -> None:
    armed.on_any_event(FileCreatedEvent(f"{tmp_path}/.img2imgd/JOB/in/cat.png"))
    assert not woken.is_set()
    armed.on_any_event(FileCreatedEvent(f"{tmp_path}/cat.png"))
    assert woken.is_set()


def test_remote_filesystems_are_polled(
    tmp_path: Path, armed: Watch, woken: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remote(_: Path) -> FilesystemKind:
        return FilesystemKind("NFS", local=False)

    monkeypatch.setattr(filesystems, "kind_of", remote)
    armed.tend(0)
    assert armed.polling
    (tmp_path / "cat.png").write_bytes(b"x")
    assert woken.wait(DEADLINE)


def test_who_arms_a_polling_watch_shows_progress_with_every_file_and_its_threads_none(
    tmp_path: Path, woken: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        (tmp_path / f"{number}.png").touch()
    told: list[int] = []
    monkeypatch.setattr(filesystems, "kind_of", lambda _: FilesystemKind("NFS", local=False))
    armed = Watch(
        tmp_path, woken.set, recursive=True, poll_seconds=0.05,
        progress=lambda: told.append(threading.get_ident()),
    )  # fmt: skip
    try:
        armed.tend(0)
        assert len(told) >= 20
        (tmp_path / "cat.png").write_bytes(b"x")
        assert woken.wait(DEADLINE)
        assert set(told) == {threading.get_ident()}
    finally:
        armed.stop()


def test_a_watch_is_asked_for_again_after_a_while(
    armed: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("img2imgd"), "propagate", True)
    before = threading.active_count()
    with monkeypatch.context() as patch:
        patch.setattr(InotifyWatchGroup, "__init__", _refuse)
        for now in (0, 100, 601, 1300):
            armed.tend(now)
            assert armed.polling
    assert [record.levelname for record in caplog.records] == ["WARNING"], "said once"
    armed.tend(1301)
    assert armed.polling, "not yet"
    armed.tend(2000)
    assert not armed.polling
    armed.stop()
    assert threading.active_count() == before, "the threads of failed observers have ended"


def _refuse(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "inotify watch limit reached")


def test_an_observer_whose_thread_has_died_is_replaced(
    tmp_path: Path, armed: Watch, woken: threading.Event
) -> None:
    armed.tend(0)
    assert armed._observer is not None
    for emitter in armed._observer.emitters:
        emitter.stop()
        emitter.join()
    armed.tend(1)
    (tmp_path / "cat.png").write_bytes(b"x")
    assert woken.wait(DEADLINE)


@pytest.mark.parametrize("recursive", [True, False])
def test_a_watch_that_misses_the_heartbeat_is_armed_anew(
    tmp_path: Path, woken: threading.Event, recursive: bool
) -> None:
    spool = tmp_path / ".img2imgd"
    spool.mkdir()
    made = Watch(tmp_path, woken.set, recursive=recursive, poll_seconds=1, deaf_after=100)
    began = time.monotonic()
    made.tend(began)
    first = made._observer
    (spool / "lock").write_bytes(b"beat")
    wait_until(lambda: made._heard > began, "the heartbeat is heard")
    assert not woken.is_set()
    made.tend(began + 100)
    assert made._observer is first
    made.tend(began + 1000)
    assert made._observer is not first
    made.stop()


def test_an_inbox_that_cannot_be_watched_at_all_is_only_scanned(
    tmp_path: Path, woken: threading.Event
) -> None:
    made = Watch(tmp_path / "gone", woken.set, recursive=True, poll_seconds=1)
    made.tend(0)
    (tmp_path / "gone").mkdir()
    made.tend(1)
    (tmp_path / "gone" / "cat.png").write_bytes(b"x")
    assert woken.wait(DEADLINE)
    made.stop()


def test_an_inbox_below_a_folder_of_the_spools_name_is_heard(
    tmp_path: Path, woken: threading.Event
) -> None:
    inbox = tmp_path / ".img2imgd" / "inbox"
    spool = inbox / ".img2imgd"
    spool.mkdir(parents=True)
    made = Watch(inbox, woken.set, recursive=True, poll_seconds=1)
    began = time.monotonic()
    made.tend(began)
    (spool / "lock").write_bytes(b"beat")
    wait_until(lambda: made._heard > began, "the heartbeat is heard")
    assert not woken.is_set()
    (inbox / "cat.png").write_bytes(b"x")
    assert woken.wait(DEADLINE)
    made.stop()
