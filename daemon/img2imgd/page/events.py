"""Server-sent events: one snapshot a second for all who look, and none while nobody does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault, LedgerDamaged
from img2imgd.ledger import Ledger
from img2imgd.page.books import Books
from img2imgd.page.now import make_now
from img2imgd.page.wire import to_json
from img2imgd.page.work import Work
from img2imgd.pool.watching import Watching

log = logging.getLogger(__name__)

MOST_LISTENERS = 40
_EVERY = 1.0  # seconds
_KEEP_OPEN = 15.0  # seconds without news after which a comment is sent
_RETRY = b"retry: 2000\n\n"


@dataclass(frozen=True)
class Snapshot:
    """What is told, each part as JSON."""

    now: bytes = b""
    results: bytes = b""
    failures: bytes = b""

    def news_since(self, before: Snapshot) -> bytes:
        """The events that tell what is other than before; empty where nothing is."""
        parts = ((b"now", self.now, before.now), (b"results", self.results, before.results),
                 (b"failures", self.failures, before.failures))  # fmt: skip
        return b"".join(
            b"event: %s\ndata: %s\n\n" % (name, new)
            for name, new, old in parts
            if new and new != old
        )


class Events:
    """Tells listeners of news. Belongs to the event loop; the ledger is read beside it."""

    def __init__(
        self, books: Books, config: Callable[[], Config], watching: Watching, work: Work
    ) -> None:
        self._books = books
        self._config = config
        self._watching = watching
        self._work = work
        self._newest = Snapshot()
        self._news = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._taking = asyncio.Lock()
        self._listeners = 0
        self._stopped = False

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return self._listeners

    @property
    def full(self) -> bool:
        """True when no more may listen."""
        return self._listeners >= MOST_LISTENERS

    async def now(self) -> bytes:
        """A snapshot of this moment, as JSON.

        Raises:
            EnvironmentFault, LedgerDamaged: the ledger cannot be read.
        """
        return (await self._take()).now

    async def listen(self) -> AsyncGenerator[bytes]:
        """All there is at once, then what is new, until :meth:`stop`."""
        self._listeners += 1
        try:
            if self._task is None:
                self._task = asyncio.create_task(self._watch())
            told = Snapshot()
            yield _RETRY
            with contextlib.suppress(EnvironmentFault, LedgerDamaged):
                told = await self._take()
                yield told.news_since(Snapshot())
            while not self._stopped:
                newest = await self._wait_for_news(told)
                yield newest.news_since(told) or b": nothing new\n\n"
                told = newest
        finally:
            self._listeners -= 1
            if not self._listeners and self._task is not None:
                self._task.cancel()
                self._task = None

    async def stop(self) -> None:
        """Have all listeners end."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
        async with self._news:
            self._news.notify_all()

    async def _wait_for_news(self, told: Snapshot) -> Snapshot:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_KEEP_OPEN), self._news:
                await self._news.wait_for(lambda: self._stopped or self._newest != told)
        return self._newest

    async def _watch(self) -> None:
        while True:
            self._watching.watch()
            await asyncio.sleep(_EVERY)
            try:
                await self._take()
            except (EnvironmentFault, LedgerDamaged) as fault:
                log.debug("the page has no news: %s", fault)
            except Exception:
                log.exception("a snapshot for the page failed")

    async def _take(self) -> Snapshot:
        async with self._taking:  # the maker is for one thread at a time
            snapshot = await self._work.run(self._read)
        if snapshot != self._newest:
            self._newest = snapshot
            async with self._news:
                self._news.notify_all()
        return snapshot

    def _read(self) -> Snapshot:
        with self._books.reading() as ledger:
            return Snapshot(
                to_json(make_now(ledger, self._config(), self._watching.of)),
                _of_results(ledger),
                _of_failures(ledger),
            )


def _of_results(ledger: Ledger) -> bytes:
    total, newest = ledger.count_ended("results"), ledger.newest_ended("results")
    return to_json({"total": total, "newest": newest})


def _of_failures(ledger: Ledger) -> bytes:
    return to_json({"total": ledger.count_ended("failures")})
