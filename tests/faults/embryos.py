"""Processes forked ahead, which become the program's worker and reader once it starts them."""

from __future__ import annotations

import json
import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

_AHEAD = 4  # a worker and a reader to be killed, and those that take their places

Before = Callable[[str], None]  # what a process does first, told the module that it becomes


def fork_ahead(before: Before) -> None:
    """Have children of this process made now, while it has one thread and holds no lock.

    Once there is none left, they are started as they always are.
    """
    embryos: list[_Embryo] = []
    for _ in range(_AHEAD):
        embryos.append(_Embryo(before, embryos))
    start = subprocess.Popen

    def started(command: Sequence[str], **keywords: Any) -> Any:
        if not embryos:
            return start(command, **keywords)
        embryo = embryos.pop()
        _, _, _, module, _, settings = command  # python -P -m MODULE SOCKET SETTINGS
        embryo.tell(module, settings, *keywords["pass_fds"])
        return embryo

    subprocess.Popen = started  # type: ignore[misc,assignment]


class _Embryo:
    """A process that waits to be told what to become; to the program, a Popen."""

    def __init__(self, before: Before, earlier: Sequence[_Embryo]) -> None:
        self._teller, told = socket.socketpair()
        tellers = [each._teller for each in (*earlier, self)]
        self._process = multiprocessing.get_context("fork").Process(
            target=_embryo, args=(told, tellers, before), daemon=True
        )
        self._process.start()
        told.close()
        self.terminate = self._process.terminate
        self.kill = self._process.kill

    def tell(self, module: str, settings: str, descriptor: int) -> None:
        """Let it become ``python -m MODULE DESCRIPTOR SETTINGS``."""
        socket.send_fds(self._teller, [json.dumps([module, settings]).encode()], [descriptor])
        self._teller.close()

    @property
    def pid(self) -> int | None:
        """As of a Popen."""
        return self._process.pid

    def poll(self) -> int | None:
        """As of a Popen."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """As of a Popen."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a child", timeout)
        return self._process.exitcode


def _embryo(told: socket.socket, tellers: Sequence[socket.socket], before: Before) -> None:
    for teller in tellers:
        teller.close()  # else no end of the supervisor would be heard of
    message, descriptors, _, _ = socket.recv_fds(told, 100_000, 1)
    if not message:
        os._exit(0)  # nobody needed it
    told.close()
    module, settings = json.loads(message)
    before(module)
    sys.argv = [module, str(descriptors[0]), settings]
    runpy.run_module(module, run_name="__main__")
