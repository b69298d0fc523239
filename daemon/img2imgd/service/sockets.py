"""Where the page listens: sockets inherited from the service manager, or an address of the config.

Whoever can reach another address than this machine's own must show a token, or nothing starts.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import logging
import os
import shlex
import socket
import stat
from collections.abc import MutableMapping, Sequence
from pathlib import Path

from img2imgd import plainfiles
from img2imgd.config import StatusConfig
from img2imgd.errors import EnvironmentFault, UsageError, shown

log = logging.getLogger(__name__)

_FIRST = 3  # the first inherited descriptor (sd_listen_fds(3))
_WAITING = 128  # connections that wait to be taken
_UNIX = "unix:"
_UNIX_MODE = 0o660
_MOST_TOKEN = 4096  # bytes


class SocketFile(socket.socket):
    """A listening socket with a file, which goes when it is closed; copies (``dup``) have none."""

    path: Path | None = None
    _made: tuple[int, int] | None = None

    def stand_at(self, path: Path) -> None:
        """The socket's file is there now."""
        self.path, self._made = path, _identity(path)

    def close(self) -> None:
        """Close it, and remove its file, unless another has taken its place."""
        if self.path is not None:
            with contextlib.suppress(OSError):
                if _identity(self.path) == self._made:
                    self.path.unlink()
            self.path = None
        super().close()


def _identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino


def address_of(listening: socket.socket) -> str:
    """Where a listening socket is reached, in words."""
    if listening.family == socket.AF_UNIX:
        # Its name was another when it was bound: see :func:`_listen_on_path`.
        own = listening.path if isinstance(listening, SocketFile) else None
        return f"unix:{shown(str(own or listening.getsockname()))}"
    host, port = map(str, listening.getsockname()[:2])
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def inherited_sockets(env: MutableMapping[str, str]) -> list[socket.socket]:
    """The listening sockets that LISTEN_FDS hands over, as LISTEN_PID says, to this process.

    The variables are removed, and no child process gets the sockets.

    Raises:
        UsageError: a descriptor is not there, or no listening stream socket.
    """
    pid, count = env.pop("LISTEN_PID", ""), env.pop("LISTEN_FDS", "")
    names = env.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not (count.isascii() and count.isdecimal()):
        return []
    found: list[socket.socket] = []
    for at in range(int(count)):
        name = names[at] if at < len(names) and names[at] else "unknown"
        found.append(_inherited(_FIRST + at, f"The inherited socket {_FIRST + at} ({name})"))
    return found


def check_token(status: StatusConfig, inherited: Sequence[socket.socket]) -> None:
    """Refuse to listen where others can come without a token; opens nothing.

    Raises:
        UsageError: a token is needed and there is none, or its file cannot be used.
        EnvironmentFault: the host's name is not known now.
    """
    if status.token_file is not None:
        read_token(status.token_file)
        return
    for where in _open_to_others(status, inherited):
        raise UsageError(
            f"{where} can be reached from other machines, and there is no token.",
            "Name a file with one as `status.token_file`, or listen on 127.0.0.1 or unix:/PATH.",
        )


def listening_sockets(
    status: StatusConfig, inherited: Sequence[socket.socket]
) -> list[socket.socket]:
    """The sockets to serve the page on, none where it is off; inherited ones win over ``listen``.

    Raises:
        UsageError, EnvironmentFault: as :func:`check_token`, and if it cannot be listened there.
    """
    check_token(status, inherited)
    if inherited:
        if status.listen:
            log.info("the inherited socket is used, not status.listen %s", status.listen)
        return list(inherited)
    if status.listen is None:
        return []
    if status.listen.startswith(_UNIX):
        return [_listen_on_path(Path(status.listen.removeprefix(_UNIX)))]
    return _listen_on_host(status.listen)


def read_token(file: str) -> str:
    """The token: the first line of its file.

    Raises:
        UsageError: it cannot be read, or is empty.
    """
    try:
        first = plainfiles.read_regular(Path(file).resolve(), _MOST_TOKEN).partition(b"\n")[0]
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise UsageError(
            f"The token_file {file} cannot be read: {error.strerror}.",
            f"Make one: {_making(file)}" if missing
            else "Give the user that img2imgd runs as the right to.",
        ) from error  # fmt: skip
    token = first.decode("utf-8", "replace").strip()
    if not token:
        raise UsageError(
            f"The first line of the token_file {file} is empty.",
            f"Write a token into it: {_making(file)}",
        )
    return token


def _making(file: str) -> str:
    return f"(umask 077; openssl rand -hex 32 > {shlex.quote(file)})"


def _inherited(descriptor: int, what: str) -> socket.socket:
    try:
        os.set_inheritable(descriptor, False)
        taken = socket.socket(fileno=descriptor)
        listens = taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise UsageError(f"{what} cannot be used: {error.strerror}.") from error
    families = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
    if taken.type != socket.SOCK_STREAM or taken.family not in families or not listens:
        raise UsageError(
            f"{what} is no listening stream socket.", "Use ListenStream= in the socket unit."
        )
    return taken


def _open_to_others(status: StatusConfig, inherited: Sequence[socket.socket]) -> list[str]:
    """The addresses that other machines may reach, in words."""
    if inherited:
        bound = [one.getsockname()[0] for one in inherited if one.family != socket.AF_UNIX]
        return [f"The inherited socket on {host}" for host in bound if not _is_loopback(host)]
    if status.listen is None or status.listen.startswith(_UNIX):
        return []
    hosts = [address[0] for _, address in _addresses(status.listen)]
    return [f"status.listen {status.listen}" for host in hosts if not _is_loopback(host)]


def _is_loopback(host: str) -> bool:
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _addresses(listen: str) -> list[tuple[int, tuple[str, int]]]:
    """(family, address) of everything that HOST:PORT stands for."""
    host, _, port = listen.rpartition(":")
    try:
        found = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise EnvironmentFault(
            f"The host of status.listen {listen} is not known: {error.strerror}.",
            "For this machine alone: 127.0.0.1.",
        ) from error
    known = [(int(family), address) for family, _, _, _, address in found]
    return [(family, (str(address[0]), int(address[1]))) for family, address in known]


def _listen_on_host(listen: str) -> list[socket.socket]:
    opened: list[socket.socket] = []
    fault: OSError | None = None
    for family, address in dict.fromkeys(_addresses(listen)):
        try:
            opened.append(
                socket.create_server(address, family=socket.AddressFamily(family), backlog=_WAITING)
            )
        except OSError as error:
            fault = error
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                continue  # a machine without IPv6 has ::1 in its table of hosts all the same
            break
    else:
        if opened:
            return opened
    for one in opened:
        one.close()
    why = fault.strerror if fault else "it has no address"
    raise EnvironmentFault(
        f"The page cannot listen on {listen}: {why}.", "Name another port as `status.listen`."
    )


def _listen_on_path(path: Path) -> socket.socket:
    """Listen on a socket file of mode 0660; one that a killed process left is replaced."""
    _check_free(path)
    # Made under another name and renamed: nobody meets it with other rights, or not listening.
    making = path.with_name(path.name + "~")
    listening = SocketFile(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        making.unlink(missing_ok=True)
        listening.bind(os.fspath(making))
        making.chmod(_UNIX_MODE)
        listening.listen(_WAITING)
        making.rename(path)
        listening.stand_at(path)
    except OSError as error:
        listening.close()
        with contextlib.suppress(OSError):
            making.unlink()
        why = error.strerror or str(error)  # too long a path has no number of its own
        raise EnvironmentFault(
            f"The page cannot listen on {shown(str(path))}: {why}.",
            "Its folder must be there, and this user must have the right to write to it.",
        ) from error
    return listening


def _check_free(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return  # not there; what else is wrong is told when it is made
    if not stat.S_ISSOCK(mode):
        raise UsageError(
            f"The page cannot listen on {shown(str(path))}: it is there and no socket.",
            "Remove it, or name another path as `status.listen`.",
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(1)
        try:
            asking.connect(os.fspath(path))
        except ConnectionRefusedError:
            return
        except OSError as error:
            why = error.strerror or str(error)
            raise EnvironmentFault(f"Who listens on {shown(str(path))}? {why}.") from error
    raise EnvironmentFault(
        f"Another program listens on {shown(str(path))}.",
        "Stop that one, or name another path as `status.listen`.",
    )
