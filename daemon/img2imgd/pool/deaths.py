"""Why a process of ours ended, told from its exit status."""

from __future__ import annotations

import contextlib
import signal
from enum import Enum

# Somebody stops the program, or the machine: what was under way is not to blame.
STOPPING = frozenset({signal.SIGTERM, signal.SIGHUP, signal.SIGINT})


class Death(Enum):
    """Why a worker ended.

    Killed: by somebody's SIGKILL, as the kernel does when memory is out. Stopped: by SIGTERM or
    the like, which whoever stops a service sends to all of its processes; it blames nobody.
    """

    CRASHED = "crashed"
    KILLED = "killed"
    STOPPED = "stopped"
    HUNG = "hung"
    DEVICE_LOST = "device lost"


def cause_of_death(code: int | None) -> Death:
    """By an exit code, the negative number of the signal that killed it."""
    if code is not None and -code in STOPPING:
        return Death.STOPPED
    return Death.KILLED if code == -signal.SIGKILL else Death.CRASHED


def exit_in_words(code: int | None) -> str:
    """An exit code for a person: "killed by SIGKILL"."""
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
        return f"killed by signal {-code}"
    return f"exit status {code}"
