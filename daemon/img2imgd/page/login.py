"""Logging in: a form for the token, which becomes a cookie."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from img2imgd.page.access import Access
from img2imgd.page.bodies import read_body
from img2imgd.page.static_files import STATIC

OPEN_PATHS = frozenset({"/healthz", "/login", "/favicon.ico"})
"""What is answered without the token."""

_MOST = 8_192  # bytes of the form
_OTHERS = ("/api/", "/files/", "/views/", "/metrics", "/readyz")


def is_page(path: str) -> bool:
    """True for what a person looks at, False for what programs ask for."""
    return not path.startswith(_OTHERS)


def login_page() -> Response:
    """The form; by ``?wrong=1`` in its address it says that a token was wrong."""
    return Response((STATIC / "login.html").read_bytes(), 401, media_type="text/html")


class Login:
    """The route of the form."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def routes(self) -> list[Route]:
        """The routes."""
        return [Route("/login", self.form, methods=["GET", "POST"])]

    async def form(self, request: Request) -> Response:
        """The form, or what it was sent with."""
        if not self._access.needed:
            return Response(status_code=303, headers={"Location": "/"})
        if request.method != "POST":
            return login_page()
        fields = parse_qs((await read_body(request, _MOST)).decode("utf-8", "replace"))
        if not self._access.is_token(fields.get("token", [""])[0]):
            return Response(status_code=303, headers={"Location": "/login?wrong=1"})
        # It is the page itself (guard); that a proxy in front does TLS is seen nowhere else.
        cookie = self._access.cookie(secure=request.headers.get("origin", "").startswith("https:"))
        return Response(status_code=303, headers={"Location": "/", "Set-Cookie": cookie})
