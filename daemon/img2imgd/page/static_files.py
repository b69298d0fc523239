"""The page itself: HTML, styles and scripts that come with the program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from img2imgd.page.answers import Refused
from img2imgd.page.files import open_below
from img2imgd.page.sending import ASK_AGAIN, send_file
from img2imgd.page.work import Work

STATIC = Path(__file__).parent / "static"

_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}


class StaticFiles:
    """Serves the files of one folder."""

    def __init__(self, work: Work, folder: Path = STATIC) -> None:
        self._work = work
        self._folder = folder

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            Route("/", self.index),
            Route("/favicon.ico", self.icon),
            Route("/static/{path:path}", self.file),
        ]

    async def index(self, request: Request) -> Response:
        """The one page."""
        return await self.send(request, "index.html")

    async def icon(self, request: Request) -> Response:
        """Browsers ask for it by this name."""
        return await self.send(request, "icon.svg")

    async def file(self, request: Request) -> Response:
        """Whatever the page needs."""
        return await self.send(request, request.path_params["path"])

    async def send(self, request: Request, path: str) -> Response:
        """A file of the folder."""
        parts = path.encode("utf-8", "replace").split(b"/")
        kind = _TYPES.get(Path(path).suffix.lower())
        if kind is None or any(
            not part or part.startswith(b".") or b"\0" in part for part in parts
        ):
            raise Refused(404, "There is no such page.")
        try:
            found = await self._work.run(open_below, self._folder, parts)
        except FileNotFoundError:
            raise Refused(404, "There is no such page.") from None
        return await send_file(request, self._work, found, kind, caching=ASK_AGAIN)
