"""The page's thread: uvicorn with an event loop of its own, which harms nothing when it fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from typing import cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from img2imgd.log import Lasting
from img2imgd.page.app import Page

log = logging.getLogger(__name__)

_AGAIN = 10.0  # seconds until a page that failed is started anew
_STOP_SECONDS = 1  # that answers under way have to end
_MOST_CONNECTIONS = 200  # whose requests are answered
_MOST_OPEN = 300  # each is a file descriptor, of which the daemon needs some to serve drops
_TAKEN = 32  # a turn of the loop; it counts and closes those above the most some four turns later
_WAITING = 128  # connections that wait to be taken
_KEEP_ALIVE = 15  # seconds that a connection may be idle
_MOST_HEAD = 16_384  # bytes of a request's line and headers
_HEAD_SECONDS = 10.0  # for a request's line and headers, and for a body nobody reads any more


class _Protocol(H11Protocol):
    """Takes only so many connections, and waits for a request's head only so long.

    Many that stay open would keep everybody else out, and the daemon from opening any file.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > _MOST_OPEN:
            transport.abort()
        else:
            self._watch_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch_head()

    def _watch_head(self) -> None:
        """Set the deadline while no request is being answered; uvicorn ends idle connections."""
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None until the first request
        answering = cycle is not None and not cycle.response_complete
        idle = self.timeout_keep_alive_task is not None
        if answering or idle:
            self._stop_watching()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(_HEAD_SECONDS, self.transport.close)

    def _stop_watching(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Server(uvicorn.Server):
    """Wakes once a second rather than ten times, and at once to stop. ``serves``: it has begun."""

    def __init__(self, config: uvicorn.Config, serves: Callable[[], None]) -> None:
        super().__init__(config)
        self._serves = serves
        self.ending = asyncio.Event()

    async def main_loop(self) -> None:
        self._serves()
        while not self.should_exit:
            await self.on_tick(0)  # it sets the Date header
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ending.wait(), 1.0)
                self.should_exit = True


class PageLoop(threading.Thread):
    """Serves the page on listening ``sockets`` until :meth:`stop`.

    ``make`` builds the page, anew whenever it has failed. The sockets stay the caller's.
    """

    def __init__(self, sockets: Sequence[socket.socket], make: Callable[[], Page]) -> None:
        super().__init__(name="page", daemon=True)
        self._sockets = [one.dup() for one in sockets]
        self._make = make
        self._lasting = Lasting(log)
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
        while not self._ending.is_set():
            try:
                asyncio.run(self._serve())
            except Exception:  # noqa: BLE001 - the page's failure is nothing to the daemon
                self._lasting.say("failed", "the page failed", logging.ERROR, trace=True)
            except SystemExit:  # uvicorn's word for a failed start
                self._lasting.say("failed", "the page could not be started", logging.ERROR)
            self._ending.wait(_AGAIN)
        for one in self._sockets:
            one.close()

    async def _serve(self) -> None:
        page = self._make()
        server = _Server(_config(page), self._served)
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

    def _served(self) -> None:
        for one in self._sockets:
            one.listen(_WAITING)  # asyncio has listened for as many as it takes a turn
        self._lasting.over("failed", "the page is served again")

    def _end(self) -> None:
        """In the event loop."""
        if self._server is not None and self._page is not None:
            self._server.ending.set()
            self._stopping = asyncio.ensure_future(self._page.events.stop())


def _config(page: Page) -> uvicorn.Config:
    return uvicorn.Config(
        page.app,
        http=_Protocol,
        loop="asyncio",
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        log_level="critical",  # what strangers send is no news; our own failures we log ourselves
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_TAKEN,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_STOP_SECONDS,
        h11_max_incomplete_event_size=_MOST_HEAD,
    )
