"""The page's parts put together. What they need is imported only where there is a page."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

from img2imgd.config import Config, StatusConfig
from img2imgd.reader.protocol import ReaderLimits
from img2imgd.service.sockets import address_of, check_token, listening_sockets

if TYPE_CHECKING:
    from img2imgd.page.server import PageLoop
    from img2imgd.page.views import Views
    from img2imgd.pool.watching import Watching

log = logging.getLogger(__name__)

_JOIN_SECONDS = 3.0
_READER_SECONDS = 20  # of computing, for one picture


class PageService:
    """The page while the daemon runs: its server's thread, and the one that makes views."""

    def __init__(self, server: PageLoop, views: Views) -> None:
        self._server = server
        self._views = views

    def reconfigure(self, config: Config) -> None:
        """Make views by other limits from the next on; all else asks for the config itself."""
        self._views.reconfigure(_reader_limits(config), _most_bytes(config))

    def stop(self) -> None:
        """End both, within some seconds."""
        self._server.stop()
        self._views.stop()
        deadline = time.monotonic() + _JOIN_SECONDS
        for thread in (self._server, self._views):
            thread.join(max(deadline - time.monotonic(), 0.0))
            if thread.is_alive():
                log.warning("%s has not ended and is left alone", thread.name)


class ServedPage:
    """The sockets of the page, and its service while there is one on them."""

    def __init__(self, inherited: Sequence[socket]) -> None:
        self._inherited = inherited
        self._sockets: list[socket] = []
        self._start: Callable[[Sequence[socket]], PageService] | None = None
        self._service: PageService | None = None

    def check(self, status: StatusConfig) -> None:
        """As ``service.sockets.check_token``, with the inherited sockets."""
        check_token(status, self._inherited)

    def listen(self, status: StatusConfig) -> None:
        """As ``service.sockets.listening_sockets``; without it there is no page."""
        self._sockets = listening_sockets(status, self._inherited)

    def start(self, start: Callable[[Sequence[socket]], PageService]) -> None:
        """Serve the page, now and after each move, if there are sockets."""
        self._start = start
        if self._sockets:
            self._service = start(self._sockets)

    def reconfigure(self, config: Config) -> None:
        """Go by another config; what the page is not told of, it asks for."""
        if self._service is not None:
            self._service.reconfigure(config)

    def stop(self) -> None:
        """End the service; nobody is answered any more."""
        if self._service is not None:
            self._service.stop()
            self._service = None

    def close(self) -> None:
        """Give the sockets up."""
        for one in self._sockets:
            one.close()
        self._sockets = []

    def sockets_of(self, before: StatusConfig, after: StatusConfig) -> list[socket]:
        """Where the page is served by another config; what is inherited stays as it is.

        Raises:
            UsageError, EnvironmentFault: as ``service.sockets.listening_sockets``.
        """
        self.check(after)
        if self._inherited or after.listen == before.listen:
            return self._sockets
        return listening_sockets(after, ())

    def move_to(self, sockets: list[socket]) -> None:
        """Serve on what :meth:`sockets_of` has found."""
        if sockets is self._sockets:
            return
        self.stop()
        self.close()
        self._sockets = sockets
        if self._start is not None:
            self.start(self._start)


def start_page(
    sockets: Sequence[socket],
    config: Callable[[], Config],
    ledger_path: Path,
    *,
    wake: Callable[[], None],
    watching: Watching,
    ailing: Callable[[], str],
    looked: Callable[[], bool],
) -> PageService:
    """Serve the page on listening sockets, which stay the caller's; the rest as ``page.app.Parts``.

    They are not listened on any more when it is stopped, unless the caller does.
    """
    from img2imgd.page.app import Page, Parts
    from img2imgd.page.books import Books
    from img2imgd.page.server import PageLoop
    from img2imgd.page.sources import find_source
    from img2imgd.page.views import Views

    books = Books(ledger_path)
    settings = config()
    find = partial(find_source, books, settings.outbox)
    views = Views(settings.state, find, _reader_limits(settings), _most_bytes(settings))
    parts = Parts(config, books, views, wake, watching, ailing, looked)
    server = PageLoop(sockets, lambda: Page(parts))
    views.start()
    server.start()
    for one in sockets:
        log.info("the page is at %s", address_of(one))
    return PageService(server, views)


def _reader_limits(config: Config) -> ReaderLimits:
    return ReaderLimits(
        max_file_mb=math.ceil(config.limits.max_file_mb),
        max_pixels=config.limits.max_pixels,
        cpu_seconds=_READER_SECONDS,
    )


def _most_bytes(config: Config) -> int:
    return config.limits.max_views_mb * 1_000_000
