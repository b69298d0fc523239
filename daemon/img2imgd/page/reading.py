"""The routes that only read: what the daemon does and did, and pictures of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault
from img2imgd.ledger import Ledger, Place
from img2imgd.page.answers import Refused, json_answer, number_of
from img2imgd.page.books import Books
from img2imgd.page.details import job_view
from img2imgd.page.events import Events
from img2imgd.page.files import content_type, open_below, parts_of
from img2imgd.page.history import MOST, History
from img2imgd.page.sending import ASK_AGAIN, FOR_EVER, send_file
from img2imgd.page.urls import LARGE, SIDES, THUMB
from img2imgd.page.views import Busy, Key, NoView, Views
from img2imgd.page.work import Work
from img2imgd.pool.watching import Watching

T = TypeVar("T")

_FILES = b"/files/"
_USUAL, _LONGEST_SEARCH = 60, 200
# A picture that is a program in disguise may do nothing.
_HARMLESS = {"Content-Security-Policy": "default-src 'none'; sandbox"}


@dataclass(frozen=True)
class Reading:
    """What the reading routes need."""

    config: Callable[[], Config]
    books: Books
    views: Views
    events: Events
    watching: Watching
    work: Work

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            Route("/api/now", self.now),
            Route("/api/events", self.listen),
            Route("/api/results", self.results),
            Route("/api/failures", self.failures),
            Route("/api/jobs/{job}", self.job),
            Route("/views/{job}/input", self.input),
            Route("/views/{job}/frames/{index}", self.frame),
            Route("/views/{job}/preview/{index}", self.preview),
            Route("/files/{path:path}", self.file),
        ]

    async def now(self, request: Request) -> Response:
        """What the daemon does."""
        del request
        return Response(
            await self.events.now(), 200, {"Cache-Control": "no-store"}, "application/json"
        )

    async def listen(self, request: Request) -> Response:
        """The same, again whenever it changes."""
        del request
        if self.events.full:
            raise Refused(503, "Too many browsers listen already.", "Close some of them.",
                          headers={"Retry-After": "30"})  # fmt: skip
        return StreamingResponse(
            _closing(self.events.listen()),
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
            media_type="text/event-stream",
        )

    async def results(self, request: Request) -> Response:
        """Some results."""
        limit, before = _limit(request), _before(request)
        text = request.query_params.get("q", "")[:_LONGEST_SEARCH]
        history = History(self.config(), self.views.thumb_size)
        return json_answer(await self._read(
            lambda ledger: history.results(ledger, limit, before, text)
        ))  # fmt: skip

    async def failures(self, request: Request) -> Response:
        """Some failures."""
        limit, before = _limit(request), _before(request)
        history = History(self.config(), self.views.thumb_size)
        return json_answer(await self._read(
            lambda ledger: history.failures(ledger, limit, before)
        ))  # fmt: skip

    async def job(self, request: Request) -> Response:
        """All about one job."""
        job, config = request.path_params["job"], self.config()

        def read(ledger: Ledger) -> Response | None:
            row = ledger.job(job)
            if row is None:
                return None
            return json_answer(job_view(ledger, row, config, self.views.picture_size))

        answer = await self._read(read)
        if answer is None:
            advice = "It may be forgotten: see `retention: ledger` in the config."
            raise Refused(404, "There is no such job.", advice)
        return answer

    async def input(self, request: Request) -> Response:
        """The picture that a job is about."""
        return await self._view(request, Key.of_input(request.path_params["job"], _side(request)))

    async def frame(self, request: Request) -> Response:
        """An output."""
        job, index = request.path_params["job"], _index(request)
        return await self._view(request, Key.of_frame(job, index, _side(request)))

    async def preview(self, request: Request) -> Response:
        """What a frame being painted looks like now, or is once it is staged."""
        job, index = request.path_params["job"], _index(request)
        seen = self.watching.of(job)
        if "step" in request.query_params and seen is not None and seen.index == index:
            return Response(seen.png, 200, {"Cache-Control": "no-store", **_HARMLESS}, "image/png")
        return await self._view(request, Key.of_frame(job, index, LARGE))

    async def file(self, request: Request) -> Response:
        """A file of the outbox itself."""
        raw: bytes = request.scope["raw_path"].partition(b"?")[0]
        parts = parts_of(raw.removeprefix(_FILES))
        kind = content_type(os.fsdecode(parts[-1])) if parts else None
        if parts is None or kind is None:
            raise Refused(404, "There is no such picture.")
        try:
            found = await self.work.run(open_below, self.config().outbox, parts)
        except FileNotFoundError:
            raise Refused(404, "There is no such picture.") from None
        return await send_file(request, self.work, found, kind, caching=ASK_AGAIN, more=_HARMLESS)

    async def _read(self, read: Callable[[Ledger], T]) -> T:
        def reading() -> T:
            with self.books.reading() as ledger:
                return read(ledger)

        return await self.work.run(reading)

    async def _view(self, request: Request, key: Key) -> Response:
        if not key.valid:
            raise Refused(404, "There is no such picture.")
        found = await self.work.run(self.views.kept, key)
        if found is None:
            try:
                await asyncio.wrap_future(self.views.order(key))
            except NoView as none:
                raise Refused(404, none.message, none.advice) from None
            except Busy as busy:
                raise Refused(503, busy.message, headers={"Retry-After": "5"}) from None
            found = await self.work.run(self.views.kept, key)
        if found is None:
            raise EnvironmentFault("The view was removed at once.", "Try again.")
        tag = f'"{key.job}-{key.what}-{key.side}"'
        return await send_file(
            request, self.work, found, "image/webp", caching=FOR_EVER, tag=tag, more=_HARMLESS
        )


async def _closing(events: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Events that are ended when their listener goes, not when somebody collects the garbage."""
    try:
        async for event in events:
            yield event
    finally:
        await events.aclose()


def _limit(request: Request) -> int:
    limit = number_of(request.query_params.get("limit", str(_USUAL)))
    if limit is None or not 1 <= limit <= MOST:
        raise Refused(400, f"`limit` must be a number from 1 to {MOST}.")
    return limit


def _index(request: Request) -> int:
    index = number_of(request.path_params["index"])
    if index is None:
        raise Refused(404, "There is no such picture.")
    return index


def _before(request: Request) -> Place | None:
    text = request.query_params.get("before")
    try:
        return Place.parse(text[:60]) if text else None
    except ValueError:
        raise Refused(400, "`before` must be the `next` of an earlier answer.") from None


def _side(request: Request) -> int:
    text = request.query_params.get("side", str(THUMB))
    if text not in map(str, SIDES):
        raise Refused(400, f"`side` must be one of {', '.join(map(str, SIDES))}.")
    return int(text)
