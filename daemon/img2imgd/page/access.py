"""The token: who has shown it may see the page and act on it.

The cookie holds no token, but what only the token makes: it ends with a new token.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from img2imgd import plainfiles
from img2imgd.errors import EnvironmentFault
from img2imgd.log import Lasting

log = logging.getLogger(__name__)

COOKIE = "img2imgd"
_DAYS = 30
_LOOK_EVERY = 1.0  # seconds
_LONGEST = 4_096  # bytes
_SESSION = b"img2imgd page session 1"


class Access:
    """Knows the token in ``token_file``, which is read again when it changes; None: no token.

    ``clock`` is monotonic.
    """

    def __init__(
        self,
        token_file: Callable[[], str | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._token_file = token_file
        self._clock = clock
        self._looked = -_LOOK_EVERY
        self._seen: tuple[str, int, int, int] | None = None
        self._token: bytes | None = None
        self._lasting = Lasting(log, clock)

    @property
    def needed(self) -> bool:
        """True where nobody sees the page without the token."""
        return self._token_file() is not None

    def is_token(self, text: str) -> bool:
        """True for the token.

        Raises:
            EnvironmentFault: the token cannot be read, so nobody has it.
        """
        return _equal(text.strip().encode("utf-8", "surrogateescape"), self._known())

    def is_session(self, cookies: str) -> bool:
        """True where a ``Cookie`` header has what :meth:`cookie` gave out.

        Raises:
            EnvironmentFault: as :meth:`is_token`.
        """
        own = self._session().encode()
        return any(_equal(value.encode(), own) for value in _cookies(cookies))

    def cookie(self, *, secure: bool) -> str:
        """A ``Set-Cookie`` header for somebody who has shown the token."""
        parts = [f"{COOKIE}={self._session()}", "Path=/", "HttpOnly", "SameSite=Strict",
                 f"Max-Age={_DAYS * 86_400}"]  # fmt: skip
        return "; ".join([*parts, "Secure"] if secure else parts)

    def _session(self) -> str:
        return hmac.new(self._known(), _SESSION, hashlib.sha256).hexdigest()

    def _known(self) -> bytes:
        path = self._token_file()
        if path is None:
            raise EnvironmentFault("There is no token.")
        now = self._clock()
        if now - self._looked >= _LOOK_EVERY or (self._seen or ("",))[0] != path:
            self._looked = now
            self._look(path)
        if not self._token:
            raise EnvironmentFault(
                "The page's token cannot be read, so nobody is let in.",
                "See the log, and `status: token_file` in the config.",
            )
        return self._token

    def _look(self, path: str) -> None:
        try:
            status = os.stat(path)  # noqa: PTH116 - asked every second
            seen = path, status.st_ino, status.st_mtime_ns, status.st_size
            if seen == self._seen:
                return
            first = plainfiles.read_regular(Path(path).resolve(), _LONGEST).split(b"\n")[0].strip()
        except OSError as error:
            self._seen, self._token = None, None
            self._lasting.say("token", f"the page's token {path} cannot be read: {error.strerror}")
            return
        self._seen, self._token = seen, first
        if first:
            self._lasting.over("token", "the page's token can be read again")
        else:
            self._lasting.say("token", f"the page's token {path} is empty: nobody is let in")


def _cookies(header: str) -> Iterator[str]:
    """The values of the page's cookie in a ``Cookie`` header.

    Cookies do not know ports: those of other programs on this host come too, whatever is in them,
    also some that ``http.cookies`` gives up at.
    """
    for part in header.split(";"):
        name, is_cookie, value = part.partition("=")
        if is_cookie and name.strip() == COOKIE:
            yield value.strip().strip('"')


def _equal(one: bytes, other: bytes) -> bool:
    """Compared by digests, so that the time tells nothing, not even of the lengths."""
    return hmac.compare_digest(hashlib.sha256(one).digest(), hashlib.sha256(other).digest())
