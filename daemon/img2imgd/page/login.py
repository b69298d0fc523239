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
_PLAIN = """\
<!doctype html>
<html lang="en"><meta charset="utf-8"><title>img2imgd</title>
<h1>img2imgd</h1>
<p>{words}</p>
<form method="post" action="/login">
<label>Token <input type="password" name="token" autocomplete="current-password" required></label>
<button>Log in</button>
</form>
</html>
"""
_WHERE = "It stands in the file that the config names at `status: token_file`."
_WRONG = f"That is not the token. {_WHERE}"
_ASKED = f"The token is needed. {_WHERE}"


def is_page(path: str) -> bool:
    """True for what a person looks at, False for what programs ask for."""
    return not path.startswith(_OTHERS)


def login_page(*, wrong: bool) -> Response:
    """The form, as the page's own file or a plain one."""
    try:
        html = (STATIC / "login.html").read_bytes()
    except OSError:
        html = _PLAIN.format(words=_WRONG if wrong else _ASKED).encode()
    return Response(html, 401, media_type="text/html")


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
            return login_page(wrong="wrong" in request.query_params)
        fields = parse_qs((await read_body(request, _MOST)).decode("utf-8", "replace"))
        if not self._access.is_token(fields.get("token", [""])[0]):
            return Response(status_code=303, headers={"Location": "/login?wrong=1"})
        # It is the page itself (guard); that a proxy in front does TLS is seen nowhere else.
        cookie = self._access.cookie(secure=request.headers.get("origin", "").startswith("https:"))
        return Response(status_code=303, headers={"Location": "/", "Set-Cookie": cookie})
