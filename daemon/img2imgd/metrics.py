"""What is counted where it happens, for ``/metrics``: plain numbers, which cost nothing to count.

The page turns them into Prometheus' words when it is asked (``page/prometheus``). Seconds are of
the clock. Safe to use from several threads.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

Labels = tuple[str, ...]

_lock = threading.Lock()  # one for all: it is held for less than a microsecond


class Count:
    """A number that only grows, for each combination of its labels' values."""

    def __init__(self, name: str, help_: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self.help = help_
        self.labels = tuple(labels)
        self._values: dict[Labels, float] = {} if labels else {(): 0.0}

    def add(self, *labels: str, by: float = 1.0) -> None:
        """Count so many more."""
        with _lock:
            self._values[labels] = self._values.get(labels, 0.0) + by

    def values(self) -> Mapping[Labels, float]:
        """What was counted so far."""
        with _lock:
            return dict(self._values)


class Spread:
    """How often something was how large: cumulative counts up to each bound, and the sum."""

    def __init__(
        self, name: str, help_: str, bounds: Sequence[float], labels: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.help = help_
        self.bounds = tuple(bounds)
        self.labels = tuple(labels)
        self._values: dict[Labels, tuple[list[float], float]] = {}

    def observe(self, value: float, *labels: str, times: float = 1.0) -> None:
        """Something was as large as ``value``, so many times."""
        with _lock:
            counts, total = self._values.get(labels) or ([0.0] * (len(self.bounds) + 1), 0.0)
            counts[bisect_left(self.bounds, value)] += times
            self._values[labels] = counts, total + times * value

    @contextmanager
    def timed(self, *labels: str) -> Generator[None]:
        """Observe how many seconds the body takes, unless it raises."""
        began = time.monotonic()
        yield
        self.observe(time.monotonic() - began, *labels)

    def values(self) -> Mapping[Labels, tuple[Sequence[float], float]]:
        """(counts for each bound and above all, sum of what was observed)."""
        with _lock:
            return {
                labels: (list(counts), total) for labels, (counts, total) in self._values.items()
            }


_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 7200)

STEPS = Count("img2imgd_steps", "Denoising steps that frames have run.")
FRAMES = Count("img2imgd_frames", "Frames that are painted and on disk, or refused.", ["outcome"])
JOBS = Count("img2imgd_jobs_ended", "Jobs that ended since the daemon started.", ["state"])
CALLS = Spread(
    "img2imgd_batch_frames",
    "Frames that shared a call of the model, by calls.",
    (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64),
)
STAGES = Spread(
    "img2imgd_stage_seconds",
    "queue: claim to start of a job. read: a picture. load: a model. paint: a frame from its "
    "admission to being on disk. assemble: an animation or sheet. publish: a job.",
    _SECONDS,
    ["stage"],
)
SCANS = Spread("img2imgd_scan_seconds", "A scan of an inbox, with its claims.", _SECONDS, ["inbox"])
WORKER_STARTS = Count("img2imgd_worker_starts", "Worker processes that were started.")
WORKER_DEATHS = Count("img2imgd_worker_deaths", "Workers that ended unasked.", ["cause"])
REQUESTS = Count("img2imgd_page_requests", "Requests to the page, by status.", ["status"])
VIEWS = Count("img2imgd_page_views", "Small copies that were made for the page.", ["outcome"])

COUNTS = (STEPS, FRAMES, JOBS, WORKER_STARTS, WORKER_DEATHS, REQUESTS, VIEWS)
SPREADS = (CALLS, STAGES, SCANS)
