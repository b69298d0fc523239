"""The few threads that do what would hold up the event loop: files, the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 4


class Work:
    """Runs blocking functions beside the event loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="page work")

    async def run(self, act: Callable[P, T], *values: P.args, **named: P.kwargs) -> T:
        """What ``act`` returns or raises, in one of the threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(act, *values, **named))

    def stop(self) -> None:
        """Take no more; what is under way is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
