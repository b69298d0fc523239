"""The addresses that the page listens on."""

from __future__ import annotations

import socket
from pathlib import Path

from img2imgd.errors import EnvironmentFault

_BACKLOG = 64


def open_sockets(listen: str) -> list[socket.socket]:
    """Listen on ``HOST:PORT`` or ``unix:/PATH``.

    Raises:
        EnvironmentFault: the address cannot be had.
    """
    try:
        if listen.startswith("unix:"):
            return [_unix(Path(listen.removeprefix("unix:")))]
        host, _, port = listen.rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        address = host.strip("[]"), int(port)
        return [socket.create_server(address, backlog=_BACKLOG, family=family)]
    except OSError as error:
        raise EnvironmentFault(
            f"The page cannot listen on {listen}: {error.strerror or error}.",
            "Set another address at `status: listen` in the config.",
        ) from error


def _unix(path: Path) -> socket.socket:
    if path.is_socket():
        path.unlink()  # of a process that was killed
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(str(path))
        path.chmod(0o660)
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
