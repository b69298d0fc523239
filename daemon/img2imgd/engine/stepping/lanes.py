"""Parts of one UNet call side by side on a processor's cores.

Threads within an operation wait for each other hundreds of times a call, and asleep, since threads
that spin are many times slower beside any other work. Lanes meet once a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import torch

from img2imgd.engine.stepping.batch import predict
from img2imgd.engine.stepping.frame import SteppedFrame

MOST_LANES = 4
"""Each lane reads all the weights, so more lanes than this want more memory bandwidth than most
machines have. Measured on two cores alone."""


class Lanes:
    """Shares the frames of a call out to lanes, each with its part of torch's threads.

    A frame alone has all threads, and is computed as the plain pipeline
    does.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="lane")

    def predict(self, unet: Any, frames: Sequence[SteppedFrame]) -> list[torch.Tensor]:
        """As ``batch.predict``."""
        threads = torch.get_num_threads()
        lanes = min(self._most, threads, len(frames))
        if lanes <= 1:
            return predict(unet, frames)
        parts = [
            self._threads.submit(_with_threads, threads // lanes, unet, frames[lane::lanes])
            for lane in range(lanes)
        ]
        wait(parts)  # also where one has failed: no part may go on beside the next call
        predicted = [part.result() for part in parts]
        return [predicted[place % lanes][place // lanes] for place in range(len(frames))]


def _with_threads(threads: int, unet: Any, frames: Sequence[SteppedFrame]) -> list[torch.Tensor]:
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)  # of this thread alone
    with torch.inference_mode():
        return predict(unet, frames)
