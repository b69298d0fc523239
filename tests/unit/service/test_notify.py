"""What the service manager hears, on a real datagram socket."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from img2imgd.service.notify import Notifier
from service_manager import Ear, listening
from waiting import wait_until


@pytest.fixture(params=["path", "abstract"])
def ear(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ear]:
    abstract = f"@img2imgd-test-{secrets.token_hex(8)}"
    with listening(str(tmp_path / "notify") if request.param == "path" else abstract) as heard:
        yield heard


def test_every_message_arrives_at_a_path_and_at_an_abstract_address(ear: Ear) -> None:
    notifier = Notifier(ear.address)
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.extend(60)
    notifier.ready("idle")
    notifier.status("1 queued")
    notifier.alive()
    notifier.reloading("reading the config again")
    notifier.stopping("stopping", 40)
    wait_until(lambda: len(ear.messages) == 6, "six messages")
    extend, ready, status, alive, reloading, stopping = ear.messages
    assert extend == {"EXTEND_TIMEOUT_USEC": "60000000"}
    assert ready == {"READY": "1", "STATUS": "idle"}
    assert status == {"STATUS": "1 queued"}
    assert alive == {"WATCHDOG": "1"}
    assert before <= int(reloading.pop("MONOTONIC_USEC")) <= before + 60_000_000
    assert reloading == {"RELOADING": "1", "STATUS": "reading the config again"}
    assert stopping == {
        "STOPPING": "1", "STATUS": "stopping", "EXTEND_TIMEOUT_USEC": "40000000"
    }  # fmt: skip


def test_a_status_is_one_line_of_text_whatever_names_it_tells(ear: Ear) -> None:
    name = os.fsdecode(b"caf\xe9\nWATCHDOG=1\x1b[2J.png")
    Notifier(ear.address).status(f"painting {name}" + "x" * 9000)
    wait_until(lambda: ear.messages, "a message")
    (message,) = ear.messages
    assert set(message) == {"STATUS"}
    assert message["STATUS"].startswith(r"painting caf\xe9 WATCHDOG=1\x1b[2J.png")
    assert len(message["STATUS"]) <= 500


def test_the_variables_are_taken_out_of_the_environment() -> None:
    env = {
        "NOTIFY_SOCKET": "/run/notify",
        "WATCHDOG_USEC": "3000000",
        "WATCHDOG_PID": str(os.getpid()),
        "PATH": "/bin",
    }
    notifier = Notifier.from_environment(env)
    assert env == {"PATH": "/bin"}
    assert notifier.is_heard
    assert notifier.watchdog == 3.0


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        ("3000000", "1", None),
        ("3000000", "", 3.0),
        ("", "", None),
        ("0", "", None),
        ("soon", "", None),
    ],
)
def test_a_watchdog_counts_if_it_is_meant_for_this_process(
    usec: str, pid: str, seconds: float | None
) -> None:
    env = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": usec, "WATCHDOG_PID": pid}
    assert Notifier.from_environment(env).watchdog == seconds


def test_without_a_socket_nothing_is_sent_and_all_is_well() -> None:
    notifier = Notifier.from_environment({"WATCHDOG_USEC": "3000000"})
    assert not notifier.is_heard
    assert notifier.watchdog is None
    assert notifier.ready("idle")


def test_an_address_of_another_kind_is_refused_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert not Notifier.from_environment({"NOTIFY_SOCKET": "vsock:2:9"}).is_heard
    assert "NOTIFY_SOCKET=vsock:2:9" in caplog.text


def test_a_manager_that_is_gone_is_said_once_and_harms_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier(str(tmp_path / "gone"))
    assert not notifier.ready("idle")
    assert not notifier.status("idle")
    assert caplog.text.count("cannot be told") == 1


def test_a_manager_that_is_too_busy_holds_nobody_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as busy:
        busy.bind(str(tmp_path / "notify"))
        notifier = Notifier(str(tmp_path / "notify"))
        began = time.monotonic()
        told = [notifier.alive() or notifier.status("x") for _ in range(1)]
        for _ in range(2000):
            if not notifier.status("x"):
                break
        else:
            pytest.fail("the queue never filled")
        assert told == [True]
        assert time.monotonic() - began < 20
