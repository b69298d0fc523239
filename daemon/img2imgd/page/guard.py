"""What every request must pass before anything is done for it, and what every answer carries.

DNS rebinding: a foreign name that is made to mean this machine stands in ``Host``. Cross-site
requests: a browser says where they come from, in ``Origin`` and ``Sec-Fetch-Site``.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from img2imgd import metrics
from img2imgd.errors import EnvironmentFault
from img2imgd.page.access import Access
from img2imgd.page.answers import Refused
from img2imgd.page.buckets import Buckets, Rate
from img2imgd.page.login import OPEN_PATHS, is_page, login_page

log = logging.getLogger(__name__)

_SEND_SECONDS = 60.0  # that a client may take for a part of an answer
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST = re.compile(r"(\[[^\[\]]*\]|[^\[\]:@/]+)(?::\d*)?")  # a name, and perhaps a port
_READING = frozenset({"GET", "HEAD"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; manifest-src 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}

WRITES = Rate(60, 5), Rate(200, 20)
"""Of one client and of all together, for what writes anything."""
WRONG_TOKENS = Rate(5, 0.1), Rate(20, 0.5)


class Guard:
    """Wraps the application. ``hosts`` gives the names that the page has beside its address."""

    def __init__(self, app: ASGIApp, access: Access, hosts: Callable[[], Collection[str]]) -> None:
        self._app = app
        self._access = access
        self._hosts = hosts
        self._writes = Buckets(*WRITES)
        self._guesses = Buckets(*WRONG_TOKENS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or say why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = passed = False

        async def send_guarded(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                metrics.REQUESTS.add(str(message["status"]))
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            elif passed and not self._still_may(scope):
                raise ConnectionAbortedError("The token counts no more.")  # ends a stream
            async with asyncio.timeout(_SEND_SECONDS):
                await send(message)

        try:
            try:
                await self._check(scope)
            except Refused as refused:
                await refused.answer(scope, receive, send_guarded)
            except EnvironmentFault as fault:
                answer = Refused(503, fault.message, fault.advice).answer
                await answer(scope, receive, send_guarded)
            except _NeedsToken as needs:
                await needs.answer(scope, receive, send_guarded)
            else:
                passed = True
                log.debug("%s %s", scope["method"], scope["path"])
                await self._app(scope, receive, send_guarded)
        except TimeoutError:
            log.debug("a client took too long for an answer")
            raise
        except Exception:
            if not began:
                raise
            # What it is was logged where the answer was made; the connection is cut.

    async def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = self._checked_host(scope, headers)
        _check_origin(scope["method"], headers, host)
        client = client_of(scope)
        if scope["method"] not in _READING:
            if scope["path"] == "/login":
                self._refuse_after(self._guesses.take(client))
            else:
                self._refuse_after(self._writes.take(client))
        if self._access.needed and not self._may_pass(scope, headers, client):
            raise _NeedsToken(scope)

    def _checked_host(self, scope: Scope, headers: Headers) -> str:
        given = headers.getlist("host")
        host = given[0].lower() if len(given) == 1 else ""
        name = _without_port(host)
        if name and (name in own_names(scope) or name in self._hosts()):
            return host
        raise Refused(
            421,
            "The page is not known by this name.",
            "Use its address, or add the name to `status: hosts` in the config.",
        )

    def _may_pass(self, scope: Scope, headers: Headers, client: str) -> bool:
        if _is_open(scope["path"]) or self._access.is_session(headers.get("cookie", "")):
            return True
        token = _bearer(headers)
        if not token:
            return False
        # Before it is looked at, or the limit would only be on wrong ones.
        self._refuse_after(self._guesses.wait(client))
        if self._access.is_token(token):
            return True
        self._guesses.take(client)
        return False

    def _still_may(self, scope: Scope) -> bool:
        """For streams: whether what let them in does so still."""
        if not self._access.needed or _is_open(scope["path"]):
            return True
        headers = Headers(scope=scope)
        return self._access.is_session(headers.get("cookie", "")) or self._access.is_token(
            _bearer(headers)
        )

    def _refuse_after(self, seconds: int) -> None:
        if seconds:
            raise Refused(
                429, "That is too much at once.", f"Wait {seconds} s.",
                headers={"Retry-After": str(seconds)},
            )  # fmt: skip


class _NeedsToken(Exception):
    """Nobody has shown the token."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._scope = scope

    @property
    def answer(self) -> ASGIApp:
        """The login page for a person, a few words for a program."""
        if self._scope["method"] in _READING and is_page(self._scope["path"]):
            return login_page()
        return Refused(
            401,
            "The token is needed.",
            "Log in on the page, or send `Authorization: Bearer TOKEN`.",
            headers={"WWW-Authenticate": "Bearer"},
        ).answer


def own_names(scope: Mapping[str, Any]) -> frozenset[str]:
    """The names in ``Host`` that can mean nothing but the address that was listened on."""
    server = scope.get("server")
    if server is None or server[1] is None or not server[0]:  # a unix socket
        return _LOOPBACK
    try:
        address = ipaddress.ip_address(str(server[0]).partition("%")[0])
    except ValueError:
        return _LOOPBACK
    names = {f"[{address.compressed}]" if address.version == 6 else str(address)}
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        names.add(str(address.ipv4_mapped))
        address = address.ipv4_mapped
    return frozenset(names | _LOOPBACK if address.is_loopback else names)


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith("/static/")


def _bearer(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def client_of(scope: Mapping[str, Any]) -> str:
    """Who asks, by address; all who come through a unix socket are one."""
    client = scope.get("client")
    return str(client[0]) if client else "unix"


def _check_origin(method: str, headers: Headers, host: str) -> None:
    site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode", "")
    foreign = site not in ("same-origin", "none")
    if method in _READING:
        refused = foreign and mode != "navigate"  # a link elsewhere may lead here
    else:
        origins = headers.getlist("origin")
        refused = foreign or any(_host_of(origin) != host for origin in origins)
    if refused:
        raise Refused(403, "Another site has asked for this, which is not allowed.")


def _host_of(origin: str) -> str | None:
    scheme, colon, rest = origin.strip().lower().partition("://")
    return rest if colon and scheme in ("http", "https") else None


def _without_port(host: str) -> str:
    found = _HOST.fullmatch(host)
    return found[1].rstrip(".") if found else ""
