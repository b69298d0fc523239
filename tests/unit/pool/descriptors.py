"""A process that has few descriptors left."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Generator


@contextlib.contextmanager
def descriptors_left(count: int) -> Generator[None]:
    """Meanwhile, this process can open ``count`` more files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, before[0]), before[1]))
    taken: list[int] = []
    try:
        with contextlib.suppress(OSError):
            while True:  # the limit is on the number, and there are gaps below it
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(count):
            os.close(taken.pop())
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
