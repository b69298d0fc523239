"""A service manager's ear: a real datagram socket that keeps what it was told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Message = dict[str, str]


@dataclass
class Ear:
    """Messages in the order in which they came, each with the monotonic second of its coming."""

    address: str
    heard: list[tuple[float, Message]] = field(default_factory=list[tuple[float, Message]])

    @property
    def messages(self) -> list[Message]:
        """What was said."""
        return [message for _, message in self.heard]

    def times(self, name: str) -> list[float]:
        """When something of that name was said."""
        return [at for at, message in self.heard if name in message]

    @property
    def statuses(self) -> list[str]:
        """The lines that ``systemctl status`` would have shown."""
        return [message["STATUS"] for message in self.messages if "STATUS" in message]

    @property
    def ready(self) -> bool:
        """True once the start was said to be over."""
        return any("READY" in message for message in self.messages)


@contextmanager
def listening(address: str) -> Iterator[Ear]:
    """Listen at a path, or at an abstract address that begins with ``@``."""
    ear = Ear(address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hearing:
        hearing.bind("\0" + address[1:] if address.startswith("@") else address)
        hearing.settimeout(0.1)
        over = threading.Event()

        def hear() -> None:
            while not over.is_set():
                try:
                    data = hearing.recv(65536)
                except TimeoutError:
                    continue
                lines = data.decode("utf-8").split("\n")
                message = dict(line.split("=", 1) for line in lines)
                ear.heard.append((time.monotonic(), message))

        thread = threading.Thread(target=hear)
        thread.start()
        try:
            yield ear
        finally:
            over.set()
            thread.join()
