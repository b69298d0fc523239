"""Stop one thread of a process, as a debugger does, until the process is gone: PID NAME.

Prints a line when the thread stands still. Of several whose names begin so, the first.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
WAIT_FOR_ALL_KINDS = 0x40000000  # __WALL: threads, too


def main(pid: int, name: str) -> None:
    """Find the thread and hold it."""
    [thread, *_] = sorted(
        int(task.name)
        for task in Path(f"/proc/{pid}/task").iterdir()
        if (task / "comm").read_text().startswith(name)
    )
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, thread, None, None):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.waitpid(thread, WAIT_FOR_ALL_KINDS)
    print(f"thread {thread} stands still", flush=True)
    while os.WIFSTOPPED(os.waitpid(thread, WAIT_FOR_ALL_KINDS)[1]):
        pass  # a stop of the whole process; it ends with a signal


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
