"""Where the page may listen, and what is refused before anything starts."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from tools.ports import free_port

from img2imgd.config import StatusConfig
from img2imgd.errors import EnvironmentFault, UsageError
from img2imgd.service.sockets import (
    address_of,
    check_token,
    inherited_sockets,
    listening_sockets,
    read_token,
)


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listening(stack: ExitStack, status: StatusConfig) -> list[socket.socket]:
    return [stack.enter_context(closing(one)) for one in listening_sockets(status, ())]


def test_without_an_address_nothing_listens() -> None:
    assert listening_sockets(StatusConfig(), ()) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_this_machines_own_addresses_need_no_token(opened: ExitStack, host: str) -> None:
    port = free_port()
    (first, *_) = listening(opened, StatusConfig(listen=f"{host}:{port}"))
    with socket.create_connection(first.getsockname()[:2], timeout=5):
        pass
    assert not os.get_inheritable(first.fileno())


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1", "[::ffff:192.0.2.1]"])  # noqa: S104
def test_any_other_address_needs_a_token(tmp_path: Path, host: str) -> None:
    status = StatusConfig(listen=f"{host}:8765")
    with pytest.raises(UsageError, match="can be reached from other machines"):
        check_token(status, ())
    token = tmp_path / "token"
    token.write_text("s3cret\nmore\n")
    check_token(StatusConfig(listen=status.listen, token_file=str(token)), ())
    assert read_token(str(token)) == "s3cret"


@pytest.mark.parametrize("text", ["", "\n", "  \nnot the first line\n"])
def test_an_empty_token_is_none(tmp_path: Path, text: str) -> None:
    token = tmp_path / "token"
    token.write_text(text)
    with pytest.raises(UsageError, match="is empty"):
        check_token(StatusConfig(listen="127.0.0.1:1", token_file=str(token)), ())


def test_a_token_file_that_is_missing_is_told_with_what_makes_one(tmp_path: Path) -> None:
    file = tmp_path / "a token"
    with pytest.raises(UsageError) as caught:
        check_token(StatusConfig(listen="127.0.0.1:1", token_file=str(file)), ())
    subprocess.run(["sh", "-c", caught.value.advice.removeprefix("Make one: ")], check=True)
    assert file.stat().st_mode & 0o777 == 0o600
    check_token(StatusConfig(listen="127.0.0.1:1", token_file=str(file)), ())


def test_a_token_file_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token")
    with pytest.raises(UsageError, match="not a plain file"):
        read_token(str(tmp_path / "token"))
    (tmp_path / "plain").write_text("s3cret\n")
    (tmp_path / "link").symlink_to("plain")
    assert read_token(str(tmp_path / "link")) == "s3cret"


def test_a_token_that_cannot_be_read_is_refused_even_on_loopback(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        check_token(StatusConfig(listen="127.0.0.1:1", token_file=str(tmp_path / "no")), ())


def test_a_port_that_is_taken_is_the_environments_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentFault, match="cannot listen on"):
            listening_sockets(StatusConfig(listen=f"127.0.0.1:{port}"), ())


def test_a_socket_file_has_mode_0660_and_a_stale_one_is_replaced(
    opened: ExitStack, tmp_path: Path
) -> None:
    path = tmp_path / "page.sock"
    status = StatusConfig(listen=f"unix:{path}")
    before = os.umask(0o077)
    try:
        listening(opened, status)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with pytest.raises(EnvironmentFault, match="Another program listens"):
        listening(opened, status)
    opened.close()
    assert not path.exists()
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))  # the file stays, and nobody listens
    listening(opened, status)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["page.sock"]


def test_a_socket_file_goes_with_its_socket_alone(opened: ExitStack, tmp_path: Path) -> None:
    path = tmp_path / "page.sock"
    (first,) = listening_sockets(StatusConfig(listen=f"unix:{path}"), ())
    assert address_of(first) == f"unix:{path}"
    with first.dup() as copy:
        assert copy.fileno() != first.fileno()
    assert path.exists(), "a copy has no file"
    path.unlink()
    (second,) = listening(opened, StatusConfig(listen=f"unix:{path}"))
    first.close()
    assert path.exists(), "it is another's now"
    second.close()
    assert not path.exists()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(UsageError, match="is there and no socket"):
        listening_sockets(StatusConfig(listen=f"unix:{path}"), ())
    assert path.read_text() == "mine"


def test_a_path_that_is_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="too long"):
        listening_sockets(StatusConfig(listen=f"unix:{tmp_path}/{'x' * 120}"), ())


def test_variables_meant_for_another_process_hand_nothing_over() -> None:
    env = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "page", "PATH": "/bin"}
    assert inherited_sockets(env) == []
    assert env == {"PATH": "/bin"}


CHILD = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
from img2imgd.config import StatusConfig
from img2imgd.errors import Img2imgdError
from img2imgd.service.sockets import inherited_sockets, listening_sockets
status = StatusConfig(listen="192.0.2.1:1" if "listen" in sys.argv else None)
try:
    for one in listening_sockets(status, inherited_sockets(os.environ)):
        print(one.getsockname(), os.get_inheritable(one.fileno()))
except Img2imgdError as error:
    print("refused:", error.message)
print(sorted(name for name in os.environ if name.startswith("LISTEN")))
"""


def child(*descriptors: int, arguments: tuple[str, ...] = ()) -> list[str]:
    """What a real process makes of descriptors that it inherits as 3, 4, …"""

    moves = "".join(f"{3 + at}<&{one} " for at, one in enumerate(descriptors))
    done = subprocess.run(
        ["/bin/bash", "-c", f'exec {moves}; exec "$@"', "bash", sys.executable, "-c", CHILD,
         *arguments],
        pass_fds=descriptors,
        env={**os.environ, "LISTEN_FDS": str(len(descriptors)), "LISTEN_FDNAMES": "page:other"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_a_process_takes_the_sockets_that_it_inherits_instead_of_its_own_address(
    opened: ExitStack, tmp_path: Path
) -> None:
    first = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
    second = opened.enter_context(socket.socket(socket.AF_UNIX))
    second.bind(str(tmp_path / "s"))
    second.listen()
    high = [os.dup2(first.fileno(), 20), os.dup2(second.fileno(), 21)]
    for one in high:
        opened.callback(os.close, one)
    assert child(*high, arguments=("listen",)) == [
        f"{first.getsockname()} False", f"{tmp_path / 's'} False", "[]"
    ]  # fmt: skip


def test_an_inherited_socket_that_others_can_reach_needs_a_token_too(opened: ExitStack) -> None:
    wide = opened.enter_context(socket.create_server(("", 0)))
    high = os.dup2(wide.fileno(), 20)
    opened.callback(os.close, high)
    refused, variables = child(high)
    assert refused.startswith("refused: The inherited socket on 0.0.0.0 can be reached")
    assert variables == "[]"


def test_what_is_inherited_and_does_not_listen_is_refused(opened: ExitStack) -> None:
    datagrams = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    high = os.dup2(datagrams.fileno(), 20)
    opened.callback(os.close, high)
    refused, _ = child(high)
    assert refused == "refused: The inherited socket 3 (page) is no listening stream socket."
