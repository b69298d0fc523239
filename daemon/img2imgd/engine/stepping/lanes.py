"""Parts of the work side by side on a processor's cores.

Threads within an operation wait for each other hundreds of times a UNet call. Lanes meet once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

import torch

_MOST = 4
_MOST_BYTES = 500_000_000

T = TypeVar("T")
R = TypeVar("R")


def lanes_for(unet: Any) -> int:
    """How many lanes suit a UNet on a processor: several for a small one, for others one.

    Each lane reads all the weights, for fewer rows. On two cores that costs the embedded model's
    36 MB nothing, and Stable Diffusion 2.1's 3.5 GB more than waiting does (``bench/sweep.py``).
    """
    weights = sum(part.numel() * part.element_size() for part in unet.parameters())
    return _MOST if weights <= _MOST_BYTES else 1


class Lanes:
    """Threads, each with its part of torch's own. Belongs to the engine's thread."""

    def __init__(self, most: int) -> None:
        self._most = min(most, torch.get_num_threads())
        self._pool = ThreadPoolExecutor(self._most, thread_name_prefix="lane")

    def number(self, parts: int) -> int:
        """How many lanes there are for so many parts; 1: the engine's thread has all of torch's."""
        return min(self._most, torch.get_num_threads(), parts)

    def together(self, act: Callable[[Sequence[T]], Sequence[R]], ones: Sequence[T]) -> list[R]:
        """What ``act`` makes of some of ``ones``, for each of them, every lane with some of them.

        One that is alone is not for a lane.
        """
        lanes = self.number(len(ones))
        if lanes <= 1:
            return list(act(ones))
        parts = self.each(act, [ones[lane::lanes] for lane in range(lanes)])
        wait(parts)  # also where one has failed: no part may go on beside what comes next
        made = [part.result() for part in parts]
        return [made[place % lanes][place // lanes] for place in range(len(ones))]

    def each(self, act: Callable[[T], R], ones: Sequence[T]) -> list[Future[R]]:
        """What ``act`` makes of each; one at least, as many at once as there are lanes for."""
        each, left = divmod(torch.get_num_threads(), self.number(len(ones)))
        threads = [each + (place < left) for place in range(len(ones))]
        return [
            self._pool.submit(_with_threads, number, act, one)
            for number, one in zip(threads, ones, strict=True)
        ]


def _with_threads(threads: int, act: Callable[[T], R], one: T) -> R:
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)  # of this thread alone
    with torch.inference_mode():
        return act(one)
