"""The daemon under a service manager's ear: ready, alive, hung, stopped."""

from __future__ import annotations

import ctypes
import itertools
import os
import secrets
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sample_drops import drop
from served_root import RunningDaemon, ServedRoot, descendants

from service_manager import Ear, listening
from waiting import wait_until

SWEEP = """\
prompt: a lake
steps: 10
seed: 5
sweep: {strength: {from: 0.1, to: 1, step: 0.1}}
"""
WATCHDOG = 3.0

_SEIZE, _INTERRUPT, _DETACH, _ALL = 0x4206, 0x4207, 17, 0x40000000


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    with listening(str(tmp_path / "notify")) as heard:
        yield heard


def told(root: ServedRoot, ear: Ear, **environment: str) -> RunningDaemon:
    """A daemon that tells the ear how it goes."""
    daemon = root.launch(
        NOTIFY_SOCKET=ear.address, WATCHDOG_USEC=str(int(WATCHDOG * 1e6)), **environment
    )
    wait_until(lambda: ear.ready or daemon.process.poll() is not None, "it is ready")
    assert ear.ready, daemon.log
    return daemon


def threads(daemon: RunningDaemon) -> dict[str, int]:
    """The daemon's threads by the names that ``top -H`` shows."""
    tasks = Path(f"/proc/{daemon.pid}/task").iterdir()
    return {(task / "comm").read_text().strip(): int(task.name) for task in tasks}


@contextmanager
def hung(thread: int) -> Iterator[None]:
    """Stop one thread and no other, as a call that never returns would."""
    libc = ctypes.CDLL(None, use_errno=True)
    for request in (_SEIZE, _INTERRUPT):
        if libc.ptrace(request, thread, None, None):
            pytest.skip(f"ptrace is not allowed here: {os.strerror(ctypes.get_errno())}")
    os.waitpid(thread, _ALL)
    try:
        yield
    finally:
        libc.ptrace(_DETACH, thread, None, None)


def test_ready_comes_after_the_first_look_and_then_signs_of_life(
    root: ServedRoot, ear: Ear
) -> None:
    daemon = told(root, ear)
    wait_until(lambda: len(ear.times("WATCHDOG")) >= 4, "signs of life")
    times = ear.times("WATCHDOG")
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(gaps) < WATCHDOG
    assert daemon.stop() == 0, daemon.log
    wait_until(lambda: ear.times("STOPPING"), "the stop is announced")
    (stopping,) = [message for message in ear.messages if "STOPPING" in message]
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) >= 30_000_000
    assert "EXTEND_TIMEOUT_USEC" in ear.messages[0]


def test_an_abstract_address_does_as_well(root: ServedRoot) -> None:
    with listening(f"@img2imgd-test-{secrets.token_hex(8)}") as ear:
        told(root, ear).stop()


def test_the_status_tells_what_is_painted_and_how_far(root: ServedRoot, ear: Ear) -> None:
    told(root, ear, IMG2IMGD_FAKE_STEP_SECONDS="0.05")
    drop(root.inbox, "hills.png", SWEEP)
    root.wait_served(1)
    wait_until(lambda: ear.statuses[-1] == "idle", "it is idle again")
    painting = [status for status in ear.statuses if "hills.png" in status]
    percents = [int(status.split(", ")[1].split(" %")[0]) for status in painting]
    assert len(painting) >= 2
    assert percents == sorted(percents)
    assert 0 < percents[-1] <= 100


def test_worker_and_reader_do_not_inherit_the_managers_address(root: ServedRoot, ear: Ear) -> None:
    daemon = told(root, ear)
    drop(root.inbox, "hills.png", SWEEP)
    root.wait_served(1)
    children = descendants(daemon.pid)
    assert len(children) == 2
    for child in children:
        environment = Path(f"/proc/{child.pid}/environ").read_bytes()
        assert b"NOTIFY_SOCKET" not in environment
        assert b"WATCHDOG" not in environment


def test_an_inbox_that_hangs_ends_the_signs_of_life_while_the_others_live(
    root: ServedRoot, ear: Ear
) -> None:
    second = root.path / "second"
    second.mkdir(parents=True)
    root.write_config(
        extra=f"  - {{path: {second}, settle: 0.3, rescan: 1, pair_wait: 0.4, orphan_after: 1.5}}\n"
    )
    daemon = told(root, ear, IMG2IMGD_FAKE_STEP_SECONDS="0.05")  # some seconds, to be told of
    with hung(threads(daemon)["inbox inbox"]):
        hangs = f"hangs: inbox {root.inbox} shows no sign of life"
        wait_until(lambda: any(s.startswith(hangs) for s in ear.statuses), "it is noticed")
        silent_from = len(ear.times("WATCHDOG"))
        drop(second, "hills.png", SWEEP)
        wait_until(lambda: any("hills" in s for s in ear.statuses), "what is painted is told")
        root.wait_served(1)  # dispatch, worker, reader and the other inbox live
        assert len(ear.times("WATCHDOG")) == silent_from
        assert "ERROR" in daemon.log
    wait_until(lambda: len(ear.times("WATCHDOG")) > silent_from, "signs of life again")
    assert "every part shows signs of life again" in daemon.log
    assert daemon.stop() == 0


def test_a_dispatcher_that_hangs_ends_the_signs_of_life(root: ServedRoot, ear: Ear) -> None:
    daemon = told(root, ear)
    with hung(threads(daemon)["dispatch"]):
        wait_until(
            lambda: any(s.startswith("hangs: dispatch shows no") for s in ear.statuses), "noticed"
        )
        silent_from = len(ear.times("WATCHDOG"))
        last = ear.times("WATCHDOG")[-1]
        wait_until(lambda: ear.heard[-1][0] > last + 2 * WATCHDOG, "other messages go on")
        assert len(ear.times("WATCHDOG")) == silent_from


def test_threads_have_names_that_the_system_shows(root: ServedRoot, ear: Ear) -> None:
    names = threads(told(root, ear))
    assert {"inbox inbox", "dispatch", "upkeep", "heartbeat", "watch inbox"} <= names.keys()


def test_a_page_that_others_can_reach_without_a_token_keeps_the_daemon_from_starting(
    root: ServedRoot, tmp_path: Path
) -> None:
    root.config.write_text(root.config.read_text() + "status: {listen: '0.0.0.0:8765'}\n")
    result = root.command("run", "-c", root.config, timeout=30)
    assert result.returncode == 2
    assert "can be reached from other machines, and there is no token" in result.stderr
    assert not (root.path / "state" / "ledger.sqlite").exists()


def test_the_daemon_listens_on_a_socket_file_and_on_another_after_a_reload(
    root: ServedRoot, ear: Ear, tmp_path: Path
) -> None:
    usual = root.config.read_text()
    first, second = tmp_path / "first.sock", tmp_path / "second.sock"
    root.config.write_text(f"{usual}status: {{listen: 'unix:{first}'}}\n")
    daemon = told(root, ear)
    assert listens(first)
    root.config.write_text(f"{usual}status: {{listen: 'unix:{second}'}}\n")
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reloaded: status.listen" in daemon.log, "it is reloaded")
    assert listens(second)
    assert not listens(first)
    root.config.write_text(f"{usual}status: {{listen: '0.0.0.0:8765'}}\n")
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "config not reloaded: status.listen 0.0.0.0" in daemon.log, "it is refused")
    assert listens(second)
    assert daemon.stop() == 0


def listens(path: Path) -> bool:
    """True if somebody listens on a socket file."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0
