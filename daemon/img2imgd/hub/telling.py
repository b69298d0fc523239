"""How far a download is, in lines for a log."""

from __future__ import annotations

import time
from collections.abc import Callable

from img2imgd.hub.sizes import in_words

_SECONDS = 10.0


class ProgressLines:
    """Says a line every ten seconds while bytes come; called with each batch's number of bytes.

    A negative number takes bytes back, of a file that begins anew.
    """

    def __init__(
        self, total: int, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total = total
        self._say = say
        self._clock = clock
        self._began = self._said = clock()
        self._done = 0

    def __call__(self, count: int) -> None:
        self._done += count
        now = self._clock()
        if now - self._said < _SECONDS:
            return
        self._said = now
        rate = max(self._done, 0) / (now - self._began)
        percent = 100 * self._done // max(self._total, 1)
        self._say(
            f"{percent} % ({in_words(self._done)} of {in_words(self._total)}, "
            f"{in_words(int(rate))}/s)"
        )
