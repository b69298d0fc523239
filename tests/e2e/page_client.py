"""A browser's requests to the page, and some that no browser would make."""

from __future__ import annotations

import http.client
import json
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What the page answered; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class PageClient:
    """Asks a page on a port of loopback."""

    port: int

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> Answer:
        """One request; ``_`` in a header's name is ``-``. ``host=""`` sends none."""
        connection = self._connection()
        try:
            connection.putrequest(
                method, path, skip_host="host" in headers, skip_accept_encoding=True
            )
            for name, value in headers.items():
                if value:
                    connection.putheader(name.replace("_", "-"), value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, told, answer.read())
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def get(self, path: str, **headers: str) -> Any:
        """JSON of a request that succeeds."""
        answer = self.ask(path, **headers)
        assert answer.status == 200, (path, answer)
        return answer.json

    def post(self, path: str, **headers: str) -> Answer:
        """A POST as the page itself sends it."""
        own = {"origin": f"http://127.0.0.1:{self.port}", "sec_fetch_site": "same-origin"}
        return self.ask(path, "POST", b"", **{**own, **headers})

    def drop(
        self,
        name: str,
        picture: bytes,
        settings: Mapping[str, object] | None = None,
        inbox: int = 0,
        **headers: str,
    ) -> Answer:
        """Drop a picture."""
        kind, body = form(name, picture, settings or {}, inbox)
        return self.ask("/api/drop", "POST", body, content_type=kind, **headers)


@dataclass(frozen=True)
class UnixPageClient(PageClient):
    """Asks a page on a socket file."""

    path: Path

    def _connection(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("localhost", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(30)
        connection.sock.connect(str(self.path))
        return connection


def form(
    name: str, picture: bytes, settings: Mapping[str, object], inbox: int = 0
) -> tuple[str, bytes]:
    """The type and body of a drop's form."""
    line = uuid.uuid4().hex
    head = f'--{line}\r\nContent-Disposition: form-data; name="'
    text = (
        f'{head}inbox"\r\n\r\n{inbox}\r\n'
        f'{head}settings"\r\n\r\n{json.dumps(settings)}\r\n'
        f'{head}picture"; filename="{name}"\r\n\r\n'
    )
    body = text.encode("utf-8", "surrogateescape") + picture + f"\r\n--{line}--\r\n".encode()
    return f"multipart/form-data; boundary={line}", body
