"""The sd_notify(3) protocol: datagrams of ``NAME=VALUE`` lines to the service manager's socket.

Where no manager asks to be told, nothing is sent.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections.abc import MutableMapping

from img2imgd.errors import shown
from img2imgd.log import Lasting

log = logging.getLogger(__name__)

_LONGEST_STATUS = 500  # characters; a manager takes no more than 4,096 bytes at once
_PATIENCE = 1.0  # seconds that a manager may be too busy to take a message
_USEC = 1_000_000


class Notifier:
    """Tells the service manager how the daemon is doing. For one thread; never raises.

    ``address`` is the manager's socket: a path, or an abstract name that begins with ``@``.
    ``watchdog`` is after how many seconds without a sign of life the manager acts, None for never.
    """

    def __init__(self, address: str = "", watchdog: float | None = None) -> None:
        self._address = address
        self.watchdog = watchdog if address else None
        self._lasting = Lasting(log)

    @classmethod
    def from_environment(cls, env: MutableMapping[str, str]) -> Notifier:
        """As NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID say.

        They are removed, so that no child process speaks in our name.
        """
        address = env.pop("NOTIFY_SOCKET", "")
        usec, pid = env.pop("WATCHDOG_USEC", ""), env.pop("WATCHDOG_PID", "")
        if address and not address.startswith(("/", "@")):
            log.warning("NOTIFY_SOCKET=%s is no address of this machine: not used", shown(address))
            address = ""
        meant = not pid or pid == str(os.getpid())
        seconds = int(usec) / _USEC if usec.isascii() and usec.isdecimal() and meant else 0.0
        return cls(address, seconds or None)

    @property
    def is_heard(self) -> bool:
        """True when there is a manager to tell."""
        return bool(self._address)

    def ready(self, status: str) -> bool:
        """The start, or a reload, is over; False if the manager could not be told."""
        return self._send("READY=1", _status(status))

    def reloading(self, status: str) -> None:
        """A reload begins; :meth:`ready` ends it."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}", _status(status))

    def stopping(self, status: str, within: float) -> None:
        """The stop begins, and may take so many seconds."""
        self._send("STOPPING=1", _status(status), _extension(within))

    def extend(self, seconds: float) -> None:
        """Starting or stopping goes on for so long yet, unless told again."""
        self._send(_extension(seconds))

    def status(self, status: str) -> bool:
        """One line for ``systemctl status``; False if the manager could not be told."""
        return self._send(_status(status))

    def alive(self) -> None:
        """The sign of life that the watchdog waits for."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> bool:
        if not self._address:
            return True
        address = self._address.encode("utf-8", "surrogateescape")
        if address.startswith(b"@"):
            address = b"\0" + address[1:]
        message = "\n".join(lines).encode("utf-8", "replace")
        try:
            with contextlib.closing(
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            ) as sending:
                sending.settimeout(_PATIENCE)
                sending.sendto(message, address)
        except OSError as error:
            why = error.strerror or str(error)
            self._lasting.say("manager", f"the service manager cannot be told how it goes: {why}")
            return False
        self._lasting.over("manager", "the service manager hears again")
        return True


def _status(status: str) -> str:
    line = shown(" ".join(status.split()))
    return f"STATUS={line[:_LONGEST_STATUS]}"


def _extension(seconds: float) -> str:
    return f"EXTEND_TIMEOUT_USEC={round(seconds * _USEC)}"
