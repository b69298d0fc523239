"""The watch: it says that it is time to scan, and nothing else."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from watchdog.events import FileCreatedEvent

from img2imgd import filesystems
from img2imgd.filesystems import FilesystemKind
from img2imgd.inbox import Watch, watch

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
    armed.start()
    assert not armed.polling
    (tmp_path / "sub").mkdir()
    assert woken.wait(DEADLINE)
    woken.clear()
    (tmp_path / "cat.png").write_bytes(b"x")
    assert woken.wait(DEADLINE)


def test_the_spools_own_events_do_not(armed: Watch, woken: threading.Event) -> None:
    armed.on_any_event(FileCreatedEvent("/inbox/.img2imgd/JOB/in/cat.png"))
    assert not woken.is_set()
    armed.on_any_event(FileCreatedEvent("/inbox/cat.png"))
    assert woken.is_set()


def test_remote_filesystems_are_polled(
    tmp_path: Path, armed: Watch, woken: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remote(_: Path) -> FilesystemKind:
        return FilesystemKind("NFS", local=False)

    monkeypatch.setattr(filesystems, "kind_of", remote)
    armed.start()
    assert armed.polling
    (tmp_path / "cat.png").write_bytes(b"x")
    assert woken.wait(DEADLINE)


def test_polling_takes_over_where_no_watch_can_be_had(
    armed: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Exhausted:
        def schedule(self, *_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr(watch, "Observer", Exhausted)
    armed.start()
    assert armed.polling
