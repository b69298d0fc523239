"""The page as an ASGI application, of plain collaborators: what serves it is another matter."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault, Img2imgdError, LedgerDamaged
from img2imgd.page.access import Access
from img2imgd.page.acting import Acting
from img2imgd.page.answers import Refused
from img2imgd.page.books import Books
from img2imgd.page.dropzone import DropZone
from img2imgd.page.events import Events
from img2imgd.page.guard import Guard
from img2imgd.page.health import Health
from img2imgd.page.login import Login
from img2imgd.page.reading import Reading
from img2imgd.page.static_files import StaticFiles
from img2imgd.page.views import Views
from img2imgd.page.work import Work
from img2imgd.pool.watching import Watching

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """What the page is made of.

    ``config`` gives the one that holds now; ``wake`` has the daemon look for orders at once;
    ``watching`` is told that somebody looks. ``ailing`` says which parts of the daemon show no sign
    of life, ``looked`` whether each inbox was scanned.
    """

    config: Callable[[], Config]
    books: Books
    views: Views
    wake: Callable[[], None] = lambda: None
    watching: Watching = field(default_factory=Watching)
    ailing: Callable[[], str] = lambda: ""
    looked: Callable[[], bool] = lambda: True


class Page:
    """The application, and what must be stopped with it. Made within the event loop's thread."""

    def __init__(self, parts: Parts) -> None:
        self.work = Work()
        self.events = Events(parts.books, parts.config, parts.watching, self.work)
        config = parts.config
        access = Access(lambda: config().status.token_file)
        routes = [
            *StaticFiles(self.work).routes(),
            *Login(access).routes(),
            *Reading(
                config, parts.books, parts.views, self.events, parts.watching, self.work
            ).routes(),
            *Acting(config, parts.books, self.work, parts.wake).routes(),
            *Health(
                config,
                parts.books,
                self.work,
                parts.ailing,
                parts.looked,
                lambda: self.events.listeners,
            ).routes(),
            *DropZone(config, parts.books, self.work).routes(),
        ]
        app = Starlette(routes=routes, exception_handlers=_HANDLERS, lifespan=self._lifespan)
        self.app: ASGIApp = Guard(app, access, lambda: config().status.hosts)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncGenerator[None]:
        del app
        yield
        self.work.stop()


async def _refused(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, Refused)  # noqa: S101 - Starlette calls it for these alone
    return error.answer


async def _in_words(request: Request, error: Exception) -> Response:
    """An error with words for a person; disks and the ledger may be well again soon."""
    if isinstance(error, Img2imgdError):
        return Refused(503, error.message, error.advice, headers={"Retry-After": "5"}).answer
    if isinstance(error, OSError):
        return Refused(503, f"A disk does not answer: {error.strerror or error}.").answer
    log.error("the page failed at %s", request.url.path, exc_info=error)
    return Refused(500, "img2imgd itself failed at this.", "Its log says more.").answer


async def _of_http(request: Request, error: Exception) -> Response:
    del request
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = {404: "There is no such page.", 405: "That cannot be done here."}
    return Refused(status, words.get(status, "That was not understood.")).answer


# Each is async, or Starlette would have it done by one of up to 40 threads of its own.
_HANDLERS = {
    Refused: _refused,
    HTTPException: _of_http,
    EnvironmentFault: _in_words,
    LedgerDamaged: _in_words,
    OSError: _in_words,
    Exception: _in_words,
}
