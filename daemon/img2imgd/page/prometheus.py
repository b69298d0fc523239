"""Numbers in Prometheus' words: what was counted, and what the ledger and the disks say now."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from img2imgd import __version__, filesystems, metrics
from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault, LedgerDamaged, shown
from img2imgd.job import JobState
from img2imgd.ledger import Ledger
from img2imgd.page.books import Books

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Exposition:
    """One answer to a scrape. ``listeners`` is how many listen to the page's events."""

    def __init__(self, config: Config, books: Books, listeners: int) -> None:
        self._config = config
        self._books = books
        self._listeners = listeners

    def text(self) -> bytes:
        """All of it. Reads the ledger and asks the disks."""
        registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        registry.register(self)  # pyright: ignore[reportArgumentType] - it has what is called
        return generate_latest(registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing: what is there is found when it is collected."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        yield InfoMetricFamily("img2imgd", "This img2imgd.", {"version": __version__})
        yield from _counted()
        yield from self._spaces()
        yield _gauge("img2imgd_page_listeners", "Browsers that listen.", self._listeners)
        read = 1
        try:
            with self._books.reading() as ledger:
                yield from list(self._of_ledger(ledger))
        except (EnvironmentFault, LedgerDamaged):
            read = 0
        yield _gauge("img2imgd_ledger_readable", "1 while the ledger can be read.", read)

    def _of_ledger(self, ledger: Ledger) -> Iterator[Metric]:
        counts, facts, away = ledger.counts(), ledger.facts(), ledger.unavailable()
        jobs = GaugeMetricFamily("img2imgd_jobs", "Jobs that the ledger knows.", labels=["state"])
        for state in JobState:
            jobs.add_metric([state.value], counts.get(state.value, 0))
        yield jobs
        oldest = ledger.oldest_queued()
        yield _gauge(
            "img2imgd_queue_oldest_seconds",
            "How long the oldest queued job has waited since its claim; 0 without one.",
            0.0 if oldest is None else max(time.time() - oldest, 0.0),
        )
        unavailable = GaugeMetricFamily(
            "img2imgd_inbox_unavailable", "1 while an inbox cannot be served.", labels=["inbox"]
        )
        for inbox in self._config.inboxes:
            unavailable.add_metric([shown(str(inbox.path))], int(bool(away.get(str(inbox.path)))))
        yield unavailable
        yield _gauge(
            "img2imgd_files_waiting", "Files that are not claimed.", ledger.count_waiting()
        )
        yield _gauge(
            "img2imgd_blocked", "1 while work waits for a disk, device or model.",
            int(bool(facts.get("waits_for"))),
        )  # fmt: skip
        yield _gauge(
            "img2imgd_paused", "1 while somebody has paused painting.",
            int(ledger.paused_since is not None),
        )  # fmt: skip

    def _spaces(self) -> Iterator[Metric]:
        free = GaugeMetricFamily(
            "img2imgd_free_bytes", "Bytes that are free on a folder's disk.", labels=["folder"]
        )
        config = self._config
        folders = {"outbox": config.outbox, "done": config.done, "failed": config.failed,
                   "state": config.state}  # fmt: skip
        for number, inbox in enumerate(config.inboxes):
            folders["inbox" if number == 0 else f"inbox{number + 1}"] = inbox.path
        for name, path in folders.items():
            with suppress(OSError):
                free.add_metric([name], filesystems.free_bytes(path))
        yield free
        yield _gauge(
            "img2imgd_min_free_bytes", "What the outbox's disk must have free for work to go on.",
            config.limits.min_free_gb * 1e9,
        )  # fmt: skip


def _gauge(name: str, help_: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_, value)


def _counted() -> Iterator[Metric]:
    for count in metrics.COUNTS:
        family = CounterMetricFamily(count.name, count.help, labels=count.labels)
        for labels, value in count.values().items():
            family.add_metric(labels, value)
        yield family
    for spread in metrics.SPREADS:
        family = HistogramMetricFamily(spread.name, spread.help, labels=spread.labels)
        for labels, (counts, total) in spread.values().items():
            family.add_metric(labels, _cumulative(spread.bounds, counts), total)
        yield family


def _cumulative(bounds: Iterable[float], counts: Iterable[float]) -> list[tuple[str, float]]:
    so_far = 0.0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip([*map(str, map(float, bounds)), "+Inf"], counts, strict=True):
        so_far += count
        buckets.append((bound, so_far))
    return buckets
