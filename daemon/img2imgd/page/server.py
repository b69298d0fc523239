"""The page's thread: uvicorn with an event loop of its own, which harms nothing when it fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Sequence

import uvicorn

from img2imgd.log import Lasting
from img2imgd.page.app import Page

log = logging.getLogger(__name__)

_AGAIN = 10.0  # seconds until a page that failed is started anew
_STOP_SECONDS = 1  # that answers under way have to end
_MOST_CONNECTIONS = 200
_KEEP_ALIVE = 15  # seconds that a connection may be idle
_MOST_HEAD = 16_384  # bytes of a request's line and headers


class _Server(uvicorn.Server):
    """Wakes once a second rather than ten times, and at once to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ending = asyncio.Event()

    async def main_loop(self) -> None:
        while not self.should_exit:
            await self.on_tick(0)  # it sets the Date header
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ending.wait(), 1.0)
                self.should_exit = True


class PageLoop(threading.Thread):
    """Serves the page on listening ``sockets`` until :meth:`stop`.

    ``make`` builds the page, anew whenever it has failed. The sockets are closed at the end.
    """

    def __init__(self, sockets: Sequence[socket.socket], make: Callable[[], Page]) -> None:
        super().__init__(name="page", daemon=True)
        self._sockets = list(sockets)
        self._make = make
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: _Server | None = None
        self._page: Page | None = None

    def stop(self) -> None:
        """Ask the page to end: streams end at once, other answers within a second."""
        self._ending.set()
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._end)

    def run(self) -> None:
        """Serve, and serve again after a failure."""
        lasting = Lasting(log)
        while not self._ending.is_set():
            try:
                asyncio.run(self._serve())
            except Exception:  # noqa: BLE001 - the page's failure is nothing to the daemon
                lasting.say("failed", "the page failed", logging.ERROR, trace=True)
            except SystemExit:  # uvicorn's word for a failed start
                lasting.say("failed", "the page could not be started", logging.ERROR)
            self._ending.wait(_AGAIN)
        for one in self._sockets:
            one.close()

    async def _serve(self) -> None:
        page = self._make()
        server = _Server(_config(page))
        with self._lock:
            self._loop, self._server, self._page = asyncio.get_running_loop(), server, page
        try:
            if not self._ending.is_set():
                # Copies: uvicorn closes what it is given, and they may be needed again.
                await server.serve([one.dup() for one in self._sockets])
        finally:
            with self._lock:
                self._loop = None
            page.work.stop()

    def _end(self) -> None:
        """In the event loop."""
        if self._server is not None and self._page is not None:
            self._server.ending.set()
            self._stopping = asyncio.ensure_future(self._page.events.stop())


def _config(page: Page) -> uvicorn.Config:
    return uvicorn.Config(
        page.app,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_STOP_SECONDS,
        h11_max_incomplete_event_size=_MOST_HEAD,
    )
